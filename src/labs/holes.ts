/** Holes of a skeleton: comments `HOLE n: …` in its files, behind which a student writes. */

/** A hole that is as it was. */
export interface Hole {
  readonly number: number;
  readonly file: string;
}

const HOLE = /\/\* HOLE (\d+):[\s\S]*?\*\//g;

/** What stands behind each hole's comment: the rest of its line, and the next two lines that are not empty. */
function behind(text: string): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const hole of text.matchAll(HOLE)) {
    const lines = text.slice(hole.index + hole[0].length).split('\n');
    const next = lines.map((line) => line.trim()).filter((line) => line !== '');
    found.set(Number(hole[1]), next.slice(0, 2).join('\n'));
  }
  return found;
}

/**
 * The holes of a skeleton that nobody has filled, by number: their comments are there, and the same code stands behind them.
 * @param skeleton texts by file name
 * @param own the student's, by the same names; a file that is not there has no holes
 */
export function untouchedHoles(skeleton: ReadonlyMap<string, string>, own: ReadonlyMap<string, string>): Hole[] {
  const left: Hole[] = [];
  for (const [file, text] of skeleton) {
    const now = behind(own.get(file) ?? '');
    for (const [number, code] of behind(text)) if (now.get(number) === code) left.push({ number, file });
  }
  return left.sort((a, b) => a.number - b.number);
}
