/**
 * Repetition in the events of a CPU: the newest ones are the same few, over and over. That alone is no loop without progress; what
 * else must hold, {@link LoopTrace} finds out.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { type EventRecord, type EventRing, ecodeAt, isInterruptExit, sameEvent } from '../cpu/event-ring.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { EVENTS } from '../memory/layout.ts';

/** Most events in a cycle, fewest events that are compared, fewest rounds. */
const LONGEST = 32;
const LEAST = 24;
const ROUNDS = 4;
/** One event in so many may be an interrupt of the host that has nothing to do with the cycle. */
const SELDOM = 8;

const [INT, TLBR] = (['INT', 'TLBR'] as const).map(ecodeOf);

/**
 * What repeats: `faults` of one world (no exit between them); an interrupt of one world, with whatever its handler causes; or exits
 * of a guest that executes nothing.
 */
export type CycleKind = 'faults' | 'interrupts' | 'exits';

export interface Cycle {
  readonly kind: CycleKind;
  /** The events of a round, the newest first. */
  readonly round: readonly EventRecord[];
  /** Tells cycles apart. */
  readonly key: string;
}

/**
 * The cycle that the newest events of a CPU are, if they could be a loop without progress.
 * @param skip so many of the newest events are left out
 */
export function cycleOf({ events }: Cpu, skip = 0): Cycle | undefined {
  const there = Math.min(events.total, EVENTS);
  const all = Array.from({ length: Math.min(there - skip, LEAST + LONGEST) }, (_, n) => skip + n);
  const interrupted = all.filter((back) => isInterruptExit(events, back)).length;
  const cycle = interrupted > all.length / SELDOM ? among(events, all) : undefined;
  if (cycle) return cycle;
  const own = (back: number): boolean => isOfHost(events, back);
  // A paged host misses pages of its own, each time others. What an exit comes to does not depend on that.
  const exits = (found: Cycle | undefined): Cycle | undefined => (found?.kind === 'exits' ? found : undefined);
  const found = among(events, without(events, there, skip));
  return found || events.entries === 0 ? found : exits(among(events, without(events, there, skip, own)));
}

/** Is it a miss of the host, or an interrupt that it takes itself? */
function isOfHost(events: EventRing, back: number): boolean {
  if (events.kindAt(back) !== 'exception') return false;
  const ecode = ecodeAt(events, back);
  return (ecode === TLBR || ecode === INT) && events.inHost(back);
}

/**
 * The newest events but exits for interrupts of the host, which are no matter of the guest, and the entries behind them.
 * @param leftOut events that are left out, too
 */
function without(
  events: EventRing,
  there: number,
  skip: number,
  leftOut: (back: number) => boolean = () => false,
): number[] {
  const backs: number[] = [];
  for (let back = skip; back < there && backs.length < LEAST + LONGEST; back++) {
    if (isInterruptExit(events, back) || leftOut(back)) continue;
    const after = back + 1 < there && isInterruptExit(events, back + 1) && events.kindAt(back) === 'entry';
    if (!after) backs.push(back);
  }
  return backs;
}

/** The cycle among these events, which are counted back from the newest. */
function among(events: EventRing, backs: readonly number[]): Cycle | undefined {
  for (let period = 1; period <= LONGEST; period++) {
    const length = Math.max(LEAST, ROUNDS * period);
    if (backs.length < length + period) return undefined;
    let n = 0;
    while (n < length && sameEvent(events, backs[n]!, backs[n + period]!)) n++;
    if (n === length) return classify(events, backs.slice(0, period + 1));
  }
  return undefined;
}

/** @param backs the events of a round, and the one before it */
function classify(events: EventRing, backs: readonly number[]): Cycle | undefined {
  const period = backs.length - 1;
  const round = backs.slice(0, period).map((back) => events.at(back)!);
  const key = round
    .map((r) => `${r.kind} ${r.world} ${r.ecode} ${r.pc} ${r.badv}`)
    .sort()
    .join();
  const happened = round.filter((r) => r.kind !== 'entry');
  const exits = happened.filter((r) => r.kind === 'exit');
  const inside = happened.filter((r) => r.kind === 'exception');
  if (happened.length === 0 || new Set(inside.map((r) => r.world)).size > 1) return undefined;
  const interrupts = inside.filter((r) => r.ecode === INT);
  if (interrupts.length > 0 && interrupts.length === inside.length && new Set(interrupts.map((r) => r.pc)).size === 1)
    return { kind: 'interrupts', round, key };
  if (exits.length === 0) return { kind: 'faults', round, key };
  // The guest executes nothing: each exit comes at the instruction of the entry before it, at once.
  const places = new Set(exits.map((r) => r.pc));
  for (let n = 0; n < period; n++) {
    const exit = round[n]!;
    if (exit.kind !== 'exit') continue;
    const entry = events.at(backs[n + 1]!)!;
    if (entry.kind !== 'entry' || entry.pc !== exit.pc || exit.time - entry.time > 1) return undefined;
  }
  return places.size === 1 ? { kind: 'exits', round, key } : undefined;
}
