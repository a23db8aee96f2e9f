import { operandValue, type Row } from './row.ts';
import { ROWS } from './table/index.ts';

interface Group {
  readonly mask: number;
  readonly rows: Map<number, Row[]>;
}

/** Rows by the six major opcode bits, then by mask. A row whose mask does not cover the major bits would be a defect of the table. */
const BUCKETS: readonly Group[][] = (() => {
  const buckets: Group[][] = Array.from({ length: 64 }, () => []);
  for (const row of ROWS) {
    const bucket = buckets[row.match >>> 26]!;
    let group = bucket.find((g) => g.mask === row.mask);
    if (!group) {
      group = { mask: row.mask, rows: new Map() };
      bucket.push(group);
    }
    const rows = group.rows.get(row.match);
    if (rows) rows.push(row);
    else group.rows.set(row.match, [row]);
  }
  return buckets;
})();

const excluded = (row: Row, word: number): boolean =>
  row.excludes.some((e) => operandValue(row, word, e.operand) === e.value) ||
  (row.ordered !== undefined && operandValue(row, word, row.ordered[0]) < operandValue(row, word, row.ordered[1]));

/** Cache of the last rows by a hash of the word, since programs use the same words again and again. */
const RECENT = 4096;
const recentWords = new Uint32Array(RECENT);
const recentRows: (Row | undefined)[] = new Array(RECENT).fill(undefined);

/** The row of an instruction word, or undefined when no instruction has that encoding. */
export function decode(word: number): Row | undefined {
  const slot = (word ^ (word >>> 12) ^ (word >>> 22)) & (RECENT - 1);
  const recent = recentRows[slot];
  if (recent && recentWords[slot] === word >>> 0) return recent;
  const row = search(word);
  recentWords[slot] = word;
  recentRows[slot] = row;
  return row;
}

function search(word: number): Row | undefined {
  for (const group of BUCKETS[word >>> 26]!) {
    const rows = group.rows.get((word & group.mask) >>> 0);
    if (rows) for (const row of rows) if (!excluded(row, word)) return row;
  }
  return undefined;
}
