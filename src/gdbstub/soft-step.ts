/**
 * gdb steps LoongArch in software: it inserts a breakpoint at the instruction that it expects next, and continues. It does not
 * know `ertn` or exceptions. This module recognizes such a step and makes it behave as one instruction
 * (docs/gdb.md, "Stepping").
 */

import type { Cpu } from '../emu/cpu/cpu.ts';
import { exceptionByCode } from '../emu/cpu/exception-table.ts';
import type { Comparators } from '../emu/debug/breakpoints.ts';
import { type DebugContext, fccOf } from '../emu/debug/context.ts';
import type { Stepper } from '../emu/debug/stop.ts';
import { decode } from '../emu/isa/decoder.ts';
import { operandValue } from '../emu/isa/row.ts';

/** The packets of the client since the last stop that show whether it steps or continues. */
export type JournalEntry =
  | { readonly kind: 'read'; readonly address: bigint; readonly length: number }
  | { readonly kind: 'insert'; readonly address: bigint };

/** Longest LL/SC sequence gdb looks through, in instructions. */
const ATOMIC_SEQUENCE = 16;

/**
 * The addresses at which gdb would plant its breakpoint for a step from `pc`.
 * @param read reads the instruction word at an address, undefined when unreadable
 */
export function predictNext(ctx: DebugContext, pc: bigint, read: (at: bigint) => number | undefined): bigint[] {
  const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
  const fallThrough = u64(pc + 4n);
  const word = read(pc);
  const row = word === undefined ? undefined : decode(word);
  if (!row || word === undefined) return [fallThrough];
  const reg = (name: 'rd' | 'rj'): bigint => ctx.gpr(operandValue(row, word, name));
  const signed = (v: bigint): bigint => BigInt.asIntN(64, v);
  const target = (operand: 'offs16' | 'offs21' | 'offs26'): bigint =>
    u64(pc + BigInt(operandValue(row, word, operand)));
  const when = (taken: boolean, to: bigint): bigint[] => [taken ? to : fallThrough];
  switch (row.name) {
    case 'b':
    case 'bl':
      return [target('offs26')];
    case 'jirl':
      return [u64(reg('rj') + BigInt(operandValue(row, word, 'offs16')))];
    case 'beqz':
      return when(reg('rj') === 0n, target('offs21'));
    case 'bnez':
      return when(reg('rj') !== 0n, target('offs21'));
    case 'beq':
      return when(reg('rj') === reg('rd'), target('offs16'));
    case 'bne':
      return when(reg('rj') !== reg('rd'), target('offs16'));
    case 'blt':
      return when(signed(reg('rj')) < signed(reg('rd')), target('offs16'));
    case 'bge':
      return when(signed(reg('rj')) >= signed(reg('rd')), target('offs16'));
    case 'bltu':
      return when(reg('rj') < reg('rd'), target('offs16'));
    case 'bgeu':
      return when(reg('rj') >= reg('rd'), target('offs16'));
    case 'bceqz':
    case 'bcnez': {
      // gdb 16 does not know these two and always puts its breakpoint behind them. Later versions evaluate them.
      const flag = fccOf(ctx, operandValue(row, word, 'cj'));
      return flag === (row.name === 'bcnez') ? [target('offs21'), fallThrough] : [fallThrough];
    }
    case 'll.w':
    case 'll.d':
    case 'llacq.w':
    case 'llacq.d':
      // gdb runs such a sequence as a whole: its breakpoint is behind the sc.
      for (let n = 1; n < ATOMIC_SEQUENCE; n++) {
        const at = u64(pc + BigInt(4 * n));
        const w = read(at);
        const name = w === undefined ? undefined : decode(w)?.name;
        if (name?.startsWith('sc')) return [u64(at + 4n)];
      }
      return [fallThrough];
    default:
      return [fallThrough];
  }
}

/** A resume, and what its client did before it. */
export interface Resumption {
  /** Where the thread stands. */
  readonly pc: bigint;
  /** Where its instruction may lead ({@link predictNext}). */
  readonly next: readonly bigint[];
  /** Reads and Z0 insertions since the last stop, in order. */
  readonly journal: readonly JournalEntry[];
  /** Z0 addresses now. */
  readonly inserted: ReadonlySet<bigint>;
  /** Those at the previous resume. */
  readonly before: ReadonlySet<bigint>;
  /** The resume names one thread. */
  readonly single: boolean;
}

