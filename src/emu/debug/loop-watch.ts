/**
 * Looks for loops without progress, now and then while the machine runs. A look reads a few events. Only when the same few have
 * come for some time, a trace finds out whether anything changes (loop-trace.ts).
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CRMD } from '../cpu/csr-fields.ts';
import { ecodeOf, exceptionByCode } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { decode } from '../isa/decoder.ts';
import { SLICE } from '../machine/machine.ts';
import { INTERRUPT_LINES } from './decode-number.ts';
import { type Cycle, cycleOf } from './loop-cycle.ts';
import { LoopTrace } from './loop-trace.ts';
import type { Loop } from './loops.ts';
import type { SpinSurroundings, Trace } from './spin-trace.ts';
import { SpinWatch } from './spin-watch.ts';
import { worldName } from './vms.ts';
import { cannotBeInterrupted, waitsForNothing, whyNoInterrupt } from './waits.ts';

/**
 * Instructions of the machine between two looks: usually as many as a slice has, and fewer where the next look may decide something, or
 * where nearly every instruction is an event: those take long.
 */
const INTERVAL = SLICE;
const SHORT_INTERVAL = SLICE / 8;
/** Looks are so many instructions out of step with each other at most. */
const SCATTER = 65_521;
/** An event in so many instructions is one in nearly every instruction. */
const SELDOM = 8;
/**
 * For so many instructions a cycle must go on before it is traced: usually; and where a hypervisor, a device or another program may
 * have a reason to repeat.
 */
const SOON = 1;
const PATIENT = 6_000_000;
/** A host may still stop a guest that has got stuck. After so many instructions it has not, and the machine can be ended. */
const GIVEN_UP = 2_000_000;
/** So many looks in a row may miss a cycle that goes on. */
const MISSES = 4;
/** Fewest events since the last look. */
const EVENTS = 32;
const INT = ecodeOf('INT');
const HVC = ecodeOf('HVC');
/** Exceptions that the program itself asks for. */
const WANTED: ReadonlySet<number> = new Set(
  (['SYS', 'BRK', 'FPE', 'WPEF', 'WPEM', 'BCE', 'BTD', 'BTE'] as const).map(ecodeOf),
);
const GSPR = ecodeOf('GSPR');
/** Lines of devices: HWI0–7. */
const DEVICE_LINES = 0x3fc;

interface Watched {
  /** The cycle of the last looks, '' for none; the position of the first one, and where a trace is due. */
  key: string;
  since: number;
  due: number;
  /** Looks in a row that did not find it. */
  missed: number;
  /** What it has been waiting for, and since which position; '' for nothing. */
  waits: string;
  waitsSince: number;
  /** Events at the last look, and when they were compared last. */
  total: number;
  compared: number;
}

export class LoopWatch {
  /** Position of the machine at which the next look is due. */
  next = INTERVAL;
  /** Position of the last look. */
  looked = 0;
  private readonly around: SpinSurroundings;
  private readonly cpus: readonly Cpu[];
  private readonly watched = new Map<Cpu, Watched>();
  private trace: LoopTrace | undefined;
  private readonly spins: SpinWatch;
  private spin: Trace | undefined;

  constructor(around: SpinSurroundings) {
    const { cpus } = around.machine;
    this.around = around;
    this.cpus = cpus;
    this.spins = new SpinWatch(around);
    const none = { key: '', since: 0, due: 0, missed: 0, waits: '', waitsSince: 0, total: 0, compared: 0 };
    for (const cpu of cpus) this.watched.set(cpu, { ...none });
  }

  private get current(): LoopTrace | Trace | undefined {
    return this.trace ?? this.spin;
  }

  /** Must the machine go on by single instructions, with a call of {@link stepped} after each? */
  get tracing(): boolean {
    return this.current?.steps === true;
  }

  /** Does it look at what the machine does at full speed? Then {@link stepped} is called now and then, between two instructions. */
  get following(): boolean {
    return this.current?.steps === false;
  }

  /** Instructions after which it must be called again, while it follows the machine. */
  get rest(): number {
    return this.current?.rest ?? Number.POSITIVE_INFINITY;
  }

