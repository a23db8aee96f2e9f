/**
 * Detects endless loops of exceptions: a handler that faults on its first instruction, a vector that cannot be
 * fetched, a hypervisor that returns to the same fault of its guest again and again.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { type EventRecord, isInterruptExit, sameEvent } from '../cpu/event-ring.ts';
import { ecodeOf, exceptionByCode } from '../cpu/exception-table.ts';
import { cycleOf } from './loop-cycle.ts';
import { worldName } from './vms.ts';

export interface Loop {
  readonly world: number;
  readonly pc: bigint;
  /** Description. */
  readonly text: string;
  /** The events that repeat. Where the loop began, the explanation looks. */
  readonly round: readonly EventRecord[];
  /** It executes a few instructions for ever, without an event. */
  readonly spins?: true;
  /** It is a branch to itself, by which programs halt on purpose: it is told, and the machine goes on. */
  readonly halts?: boolean;
  /** The loop never ends, so the machine can be ended. */
  readonly hopeless: boolean;
}

/** Longest pattern of exceptions that is recognized as a loop. */
const LONGEST_PERIOD = 4;
/** So many exits of one guest at one instruction, with no instruction executed in between, are a loop. */
const STALLED = 2000;
const HOPELESS = 100 * STALLED;
/** Bytes of a handler that count as its first instructions. */
const HANDLER = 0x100n;
/** A guest that loops in exceptions for so many ticks will not be stopped by its host any more. Nothing happens in between for longer than the pause. */
const GIVEN_UP = 2_000_000;
const PAUSE = 100_000;
/** Most places that are reported: a guest may stall at many places. */
const MOST_REPORTS = 64;
/** Newest events among which two exits of a guest are looked for. */
const NEWEST = 16;
const INT = ecodeOf('INT');
/** A hypervisor may let the guest execute the same `idle` or hypercall again and again, in order to wait. */
const WAITING: ReadonlySet<number> = new Set((['GSPR', 'HVC'] as const).map(ecodeOf));

/** The newest exit of a CPU, and how often it was repeated. */
interface Stall {
  pc: bigint;
  ecode: number;
  badv: bigint;
  world: number;
  count: number;
}

/** Is an exception raised by the first instructions of the handler that it is delivered to? */
const inHandler = (r: EventRecord): boolean => r.pc >= r.vector && r.pc < r.vector + HANDLER;

/** The same event at another time. A handler that moves its stack pointer before it faults faults at ever new addresses. */
const same = (a: EventRecord, b: EventRecord): boolean =>
  a.kind === b.kind &&
  a.world === b.world &&
  a.ecode === b.ecode &&
  a.pc === b.pc &&
  (a.badv === b.badv || (inHandler(a) && inHandler(b)));

const causeOf = (r: EventRecord): string => exceptionByCode(r.ecode, r.esub)?.name ?? `Ecode 0x${r.ecode.toString(16)}`;

export class LoopDetector {
  private readonly stalls = new Map<Cpu, Stall>();
  private readonly reported = new Set<string>();
  /** The place at which a CPU loops in exceptions, and since when. */
  private readonly nests = new Map<Cpu, { readonly key: string; readonly since: number; last: number }>();
  /** General registers at the last check of nested exceptions. */
  private readonly registers = new Map<Cpu, string>();

