/**
 * Finds what an explanation is about, and goes back to it: the first event of a loop, and of the chain of events that led to it. The
 * machine comes back to where it was.
 */
import type { Cpu } from '../../cpu/cpu.ts';
import { TLBRERA } from '../../cpu/csr-fields.ts';
import { CSR } from '../../cpu/csr-table.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import { ecodeOf } from '../../cpu/exception-table.ts';
import type { Steps } from '../../runtime/steps.ts';
import { runningContext } from '../context.ts';
import { cycleOf } from '../loop-cycle.ts';
import type { Loop } from '../loops.ts';
import type { RunControl } from '../run-control.ts';
import type { Symbolizer } from '../symbolizer.ts';
import { walkStage2 } from '../walk.ts';
import { handlerFault, ledTo, next, returnsFrom } from './chain.ts';
import { lossesOf } from './lost-search.ts';
import type { Moment } from './moment.ts';
import { RULES, type Rule, type RuleId, ruleOf } from './rules.ts';
import { type Stretch, stretchOf } from './stretch.ts';
import { type Finding, switchFindings } from './switches.ts';

/** Instructions before an event that are looked at: usually, and where the guest's state is the same each time. */
const BEFORE = 40_000;
const ENOUGH = 2_000;
/** Ticks between the beginning of a round of turns and its end, at most. */
const ROUND = 10_000;
/** Instructions of a piece of the search for the beginning of a loop, and of a repetition that is the loop; the longest search. */
const PIECE = 50_000;
const LONG = 200_000;
const LONGEST_SEARCH_MS = 10_000;
/** A repetition that a loop detector has not told is searched in so many instructions. */
const FARTHEST = 5_000_000;
/** Events that come beside others. */
const BESIDE: ReadonlySet<number> = new Set((['INT', 'TLBR'] as const).map(ecodeOf));
const RECENT = 64;
/** Instructions behind an event that are looked at: those of its handler. */
const BEHIND = 400;
const TLBR = ecodeOf('TLBR');

/** Rules that may be broken on purpose, as long as the machine goes on. */
const OF_LOOPS: ReadonlySet<RuleId> = new Set(['host-interrupts']);

/** What was found out about an event. */
export interface Case {
  readonly record: EventRecord;
  /** Instruction count of the machine before it. */
  readonly at: number;
  /** Rules that were broken, the most telling first. */
  readonly findings: readonly Finding[];
  /** What `explain` prints, evaluated at the event. */
  readonly lines: readonly string[];
}

const keyOf = (r: EventRecord): string => `${r.kind} ${r.gid} ${r.ecode} ${r.pc}`;

/**
 * Explains the newest exception or exit of a CPU, or the loop that it is in.
 * @param lines what to say of the event, called while the machine stands before it
 * @returns undefined when the past is not kept
 */
export function* caseOf(
  control: RunControl,
  cpu: Cpu,
  loop: Loop | undefined,
  name: Symbolizer,
  lines: (record: EventRecord) => readonly string[],
): Steps<Case | undefined> {
  const last = answers.get(control);
  if (last?.moment === momentOf(control, cpu, loop) && last.name === name) return last.found;
  const found = yield* seeking(control, cpu, loop, name, lines);
  answers.set(control, { moment: momentOf(control, cpu, loop), name, found });
  return found;
}

/** The last answer of each machine: who asks again at the same moment does not wait again. */
const answers = new WeakMap<RunControl, { moment: string; name: Symbolizer; found: Case | undefined }>();

/** What an answer depends on, as text. */
const momentOf = ({ history, machine, symbolFiles }: RunControl, cpu: Cpu, loop: Loop | undefined): string =>
  [
    ...[history.version, history.enabled, history.position, cpu.index],
    ...[machine.poweredOff, symbolFiles?.count, loop?.text],
  ].join();

function* seeking(
  control: RunControl,
  cpu: Cpu,
  loop: Loop | undefined,
  name: Symbolizer,
  lines: (record: EventRecord) => readonly string[],
): Steps<Case | undefined> {
  const { history, replayer } = control;
  const here = history.position;
  const tell = { loop, name, lines, ended: control.machine.poweredOff };
  // A guest that is entered again and again is in the same state each time.
  const exits = loop?.round.some((e) => e.kind === 'exit') === true;
  const waits = loop?.round.length === 0;
  const last = loop && !exits && !waits ? undefined : newest(cpu, here, waits ? undefined : loop);
  const repeats =
    loop?.round ?? (here - (history.enabled ? history.beginning : 0) < FARTHEST ? cycleOf(cpu, 1)?.round : undefined);
  const round = repeats?.length ? repeats : undefined;
  let first = round && begun(cpu, round, here);
  const recalled = !history.enabled && history.recall();
  if (!history.enabled) return undefined;
  try {
    // From power-on, what comes next goes over the whole past once, and leaves copies there. The beginning is best found on this way.
    if (recalled && round && !first) first = yield* beginning(control, cpu, round, here);
    // From power-on it is far. Otherwise copies tell where the event is.
    const found =
      last &&
      ((recalled ? yield* explained(control, cpu, last, tell) : undefined) ??
        (yield* explainedFar(control, cpu, last, here, tell)));
    // What ended a repetition is less telling than what began it.
    if (found && found.findings.length > 0) return found;
    if (!recalled && round) first ??= yield* beginning(control, cpu, round, here);
    let told = first ? ((yield* explained(control, cpu, first, tell)) ?? found) : found;
    // What a handler should have done shows when the event has come again.
    if (loop && !last && told?.findings.length === 0) {
      yield* replayer.going(here);
      const later = newest(cpu, here, loop);
      const repeated = later && (yield* explained(control, cpu, later, tell));
      if (repeated && repeated.findings.length > 0) told = repeated;
    }
    // Who has stopped the machine himself looks at what he has stopped at.
    if (!told || told.findings.length > 0 || !(loop || tell.ended)) return told;
    yield* replayer.going(here);
    return { ...told, findings: yield* lost(control, cpu, name, here) };
  } finally {
    yield* replayer.going(here);
    if (recalled) history.endRecall();
  }
}