  /**
   * The machine is at a position.
   * @param quiet it goes over old ground, or somebody else steps it
   * @returns what is wrong without a trace
   */
  look(position: number, quiet: boolean): { readonly cpu: Cpu; readonly loop: Loop } | undefined {
    if (position < this.next && position >= this.looked) return undefined;
    const since = position - this.looked;
    this.looked = position;
    this.next = nextLook(position);
    if (quiet || this.current) return undefined;
    for (const cpu of this.cpus) {
      const { total } = this.watched.get(cpu)!;
      this.rewind(cpu, position);
      const cycle = this.repeats(cpu, position);
      const fresh = cpu.events.total - total;
      const due = fresh * SELDOM > since ? position : this.decides(cpu, fresh);
      if (due < this.next) this.next = Math.max(due, position + SHORT_INTERVAL);
      if (!cycle) {
        const loop = this.waits(cpu, position, fresh === 0);
        if (loop) return { cpu, loop };
        this.spin = this.spins.look(cpu, position, fresh);
        if (this.spin) return undefined;
        const rest = Math.max(SHORT_INTERVAL, Math.floor(this.spins.rest(cpu, position)));
        this.next = Math.min(this.next, position + rest + scatter(position));
        continue;
      }
      this.trace = new LoopTrace(cpu, cycle, this.around, isWanted(cycle));
      return undefined;
    }
    return undefined;
  }

  /** Position at which a look may find that what is watched has lasted long enough; Infinity: nothing is watched. */
  private decides(cpu: Cpu, fresh: number): number {
    const { key, due, waits, waitsSince } = this.watched.get(cpu)!;
    return Math.min(
      key !== '' && fresh >= EVENTS ? due : Number.POSITIVE_INFINITY,
      waits !== '' ? waitsSince + PATIENT : Number.POSITIVE_INFINITY,
    );
  }

  /** The machine has gone back in time: what has been seen behind this position has not happened yet. */
  private rewind(cpu: Cpu, position: number): void {
    const w = this.watched.get(cpu)!;
    if (w.key !== '' && w.since > position) Object.assign(w, { key: '', due: 0, missed: 0 });
    if (w.waitsSince > position) Object.assign(w, { waits: '', waitsSince: position });
    w.total = Math.min(w.total, cpu.events.total);
    w.compared = Math.min(w.compared, cpu.events.total);
  }

  /** A CPU that has waited for long, or has computed for long. */
  private waits(cpu: Cpu, position: number, still: boolean): Loop | undefined {
    const w = this.watched.get(cpu)!;
    const found = still ? cannotBeInterrupted(cpu) : waitsForNothing(cpu);
    const key = found ? `${still} ${found.record.world}` : '';
    if (key !== w.waits) Object.assign(w, { waits: key, waitsSince: position });
    if (!found || position - w.waitsSince < PATIENT) return undefined;
    const { record, text } = found;
    return { world: record.world, pc: record.pc, text, round: still ? [] : [record], hopeless: !still };
  }

  /** The cycle of a CPU that is worth a trace now. */
  private repeats(cpu: Cpu, position: number): Cycle | undefined {
    const w = this.watched.get(cpu)!;
    const { total } = cpu.events;
    const fresh = total - w.total;
    w.total = total;
    // Where a round is long, it takes several looks until so much has happened.
    if (total - w.compared < EVENTS) return undefined;
    w.compared = total;
    const found = cycleOf(cpu);
    // Interrupts that come now and then may come at the same place.
    const cycle = found?.kind === 'interrupts' && fresh < EVENTS ? undefined : found;
    if (!cycle || cycle.key !== w.key) {
      // An interrupt that was on its way, and what the host did for it, is no other cycle.
      if (++w.missed > MISSES || w.key === '')
        Object.assign(w, { key: cycle?.key ?? '', since: position, due: position + patience(cycle), missed: 0 });
      return undefined;
    }
    w.missed = 0;
    return position >= w.due ? cycle : undefined;
  }

