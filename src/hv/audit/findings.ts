/** The findings of an audit: each one once, with a count. */
export interface Finding {
  /** The check, such as `host register`. */
  readonly check: string;
  readonly text: string;
  count: number;
}

export class Findings {
  private readonly byKey = new Map<string, Finding>();
  private readonly tell: (finding: Finding) => void;

  /** @param tell called for each new finding */
  constructor(tell: (finding: Finding) => void) {
    this.tell = tell;
  }

  /** @param key findings with the same key are the same finding, even when their values differ */
  add(check: string, key: string, text: string): void {
    const known = this.byKey.get(`${check}:${key}`);
    if (known) {
      known.count++;
      return;
    }
    const finding = { check, text, count: 1 };
    this.byKey.set(`${check}:${key}`, finding);
    this.tell(finding);
  }

  list(): readonly Finding[] {
    return [...this.byKey.values()];
  }
}