/** Instructions around an entry that may have lost a register of its guest. */
const AROUND = 2_000;

/** Rules of which a look at the whole past finds the place. */
const LOSSES: ReadonlySet<RuleId> = new Set(['guest-registers', 'skip-once', 'instruction-register']);

/** What a guest has lost in the whole past, where nothing near the event explains it. */
function* lost(control: RunControl, cpu: Cpu, name: Symbolizer, here: number): Steps<readonly Finding[]> {
  for (const at of yield* lossesOf(control, cpu, here)) {
    const last = Math.min(at + 2, control.history.latest);
    const found = switchFindings(yield* stretchOf(control, cpu, at - AROUND, last), name, () => false);
    const told = found.filter((f) => LOSSES.has(f.rule));
    if (told.length > 0) return told;
  }
  return [];
}

/** What the caller wants to know. */
interface Tell {
  readonly loop: Loop | undefined;
  readonly name: Symbolizer;
  readonly lines: (record: EventRecord) => readonly string[];
  /** The machine has been switched off. */
  readonly ended: boolean;
}

/** An event, and the position of the machine at it or behind it. */
interface Place {
  readonly record: EventRecord;
  readonly near: number;
}

/** An event, and the number of those before it. */
interface Numbered extends Place {
  readonly number: number;
}

/** The newest event that tells something: not the refill or the interrupt that came behind it, unless its handler is running now. */
function newest(cpu: Cpu, here: number, loop: Loop | undefined): Numbered | undefined {
  const { events } = cpu;
  const record = events.lastException();
  if (!record) return undefined;
  const wanted = loop ? new Set(loop.round.map(keyOf)) : undefined;
  const inRefill = (cpu.host.lo(CSR.TLBRERA) & TLBRERA.IsTLBR) !== 0;
  let best = record;
  let age = 0;
  while (events.at(age)?.kind === 'entry') age++;
  if (!inRefill || loop)
    for (let back = 0; back < RECENT; back++) {
      const r = events.at(back);
      if (!r || cpu.now - r.time > BEFORE) break;
      if (r.kind === 'entry' || BESIDE.has(r.ecode) || (wanted && !wanted.has(keyOf(r)))) continue;
      best = r;
      age = back;
      break;
    }
  // Without `idle`, and on one CPU, a tick is an instruction.
  const near = Math.min(here, here - Math.max(0, cpu.now - best.time) + 1);
  return { record: best, near, number: events.total - 1 - age };
}

/** Explains an event that is sought in the past: since then the CPU may have waited in `idle`, and others may have run. */
function* explainedFar(
  control: RunControl,
  cpu: Cpu,
  { record, number }: Numbered,
  here: number,
  tell: Tell,
): Steps<Case | undefined> {
  const { runtime } = control.machine.options;
  const late = runtime.now() + LONGEST_SEARCH_MS;
  const steps = control.replayer.findingEvent(cpu, number, here, record.time - BEFORE - ROUND);
  let at: number | undefined;
  try {
    for (let piece = steps.next(); runtime.now() < late; piece = steps.next()) {
      if (piece.done) at = piece.value;
      if (piece.done) break;
      yield;
    }
  } finally {
    steps.return(undefined);
  }
  return at === undefined ? undefined : yield* explained(control, cpu, { record, near: at + 1 }, tell);
}

/** The first event of the repetition of a round, when it and what came before it are still among the newest events. */
function begun(cpu: Cpu, round: readonly EventRecord[], here: number): Place | undefined {
  const inside = new Set(round.map(keyOf));
  const worlds = new Set(round.filter((e) => e.kind !== 'entry').map((e) => e.gid));
  let record: EventRecord | undefined;
  for (let back = 0; ; back++) {
    const r = cpu.events.at(back);
    if (!r) return undefined;
    if (r.kind === 'entry') continue;
    if (inside.has(keyOf(r))) record = r;
    else if (!BESIDE.has(r.ecode) && worlds.has(r.gid)) break;
  }
  return record && { record, near: Math.min(here, here - (cpu.now - record.time) + 1) };
}

/** Most beginnings of repetitions that are kept. */
const MOST_BEGINNINGS = 64;