  /** Many exceptions have been delivered without a return. @returns the loop, when they repeat */
  nested(cpu: Cpu): Loop | undefined {
    for (let period = 1; period <= LONGEST_PERIOD; period++) {
      const repeats = Array.from({ length: 8 * period }, (_, k) => k).every((k) => {
        const [a, b] = [cpu.events.at(k), cpu.events.at(k + period)];
        return a !== undefined && b !== undefined && a.kind === 'exception' && same(a, b);
      });
      if (!repeats) continue;
      const r = cpu.events.at(0)!;
      // A program may leave its handlers by a jump. Then exceptions without `ertn` are normal, and its registers change.
      const now = Array.from({ length: 32 }, (_, n) => cpu.gpr(n)).join();
      const stuck = inHandler(r) || this.registers.get(cpu) === now;
      this.registers.set(cpu, now);
      if (!stuck) return undefined;
      const where = worldName(cpu, r.world);
      const at = `0x${r.pc.toString(16)}`;
      const why =
        r.pc === r.vector
          ? `its own vector ${at} raises ${causeOf(r)}`
          : `its handler at 0x${r.vector.toString(16)} raises ${causeOf(r)} at ${at}, before it returns`;
      return {
        world: r.world,
        pc: r.pc,
        round: Array.from({ length: period }, (_, back) => cpu.events.at(back)!),
        hopeless: r.world < 0 || this.lasting(cpu, r) >= GIVEN_UP,
        text: `${where} loops in exceptions on cpu${cpu.index}: ${why}, for ever`,
      };
    }
    return undefined;
  }

  /** Ticks for which a CPU has been looping in exceptions at this place. */
  private lasting(cpu: Cpu, r: EventRecord): number {
    const key = `${r.world} ${r.pc}`;
    let nest = this.nests.get(cpu);
    if (!nest || nest.key !== key || r.time > nest.last + PAUSE) {
      nest = { key, since: r.time, last: r.time };
      this.nests.set(cpu, nest);
    }
    nest.last = r.time;
    return r.time - nest.since;
  }

  /**
   * Has a guest left twice in a row with the same exit, before it executed anything? Then its exits are worth counting:
   * see {@link exit}.
   */
  mayStall(cpu: Cpu): boolean {
    const { events } = cpu;
    const there = Math.min(events.total, NEWEST);
    let found = -1;
    for (let back = 0; back < there; back++) {
      if (events.kindAt(back) !== 'exit' || isInterruptExit(events, back)) continue;
      if (found >= 0) return sameEvent(events, found, back) && this.begin(cpu, found);
      found = back;
    }
    return false;
  }

  /** Begins to count exits like this one. @returns false when it needs no counting */
  private begin(cpu: Cpu, back: number): boolean {
    const { pc, ecode, badv, world, time } = cpu.events.at(back)!;
    const entry = cpu.events.at(back + 1);
    if (WAITING.has(ecode) || entry?.kind !== 'entry' || time - entry.time > 1) return false;
    this.stalls.set(cpu, { pc, ecode, badv, world, count: 1 });
    return true;
  }

  /** Another exit of a guest whose exits are counted. @returns 'over' when it is not the same, 'loop' when {@link stalled} is worth calling */
  exit(cpu: Cpu): 'over' | 'loop' | undefined {
    // Interrupts of the host between the exits change nothing.
    if (cpu.events.lastEcode === INT) return undefined;
    const s = this.stalls.get(cpu)!;
    const r = cpu.events.at(0)!;
    if (!cpu.events.lastIsIdleExit || s.pc !== r.pc || s.ecode !== r.ecode || s.badv !== r.badv || s.world !== r.world)
      return 'over';
    return ++s.count % STALLED === 0 ? 'loop' : undefined;
  }

  /** The loop of exits that {@link exit} has found. */
  stalled(cpu: Cpu): Loop {
    const r = cpu.events.at(0)!;
    const s = this.stalls.get(cpu)!;
    const badv = r.hasBadv ? ` for 0x${r.badv.toString(16)}` : '';
    return {
      world: r.world,
      pc: r.pc,
      round: cycleOf(cpu)?.round ?? [r],
      hopeless: s.count >= HOPELESS,
      text: `${worldName(cpu, r.world)} makes no progress on cpu${cpu.index}: ${s.count} times in a row it was entered at 0x${r.pc.toString(16)} and left with ${causeOf(r)}${badv} before it executed anything`,
    };
  }

  /** @returns true the first time that a loop at this place is reported */
  report(loop: Loop): boolean {
    const key = `${loop.world}:${loop.pc}`;
    if (this.reported.size >= MOST_REPORTS || this.reported.has(key)) return false;
    this.reported.add(key);
    return true;
  }
}
