/** What must be true of every run, and how a run that is wrong is named. */

export interface Properties {
  /** Texts that the console must have shown by the end. */
  readonly expect: readonly string[];
  /** Texts that it must not show. */
  readonly forbid: readonly string[];
  /** Ticks of the stable counter by which the machine must have ended. */
  readonly deadline: number;
  /** Symbols of the image: the eight bytes there are at the end what they are in the run without perturbation. */
  readonly invariant: readonly string[];
  /** A function of the user's, as the text of a module (predicate.ts). */
  readonly predicate?: string;
  /** A gdb is asked about the machine at the end (gdb-property.ts). */
  readonly askGdb?: boolean;
}

export const FINDING_KINDS = [
  ...(['forbidden', 'audit', 'died', 'deadline', 'expected', 'invariant', 'property'] as const),
  // Of hostile guests (fuzz/).
  ...(['exception', 'hang'] as const),
] as const;

/** What is wrong with a run. */
export interface Finding {
  readonly kind: (typeof FINDING_KINDS)[number];
  readonly text: string;
}

/** Runs with findings of one class have failed in the same way: numbers and addresses do not count. */
export const classOf = ({ kind, text }: Finding): string =>
  `${kind}: ${text.replace(/0x[0-9a-f]+/gi, 'N').replace(/\d+/g, 'N')}`;

/** Reads the console as it comes, for texts that must not be there. */
export class ConsoleWatch {
  private readonly forbid: readonly string[];
  private line = '';
  text = '';

  constructor({ forbid }: Properties) {
    this.forbid = forbid;
  }

  /** @returns the finding, when a line is complete that must not be there */
  put(byte: number): Finding | undefined {
    const char = String.fromCharCode(byte);
    this.text += char;
    if (char !== '\n') {
      this.line += char;
      return undefined;
    }
    const found = this.found();
    this.line = '';
    return found;
  }

  /** A finding in the last line, which may not be complete. */
  found(): Finding | undefined {
    const line = this.line.trim();
    return this.forbid.some((f) => line.includes(f)) ? { kind: 'forbidden', text: line } : undefined;
  }
}
