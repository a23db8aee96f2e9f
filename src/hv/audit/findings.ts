/** What an audit has found: each thing once, with how often it was seen. */
export interface Finding {
  /** The check, such as `host register`. */
  readonly check: string;
  readonly text: string;
  count: number;
}

export class Findings {
  private readonly byKey = new Map<string, Finding>();
  private readonly tell: (finding: Finding) => void;

  /** @param tell called when something is found for the first time */
  constructor(tell: (finding: Finding) => void) {
    this.tell = tell;
  }

  /** @param key what makes it the same finding again; its values may differ */
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