/** The beginning of a repetition, and how far the search for it went: from each later moment of the repetition the same one is found. */
interface Begun {
  readonly found: Place;
  readonly by: number;
}

/** Beginnings that were found in the past of each machine, by CPU and round. */
const beginnings = new WeakMap<RunControl, { readonly past: string; readonly known: Map<string, Begun> }>();

function beginningsOf(control: RunControl): Map<string, Begun> {
  const { version, beginning } = control.history;
  const past = `${version} ${beginning}`;
  const last = beginnings.get(control);
  if (last?.past === past && last.known.size < MOST_BEGINNINGS) return last.known;
  const known = new Map<string, Begun>();
  beginnings.set(control, { past, known });
  return known;
}

/** The first event of the repetition of a round. The machine is somewhere in its past afterwards. */
export function* beginning(
  control: RunControl,
  cpu: Cpu,
  round: readonly EventRecord[],
  here: number,
): Steps<Place | undefined> {
  const { history, replayer, machine } = control;
  const first = history.beginning;
  const inside = new Set(round.map(keyOf));
  const worlds = new Set(round.filter((e) => e.kind !== 'entry').map((e) => e.gid));
  const search = [cpu.index, ...[...inside].sort(), ...[...worlds].sort()].join();
  const known = beginningsOf(control);
  const begun = known.get(search);
  if (begun && begun.by <= here) return begun.found;
  let found: Place | undefined;
  const look = (c: Cpu): void => {
    const record = c.events.at(0)!;
    if (record.kind === 'entry') return;
    // What the host does in between for itself, and its interrupts, do not end the repetition of a guest.
    if (inside.has(keyOf(record))) found ??= { record, near: control.position() + 1 };
    else if (!BESIDE.has(record.ecode) && worlds.has(record.gid)) found = undefined;
  };
  const { runtime } = machine.options;
  const late = runtime.now() + LONGEST_SEARCH_MS;
  yield* replayer.going(first);
  const remove = cpu.observe({ exception: look });
  try {
    // What has repeated for so long is taken for the loop at hand.
    while (history.position < here && !(found && history.position - found.near > LONG) && runtime.now() < late)
      yield* control.pending.silentlyInPieces(history.replaying(Math.min(history.position + PIECE, here)));
  } finally {
    remove();
  }
  if (found && history.position - found.near > LONG) {
    known.set(search, { found, by: history.position });
    return found;
  }
  return history.position < here ? undefined : found;
}

/** The index of the step with an event; −1 when it is not there. */
const stepOf = (s: Stretch, r: EventRecord): number =>
  s.steps.findLastIndex((step) => step.events.some((e) => e.time === r.time && keyOf(e) === keyOf(r)));

function* explained(
  control: RunControl,
  cpu: Cpu,
  { record, near }: Place,
  { loop, name, lines, ended }: Tell,
): Steps<Case | undefined> {
  const { machine, replayer, history, vcpuStates } = control;
  const last = Math.min(near + BEHIND, history.latest);
  // A guest that is entered again and again is in a state that needs no long past.
  const before = loop?.round.some((e) => e.kind === 'exit') ? ENOUGH : BEFORE;
  // The event is older than what is kept of the past.
  if (last <= history.beginning) return undefined;
  const whole = yield* stretchOf(control, cpu, near - before, last);
  let n = stepOf(whole, record);
  if (n < 0) return undefined;
  let r = record;
  let then: EventRecord | undefined;
  for (;;) {
    const [before, step] = ledTo(whole, n, r, loop !== undefined);
    if (!before) break;
    n = step;
    then = before.ecode === TLBR ? next(whole, n) : r;
    r = before;
  }
  then ??= handlerFault(whole, n, r);
  const { at } = whole.steps[n]!;
  // A program may raise exceptions on purpose: one that was handled is no matter when the program has come to its end.
  if (!loop && ended && returnsFrom(whole, n, r)) return { record: r, at, findings: [], lines: lines(r) };
  yield* replayer.going(at);
  const ctx = runningContext(cpu, vcpuStates);
  const moment: Moment = {
    machine,
    cpu,
    r,
    then,
    ctx,
    past: whole.upTo(n),
    whole,
    loop: loop?.spins ? undefined : loop,
    ended,
    vms: vcpuStates.vms,
    name,
  };
  const isMapped = (gpa: bigint): boolean => {
    const { address, fault } = walkStage2(ctx, machine.ram, ctx.gid, gpa);
    return address !== undefined && !fault && machine.ram.has(Number(address));
  };
  const found: Finding[] = [];
  for (const rule of RULES as readonly Rule[]) {
    const text = rule.broken?.(moment);
    if (text !== undefined) found.push({ rule: rule.id as RuleId, at, text });
  }
  const switched = switchFindings(whole, name, isMapped).filter((f) => loop || !OF_LOOPS.has(f.rule));
  const findings = [...switched, ...found];
  const first = (f: Finding): boolean => ruleOf(f.rule).explainsOthers === true;
  return {
    record: r,
    at,
    findings: [...findings.filter(first), ...findings.filter((f) => !first(f))],
    lines: lines(r),
  };
}