/**
 * Recognizes a software step in the packets since the last stop.
 * @returns the planted address, or undefined for an ordinary continue
 */
export function recognizeStep({ pc, next, journal, inserted, before, single }: Resumption): bigint | undefined {
  const planted = next.find((a) => inserted.has(a));
  if (planted === undefined) return undefined;
  const readsPc = (e: JournalEntry): boolean =>
    e.kind === 'read' && e.address < pc + 4n && e.address + BigInt(e.length) > pc;
  const last = journal.at(-1);
  // R1: user breakpoints first, then gdb reads the instruction, then plants.
  if (last?.kind === 'insert' && last.address === planted) {
    let i = journal.length - 2;
    while (i >= 0 && journal[i]!.kind !== 'insert') i--;
    if (journal.slice(i + 1, -1).some(readsPc)) return planted;
  }
  // R2: stepping off a breakpoint that stood at PC.
  if (single && before.has(pc) && !inserted.has(pc)) return planted;
  // R3: a user breakpoint already stands at the predicted address.
  const lastInsert = journal.findLastIndex((e) => e.kind === 'insert');
  if (last?.kind === 'read' && journal.slice(lastInsert + 1).some(readsPc)) return planted;
  return undefined;
}

/** True for an instruction that begins an LL/SC sequence: gdb runs the sequence as a whole. */
export function beginsAtomicSequence(pc: bigint, read: (at: bigint) => number | undefined): boolean {
  const word = read(pc);
  return word !== undefined && /^ll(acq)?\.[wd]$/.test(decode(word)?.name ?? '');
}

/** Classes of `monitor step-into`. */
export const STEP_CLASSES = ['tlbr', 'tlb', 'sys', 'brk', 'hvc', 'gspr', 'ade', 'ine', 'fpd', 'vmexit', 'irq'] as const;
export type StepClass = (typeof STEP_CLASSES)[number];
export const DEFAULT_STEP_INTO: readonly StepClass[] = ['vmexit', 'gspr', 'hvc', 'ade', 'ine'];

/** The class of an exception by its name. */
function classOf(ecode: number, esub: number): StepClass | undefined {
  switch (exceptionByCode(ecode, esub)?.name) {
    case 'TLBR':
      return 'tlbr';
    case 'PIL':
    case 'PIS':
    case 'PIF':
    case 'PME':
    case 'PNR':
    case 'PNX':
    case 'PPI':
      return 'tlb';
    case 'SYS':
      return 'sys';
    case 'BRK':
      return 'brk';
    case 'HVC':
      return 'hvc';
    case 'GSPR':
      return 'gspr';
    case 'ADEF':
    case 'ADEM':
    case 'ALE':
    case 'BCE':
      return 'ade';
    case 'INE':
    case 'IPE':
      return 'ine';
    case 'FPD':
    case 'SXD':
    case 'ASXD':
    case 'BTD':
      return 'fpd';
    case 'INT':
      return 'irq';
    default:
      return undefined;
  }
}

/** Does a step stop at the vector of this event? At a stage-2 refill it stops only if the user has asked for that. */
function stepsInto(kind: string, ecode: number, esub: number, into: ReadonlySet<StepClass>): boolean {
  const cls = classOf(ecode, esub);
  if (cls === 'tlbr') return into.has('tlbr');
  return (kind === 'exit' && into.has('vmexit')) || (cls !== undefined && into.has(cls));
}

/** A single step of one thread. */
export class SingleStep implements Stepper {
  readonly cpu: Cpu;
  readonly interrupts: boolean;
  private readonly start: bigint;
  private readonly world: number;
  private readonly planted: bigint | undefined;
  private readonly guest: number | undefined;
  private readonly into: ReadonlySet<StepClass>;
  private readonly comparators: Comparators;
  private seen: number;

