/** What is outside the machine and goes back and forth in time with it: disks and shared folders that it changes. */

export interface OutsidePast {
  /** Bytes of memory that are kept of its past. */
  readonly bytes: number;
  /** The past begins now. @param position of the machine, in instructions; undefined: no past is kept */
  begin(position: (() => number) | undefined): void;
  /** Why it cannot go on from the moment at which the machine is, in words; undefined when it can. */
  readonly obstacle: string | undefined;
  /** The machine goes on from a moment of its past: what was after it is taken back. @throws Error when that fails */
  fork(): void;
  /** Nobody goes back before a position any more. */
  forgetBefore(position: number): void;
}