  /** An instruction of the trace has been executed, or the machine has run for some time while it follows. @returns the loop that it has found */
  stepped(position: number): { readonly cpu: Cpu; readonly loop: Loop } | undefined {
    const { spin } = this;
    if (spin) {
      if (spin.stepped()) return undefined;
      this.spin = undefined;
      const next = this.spins.judged(spin, position);
      if (next && 'stepped' in next) this.spin = next;
      else if (next) return { cpu: spin.cpu, loop: next };
      return undefined;
    }
    const { trace } = this;
    if (!trace || trace.stepped()) return undefined;
    this.trace = undefined;
    const { cpu, cycle, subject } = trace;
    // A program that calls its kernel may wait for what an interrupt brings.
    const waits = isWanted(cycle) && subject.crmd & CRMD.IE && !whyNoInterrupt(cpu, this.around.machine);
    const stuck = trace.stuck && !waits;
    const w = this.watched.get(cpu)!;
    const now = this.next;
    const lasted = now - w.since;
    const hopeless = trace.subject.world < 0 || trace.cycle.kind === 'exits' || lasted >= GIVEN_UP;
    // Whether it is told or not, the same cycle is not traced again soon.
    w.due = stuck && !hopeless ? w.since + GIVEN_UP : now + 2 * lasted;
    return stuck ? { cpu, loop: describe(cpu, trace, hopeless) } : undefined;
  }

  /** Ends a trace without a result. */
  abandon(): void {
    this.trace?.close();
    this.spin?.close();
    this.trace = undefined;
    this.spin = undefined;
  }
}

/** Position of the look after this one: it does not depend on where the machine has stopped in between. */
function nextLook(position: number): number {
  const n = Math.floor(position / INTERVAL) + 1;
  return n * INTERVAL + scatter(n);
}

/** Looks have no period, so that they do not meet a program always in the same phase. */
const scatter = (n: number): number => (Math.imul(n, 0x9e3779b1) >>> 0) % SCATTER;

/** Does the program ask for its exceptions itself? Those of a vector are no program's. */
const isWanted = ({ kind, round }: Cycle): boolean =>
  kind === 'faults' && round.some((r) => WANTED.has(r.ecode) && r.pc !== r.vector);

/** How many looks must find a cycle. A cycle that is waiting on purpose is never traced. */
function patience(cycle: Cycle | undefined): number {
  if (!cycle) return SOON;
  const { round } = cycle;
  if (cycle.kind === 'interrupts') return round.some((r) => (DEVICE_LINES >> r.badi) & 1) ? PATIENT : SOON;
  if (cycle.kind === 'faults') return isWanted(cycle) ? PATIENT : SOON;
  const exits = round.filter((r) => r.kind === 'exit');
  // A hypervisor may let a guest wait by the same `idle` again and again.
  if (exits.some((r) => r.ecode === GSPR && decode(r.badi)?.name === 'idle')) return Number.POSITIVE_INFINITY;
  return exits.some((r) => r.ecode === HVC || r.ecode === INT) ? PATIENT : SOON;
}

function describe(cpu: Cpu, { cycle, length, subject: r }: LoopTrace, hopeless: boolean): Loop {
  const who = `${worldName(cpu, r.world)} makes no progress on cpu${cpu.index}`;
  const causes = [
    ...new Set(
      cycle.round
        .filter((e) => e.kind !== 'entry')
        .toReversed()
        .map((e) => exceptionByCode(e.ecode, e.esub)?.name ?? `Ecode ${hex(e.ecode)}`),
    ),
  ].join(', then ');
  const badv = r.hasBadv ? ` for ${hex(r.badv)}` : '';
  const round = `${length} instructions a round`;
  const text = ((): string => {
    if (r.ecode === INT && cycle.kind !== 'faults') {
      const line = `interrupt line ${r.badi} (${INTERRUPT_LINES[r.badi] ?? '?'})`;
      return `${line} is taken again and again at ${hex(r.pc)}, before an instruction is executed there`;
    }
    if (cycle.kind === 'faults')
      return `it takes ${causes} at ${hex(r.pc)}${badv} again and again, and the handler changes nothing (${round})`;
    const moved = r.ecode === GSPR || r.ecode === HVC ? ': the hypervisor must add 4 to its PC' : '';
    return `it is entered at ${hex(r.pc)} and leaves with ${causes}${badv} again and again, before it executes anything${moved} (${round})`;
  })();
  return { world: r.world, pc: r.pc, text: `${who}: ${text}`, round: cycle.round, hopeless };
}
