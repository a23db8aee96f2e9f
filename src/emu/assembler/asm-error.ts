/** Where something is in a source file. Line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** What is wrong with a source; the message says what was expected. */
export class AsmError extends Error {
  readonly place: Place;

  constructor(place: Place, text: string) {
    super(text);
    this.place = place;
  }

  /** `guest.S:3:7: …`. */
  get line(): string {
    const { file, line, column } = this.place;
    return `${file}:${line}:${column}: ${this.message}`;
  }
}

/** A line of source, after the preprocessor. */
export interface Line {
  readonly text: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The line as it was written: where a word stands in it is told to the user. */
  readonly written: string;
}

/** An error about a word of a line. @param word where it is told; otherwise the first word of the line */
export function wrong(line: Line, text: string, word = ''): AsmError {
  const found = word === '' ? -1 : line.written.indexOf(word);
  const first = line.written.search(/\S/);
  const column = 1 + Math.max(0, found >= 0 ? found : first);
  return new AsmError({ file: line.file, line: line.line, column }, text);
}
