/** A stretch of the past of one CPU, run again instruction by instruction: what an explanation is drawn from. */
import type { Cpu } from '../../cpu/cpu.ts';
import type { CsrBank } from '../../cpu/csr-bank.ts';
import { CSR } from '../../cpu/csr-table.ts';
import { HOST_OWN } from '../../cpu/csr-writers.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import type { CsrWriting, TlbChange } from '../../cpu/observer.ts';
import { u32At } from '../../formats/little-endian.ts';
import { decode } from '../../isa/decoder.ts';
import { operandValue, type Row } from '../../isa/row.ts';
import { STATE } from '../../memory/layout.ts';
import type { Steps } from '../../runtime/steps.ts';
import type { TlbEntryView } from '../../tlb/tlb.ts';
import { writtenValue } from '../catches.ts';
import { runningContext } from '../context.ts';
import type { RunControl } from '../run-control.ts';
import { physicalAddress } from '../walk.ts';
import { wrongHalf } from './fills.ts';

const GPRS = 32;
const PAGE = 4096n;
/** A list of nothing, for the steps of which there is nothing to say: most of them. */
const NONE: readonly never[] = [];
/** CSRs whose values are kept for each instruction. */
const KEPT = [CSR.CRMD, CSR.PRMD, CSR.GSTAT, CSR.GTLBC, CSR.TLBRERA, CSR.TLBRPRMD, CSR.ERA, CSR.PGDL] as const;
export type KeptCsr = (typeof KEPT)[number];

/** A CSR of the host or of the guest bank that an instruction wrote. */
export interface CsrStep {
  readonly bank: 'host' | 'guest';
  readonly num: number;
  /** The bits that software wrote. */
  readonly value: bigint;
}

/** A TLB that an instruction changed, and the entry that it wrote. */
export interface TlbStep extends TlbChange {
  readonly entry: TlbEntryView | undefined;
  /** What the entry has otherwise than the tables, where a refill of the host wrote it. */
  readonly wrong: string | undefined;
}

/** An instruction that was executed, or that raised an exception. */
export interface Step {
  /** Instruction count of the machine before it. */
  readonly at: number;
  readonly pc: bigint;
  readonly world: number;
  /** Its word; undefined when it could not be fetched. */
  readonly word: number | undefined;
  readonly events: readonly EventRecord[];
  readonly csr: readonly CsrStep[];
  readonly reads: readonly number[];
  readonly tlb: readonly TlbStep[];
}

export class Stretch {
  readonly steps: Step[];
  private readonly state: BigUint64Array;
  /** The same in words. */
  private readonly words: Int32Array;
  private readonly cpu: Cpu;
  private readonly width = GPRS + KEPT.length + 2;

  constructor(cpu: Cpu, most: number, whole?: Stretch) {
    this.cpu = cpu;
    this.steps = whole ? whole.steps.slice(0, most) : [];
    this.state = whole ? whole.state : new BigUint64Array(most * this.width);
    this.words = new Int32Array(this.state.buffer);
  }

  /** The first `n` steps of it. The registers before the step behind them are kept too. */
  upTo(n: number): Stretch {
    return new Stretch(this.cpu, n, this);
  }

  get length(): number {
    return this.steps.length;
  }

  /** General register `r` before step `n`. */
  gpr(n: number, r: number): bigint {
    return this.state[n * this.width + r]!;
  }

  /** Had general register `r` the same value before two steps? */
  isSame(r: number, n: number, other: number): boolean {
    const { words, width } = this;
    const [a, b] = [2 * (n * width + r), 2 * (other * width + r)];
    return words[a] === words[b] && words[a + 1] === words[b + 1];
  }

  /** The first step from `from` on, before `to`, of which something is true; −1 when there is none. */
  firstStep(from: number, to: number, is: (step: Step) => boolean): number {
    for (let n = from; n < to; n++) if (is(this.steps[n]!)) return n;
    return -1;
  }

  /** The last one likewise. */
  lastStep(from: number, to: number, is: (step: Step) => boolean): number {
    for (let n = to - 1; n >= from; n--) if (is(this.steps[n]!)) return n;
    return -1;
  }

  /** A CSR of the host before step `n`. */
  csr(n: number, num: KeptCsr): bigint {
    return this.state[n * this.width + GPRS + KEPT.indexOf(num)]!;
  }

  /** EENTRY of the guest before step `n`. */
  guestVector(n: number): bigint {
    return this.state[n * this.width + GPRS + KEPT.length]!;
  }

  /** CRMD of the guest before step `n`. */
  guestMode(n: number): bigint {
    return this.state[n * this.width + GPRS + KEPT.length + 1]!;
  }

  /** Had the host never written a CSR of its own before step `n`? */
  neverWritten(num: number, n: number): boolean {
    if (!this.cpu.writers.last(HOST_OWN, num)) return true;
    return this.steps[0]?.at === 0 && !this.steps.slice(0, n).some((s) => s.csr.some((c) => c.num === num));
  }

  /** The instruction of step `n`. */
  row(n: number): Row | undefined {
    const word = this.steps[n]?.word;
    return word === undefined ? undefined : decode(word);
  }

  operand(n: number, name: Parameters<typeof operandValue>[2]): number {
    return operandValue(this.row(n)!, this.steps[n]!.word!, name);
  }

