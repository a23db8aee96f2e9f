/** What a CPU executes next, without executing it. */
import { addressHigh, pcHigh } from '../cpu/address-mode.ts';
import type { Cpu } from '../cpu/cpu.ts';
import type { Callee } from '../cpu/helpers.ts';
import { decode } from '../isa/decoder.ts';
import type { Row } from '../isa/row.ts';
import { Semantics, type Stmt } from '../isa/semantics.ts';
import type { Ram } from '../memory/ram.ts';
import { FETCH, stage1, stage2 } from '../mmu/stages.ts';

/** The word at PC, where the TLBs map it; undefined where the fetch raises an exception or begins a walk. */
function nextWord(cpu: Cpu, ram: Ram): number | undefined {
  const lo = cpu.stateI32('pc');
  if (lo & 3) return undefined;
  const hi = addressHigh(cpu.csr, pcHigh(cpu.csr, lo, cpu.stateHi('pc')));
  let pa = stage1(cpu.vm ? cpu.guestStage : cpu.hostStage, lo, hi, FETCH);
  if (cpu.vm && typeof pa === 'number') pa = stage2(cpu.guestStage2, pa, FETCH);
  return typeof pa === 'number' ? ram.word(pa) : undefined;
}

/** Helpers that only compute, or that raise an exception, which the CPU tells of. */
const COMPUTE = new Set<Callee>([
  'crc',
  'cpucfg',
  'rdtime',
  'outOfBounds',
  'fpu',
  'vectorFpu',
  'vldi',
  'fcsrrd',
  'fcsrwr',
]);

const isPlainStmt = (s: Stmt): boolean => {
  if (s.s === 'call') return COMPUTE.has(s.helper);
  if (s.s === 'if') return s.yes.every(isPlainStmt) && s.no.every(isPlainStmt);
  return s.s !== 'linear' && s.s !== 'fence';
};

const plain = new Map<Row, boolean>();

/**
 * Does a CPU execute a plain instruction next: one that computes, branches, loads or stores, and has nothing to do with the order of
 * memory accesses, with privileged state, or with other CPUs?
 */
export function nextIsPlain(cpu: Cpu, ram: Ram): boolean {
  const word = nextWord(cpu, ram);
  const row = word === undefined ? undefined : decode(word);
  if (!row) return false;
  let known = plain.get(row);
  if (known === undefined) {
    known = !row.priv && Semantics.record(row.define).every(isPlainStmt);
    plain.set(row, known);
  }
  return known;
}