  /**
   * @param planted where gdb expects the step to end; undefined for an exact step (`vCont;s`)
   * @param guest the VM when the thread is a vCPU: the step then ends in that guest again
   * @param into classes of exceptions whose vector is where a CPU's step ends
   */
  constructor(
    cpu: Cpu,
    comparators: Comparators,
    planted: bigint | undefined,
    guest: number | undefined,
    into: ReadonlySet<StepClass>,
  ) {
    this.cpu = cpu;
    this.comparators = comparators;
    this.planted = planted;
    this.guest = guest;
    this.into = into;
    this.interrupts = into.has('irq');
    this.start = cpu.pc;
    this.world = cpu.world;
    this.seen = cpu.events.total;
  }

  next(event: 'stepped' | 'entered' | 'left'): 'run' | 'step' | 'stop' {
    const { cpu } = this;
    // After a refill the same instruction may exit again, for a cause at whose vector the step stops.
    if (event === 'left') return this.entersAgain() ? 'stop' : 'run';
    if (event === 'entered') {
      if (this.guest === undefined || cpu.world !== this.guest) return 'run';
      this.seen = cpu.events.total;
      // A refill or a repaired fault returns to the same instruction, which still must be executed.
      return cpu.pc === this.start && this.world === this.guest ? 'step' : 'stop';
    }
    const fresh = cpu.events.total - this.seen;
    for (let back = fresh - 1; back >= 0; back--) {
      const r = cpu.events.at(back);
      if (!r || r.kind === 'entry') continue;
      if (this.guest !== undefined && r.kind === 'exit') return 'run';
      if (this.planted === undefined) return 'stop';
      if (this.guest === undefined && stepsInto(r.kind, r.ecode, r.esub, this.into)) return 'stop';
      // Mode `through`: stop at gdb's breakpoint, in the world where the step began.
      this.comparators.insert({
        owner: this,
        scope: this.world < 0 ? 'host' : this.world,
        va: this.planted,
        hardware: false,
      });
      return 'run';
    }
    return 'stop';
  }

  /** Is the newest event one whose vector a step stops at? */
  entersLast(): boolean {
    const r = this.cpu.events.at(0);
    return r !== undefined && stepsInto(r.kind, r.ecode, r.esub, this.into);
  }

  /** Was the exit that has just happened caused by the stepped instruction, and does the step stop at its vector? */
  private entersAgain(): boolean {
    const r = this.cpu.events.at(0);
    if (!r || this.guest !== undefined || r.pc !== this.start || r.world !== this.world) return false;
    return this.entersLast();
  }

  /** Removes the state of the step. */
  finish(): void {
    this.comparators.remove((b) => b.owner === this);
  }
}

/** A step of a CPU that must not end in the other world: it goes on until the CPU is back in the wanted world. */
export class WithinWorld implements Stepper {
  readonly cpu: Cpu;
  readonly interrupts: boolean;
  private readonly inner: SingleStep;
  private readonly guest: boolean;

  /** @param guest whether the step may end in a guest, or in the host */
  constructor(inner: SingleStep, guest: boolean) {
    this.inner = inner;
    this.cpu = inner.cpu;
    this.interrupts = inner.interrupts;
    this.guest = guest;
  }

  next(event: 'stepped' | 'entered' | 'left'): 'run' | 'step' | 'stop' {
    if (event === 'entered') return this.guest ? 'stop' : 'run';
    // A stage-2 refill returns by itself.
    if (event === 'left') return this.guest || !this.inner.entersLast() ? 'run' : 'stop';
    if (this.cpu.vm !== this.guest) return 'run';
    return this.inner.next(event);
  }

  finish(): void {
    this.inner.finish();
  }
}

/** A step of a parked vCPU: it ends when the vCPU is entered again. */
export class UntilEntered implements Stepper {
  readonly cpu: Cpu;
  private readonly vm: number;

  constructor(cpu: Cpu, vm: number) {
    this.cpu = cpu;
    this.vm = vm;
  }

  next(event: 'stepped' | 'entered' | 'left'): 'run' | 'step' | 'stop' {
    return event === 'entered' && this.cpu.world === this.vm ? 'stop' : 'run';
  }
}
