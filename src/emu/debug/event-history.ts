/** The last events of a CPU as lines: what repeats is one group, and what came before it is not lost behind it. */
import type { Cpu } from '../cpu/cpu.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { EVENTS } from '../memory/layout.ts';
import type { Steps } from '../runtime/steps.ts';
import { describeEvent } from './explain.ts';
import type { RunControl } from './run-control.ts';
import type { Symbolizer } from './symbolizer.ts';
import { beginning } from './why/case.ts';

/** Most events in a round, and fewest rounds that are one group. */
const LONGEST = 8;
const LEAST = 4;

/** Events in their order, and how often they came. */
export interface EventGroup {
  readonly round: readonly EventRecord[];
  readonly times: number;
}

/** The same event at another time. */
const same = (a: EventRecord, b: EventRecord): boolean =>
  a.kind === b.kind && a.world === b.world && a.ecode === b.ecode && a.pc === b.pc && a.badv === b.badv;

/** Puts events together that repeat. @param events oldest first */
export function fold(events: readonly EventRecord[]): EventGroup[] {
  const groups: EventGroup[] = [];
  for (let n = 0; n < events.length; ) {
    const period = periodAt(events, n);
    const round = events.slice(n, n + period);
    let times = 1;
    while (round.every((e, k) => events[n + times * period + k] && same(e, events[n + times * period + k]!))) times++;
    const group = times >= LEAST ? { round, times } : { round: [events[n]!], times: 1 };
    groups.push(group);
    n += group.round.length * group.times;
  }
  return groups;
}

/** The shortest period with which the events from `n` on repeat often enough; 1 when none does. */
function periodAt(events: readonly EventRecord[], n: number): number {
  for (let period = 1; period <= LONGEST; period++) {
    const length = (LEAST - 1) * period;
    let k = 0;
    while (k < length && n + k + period < events.length && same(events[n + k]!, events[n + k + period]!)) k++;
    if (k === length) return period;
  }
  return 1;
}

/** Events of the ring, oldest first. */
const ringOf = ({ events }: Cpu): EventRecord[] =>
  Array.from({ length: Math.min(events.total, EVENTS) }, (_, n) => events.at(Math.min(events.total, EVENTS) - 1 - n)!);

/**
 * The last `count` groups of events of a CPU. When a repetition fills all that is kept of the events, and the past is kept, what came
 * before it is found by running the past again; the machine comes back to where it was.
 */
export function* lastEvents(control: RunControl, cpu: Cpu, count: number): Steps<EventGroup[]> {
  const { total } = cpu.events;
  const groups = fold(ringOf(cpu));
  const [oldest, ...rest] = groups;
  if (!oldest || oldest.times === 1 || total <= EVENTS || groups.length >= count) return groups.slice(-count);
  const before = yield* beforeRound(control, cpu, oldest.round);
  if (!before) return groups;
  const length = oldest.round.length;
  const newer = rest.reduce((sum, g) => sum + g.round.length * g.times, 0);
  const times = Math.max(oldest.times, Math.floor((total - newer - before.total) / length));
  return [...fold(before.events), { round: oldest.round, times }, ...rest].slice(-count);
}

/** The events before the first one of a repetition, and how many there had been then. */
function* beforeRound(
  control: RunControl,
  cpu: Cpu,
  round: readonly EventRecord[],
): Steps<{ readonly events: readonly EventRecord[]; readonly total: number } | undefined> {
  const { history, replayer } = control;
  const here = history.position;
  const recalled = !history.enabled && history.recall();
  if (!history.enabled) return undefined;
  if (recalled) yield* replayer.going(here);
  try {
    const first = yield* beginning(control, cpu, round, here);
    if (!first) return undefined;
    yield* replayer.going(first.near - 1);
    return { events: ringOf(cpu), total: cpu.events.total };
  } finally {
    yield* replayer.going(here);
    if (recalled) history.endRecall();
  }
}

/** A group as lines. */
export function describeGroup({ round, times }: EventGroup, name: Symbolizer): string[] {
  const lines = round.map((e) => describeEvent(e, name));
  if (times === 1) return lines;
  if (lines.length === 1) return [`${times} × ${lines[0]}`];
  return [`${times} × these ${lines.length}:`, ...lines.map((l) => `  ${l}`)];
}