  /** Keeps the registers of a CPU before the step that is added next. */
  keep(cpu: Cpu): void {
    const { words } = this;
    const { i32 } = cpu.mem;
    const to = 2 * this.steps.length * this.width;
    const from = (cpu.base + STATE.gpr) >> 2;
    for (let r = 0; r < 2 * GPRS; r++) words[to + r] = i32[from + r]!;
    const put = (n: number, bank: CsrBank, num: number): void => {
      words[to + 2 * (GPRS + n)] = bank.lo(num);
      words[to + 2 * (GPRS + n) + 1] = bank.hi(num);
    };
    for (let k = 0; k < KEPT.length; k++) put(k, cpu.host, KEPT[k]!);
    put(KEPT.length, cpu.guest, CSR.EENTRY);
    put(KEPT.length + 1, cpu.guest, CSR.CRMD);
  }
}

/** The last stretch of each machine: moments that are near each other are often explained by the same one. */
const stretches = new WeakMap<RunControl, { place: string; stretch: Stretch }>();

/**
 * Runs the past again from `first` (or the beginning of what is kept) up to `last`, unless that was the last stretch already. The machine
 * is at some position of its history afterwards.
 */
export function* stretchOf(control: RunControl, cpu: Cpu, first: number, last: number): Steps<Stretch> {
  const { history } = control;
  const begin = Math.max(first, history.beginning);
  const place = [history.version, cpu.index, begin, last].join();
  const known = stretches.get(control);
  if (known?.place === place) return known.stretch;
  const stretch = yield* runAgain(control, cpu, begin, last);
  stretches.set(control, { place, stretch });
  return stretch;
}

function* runAgain(control: RunControl, cpu: Cpu, begin: number, last: number): Steps<Stretch> {
  const out = new Stretch(cpu, last - begin + 2);
  const words = new Words(control, cpu);
  const csr: CsrStep[] = [];
  const reads: number[] = [];
  const tlb: TlbStep[] = [];
  let before: { at: number; pc: bigint; world: number; word: number | undefined; events: number } | undefined;
  const remove = cpu.observe({
    csrWrite: (_c: Cpu, w: CsrWriting) => {
      const { mask, value } = writtenValue(w);
      csr.push({ bank: w.bank, num: w.num, value: value & mask });
      return false;
    },
    csrRead: (_c: Cpu, bank, num) => {
      if (bank === 'host') reads.push(num);
    },
    tlbChanged: (c: Cpu, change: TlbChange) => {
      const view = change.guestType ? c.gtlb : c.htlb;
      const entry = change.index < 0 ? undefined : view.view(change.index);
      const refill = entry && !change.guestType && change.by === 'tlbfill';
      tlb.push({ ...change, entry, wrong: refill ? wrongHalf(c, control.machine.ram, entry) : undefined });
    },
  });
  const settle = (): void => {
    if (!before) return;
    const { at, pc, world, word } = before;
    const events: EventRecord[] = [];
    for (let back = cpu.events.total - before.events - 1; back >= 0; back--) {
      const record = cpu.events.at(back);
      if (record) events.push(record);
    }
    const kept = <T>(list: readonly T[]): readonly T[] => (list.length > 0 ? list.slice() : NONE);
    out.steps.push({ at, pc, world, word, events: kept(events), csr: kept(csr), reads: kept(reads), tlb: kept(tlb) });
    csr.length = 0;
    reads.length = 0;
    tlb.length = 0;
    before = undefined;
  };
  try {
    yield* control.replayer.replayingEach(cpu, begin, last, (c) => {
      settle();
      if (c !== cpu) return;
      out.keep(cpu);
      const { pc, world } = cpu;
      before = { at: control.history.position, pc, world, word: words.at(pc), events: cpu.events.total };
    });
    settle();
  } finally {
    remove();
  }
  return out;
}

/** Instruction words at the PC of a CPU. A page is translated once as long as the mode stays. */
class Words {
  private readonly control: RunControl;
  private readonly cpu: Cpu;
  /** What the page was translated for: world, CRMD, ASID, and its address in halves. */
  private readonly key = new Int32Array(5);
  private page: number | undefined;

  constructor(control: RunControl, cpu: Cpu) {
    this.control = control;
    this.cpu = cpu;
  }

  at(pc: bigint): number | undefined {
    const { cpu, control } = this;
    const { ram } = control.machine;
    const inPage = cpu.pcLo & 0xfff;
    if (this.isAnother(cpu.pcLo & ~0xfff) || this.page === undefined)
      this.page = physicalAddress(runningContext(cpu, control.vcpuStates), ram, pc - (pc % PAGE));
    if (this.page === undefined) return undefined;
    return inPage % 4 === 0 ? ram.word(this.page + inPage) : u32At(ram.read(this.page + inPage, 4));
  }

  private isAnother(lo: number): boolean {
    const { cpu, key } = this;
    const { world, pcHi } = cpu;
    const crmd = cpu.csr.lo(CSR.CRMD);
    const asid = cpu.csr.lo(CSR.ASID);
    if (key[0] === world && key[1] === crmd && key[2] === asid && key[3] === lo && key[4] === pcHi) return false;
    key.set([world, crmd, asid, lo, pcHi]);
    return true;
  }
}
