/** Coverage as a tracefile of lcov (geninfo(1), "TRACEFILE FORMAT"), which genhtml and editors read. */
import { isAbsolute, resolve } from 'node:path';
import { readSymbols, type Segment } from '../emu/boot/elf.ts';
import type { CodeCoverage } from '../emu/debug/code-coverage.ts';
import { type LineRange, lineRanges } from '../hv/awareness/line-table.ts';

/** A program with debug information, and where its bytes are in memory. */
export interface CoveredProgram {
  readonly elf: Uint8Array;
  readonly segments: readonly Segment[];
}

interface SourceFile {
  /** By line: whether it was executed. */
  readonly lines: Map<number, boolean>;
  readonly functions: Map<string, { readonly line: number; readonly executed: boolean }>;
}

const INSTRUCTION = 4n;

/** The physical address of a linked one. */
function placed(segments: readonly Segment[], address: bigint): number | undefined {
  const s = segments.find(({ vaddr, memsz }) => address >= vaddr && address < vaddr + BigInt(memsz));
  return s && Number(s.paddr + (address - s.vaddr));
}

function executed({ from, to }: LineRange, segments: readonly Segment[], coverage: CodeCoverage): boolean {
  for (let address = from; address < to; address += INSTRUCTION) {
    const pa = placed(segments, address);
    if (pa !== undefined && coverage.has(pa)) return true;
  }
  return false;
}

/** @returns the tracefile; a count is 1 for what was executed, however often */
export function lcovOf(programs: readonly CoveredProgram[], coverage: CodeCoverage): string {
  const files = new Map<string, SourceFile>();
  for (const { elf, segments } of programs) {
    const ranges = lineRanges(elf).filter((r) => placed(segments, r.from) !== undefined);
    const byStart = new Map<bigint, LineRange>();
    for (const range of ranges) {
      const file = files.get(range.file) ?? { lines: new Map(), functions: new Map() };
      files.set(range.file, file);
      file.lines.set(range.line, (file.lines.get(range.line) ?? false) || executed(range, segments, coverage));
      if (!byStart.has(range.from)) byStart.set(range.from, range);
    }
    for (const { name, value, isFunction } of readSymbols(elf)) {
      const range = isFunction ? byStart.get(value) : undefined;
      const pa = placed(segments, value);
      if (range && pa !== undefined)
        files.get(range.file)!.functions.set(name, { line: range.line, executed: coverage.has(pa) });
    }
  }
  const names = [...files.keys()].sort();
  return names.map((name) => record(name, files.get(name)!)).join('');
}

function record(name: string, { lines, functions }: SourceFile): string {
  const sorted = [...lines].sort(([a], [b]) => a - b);
  const hits = (list: readonly boolean[]): number => list.filter(Boolean).length;
  const flag = (on: boolean): number => (on ? 1 : 0);
  return [
    'TN:',
    `SF:${isAbsolute(name) ? name : resolve(name)}`,
    ...[...functions].map(([f, { line }]) => `FN:${line},${f}`),
    ...[...functions].map(([f, { executed: on }]) => `FNDA:${flag(on)},${f}`),
    `FNF:${functions.size}`,
    `FNH:${hits([...functions.values()].map((f) => f.executed))}`,
    ...sorted.map(([line, on]) => `DA:${line},${flag(on)}`),
    `LF:${sorted.length}`,
    `LH:${hits(sorted.map(([, on]) => on))}`,
    'end_of_record',
    '',
  ].join('\n');
}
