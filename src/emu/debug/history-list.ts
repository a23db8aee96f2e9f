/** The last branches, exceptions, world switches and CSR writes of a CPU. They are found by a replay of its last instructions. */

import type { Cpu } from '../cpu/cpu.ts';
import { csrByNumber, isHidden } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import type { CsrWriting } from '../cpu/observer.ts';
import { hex } from '../formats/hex.ts';
import { CSR_LIMIT } from '../memory/layout.ts';
import type { Steps } from '../runtime/steps.ts';
import { writtenValue } from './catches.ts';
import { describeEvent } from './explain.ts';
import type { RunControl } from './run-control.ts';
import type { Symbolizer } from './symbolizer.ts';

/** An event at an instruction. */
export type HistoryEntry = {
  /** Instruction count of the machine before it. */
  readonly at: number;
  readonly world: number;
  readonly pc: bigint;
} & (
  | { readonly kind: 'branch'; readonly to: bigint }
  | { readonly kind: 'event'; readonly record: EventRecord }
  | {
      readonly kind: 'csr';
      readonly bank: 'host' | 'guest';
      readonly num: number;
      readonly old: bigint;
      readonly value: bigint;
    }
);

/** Length of the first replay, and of the longest one, in instructions. */
const FIRST = 4_000;
const MOST = 256_000;

/** The last `count` entries of a CPU, oldest first. `kind`: only entries of this kind. CSR writes are looked for in all that is kept. */
export function* listingHistory(
  control: RunControl,
  cpu: Cpu,
  count: number,
  kind?: HistoryEntry['kind'],
): Steps<HistoryEntry[]> {
  if (kind === 'csr') return yield* csrWrites(control, cpu, count);
  const { history, replayer } = control;
  const now = history.position;
  let entries: HistoryEntry[] = [];
  for (let length = FIRST, end = now; ; length *= 4) {
    const first = Math.max(now - length, history.beginning);
    const part = yield* stretch(control, cpu, first, end);
    entries = [...part.filter((m) => !kind || m.kind === kind), ...entries];
    if (entries.length >= count || length >= MOST || first <= history.beginning) break;
    end = first;
  }
  yield* replayer.going(now);
  return entries.slice(-count);
}

/**
 * Instructions in which a CPU that writes many CSRs has written enough of them. They are not more than those from the last copy that a
 * leap into the past has made.
 */
const BUSY = 40_000;

/**
 * The last CSR writes of a CPU. Nothing else is watched, so the engine runs nearly at its speed: from copy to copy, backwards. Where two
 * copies have the same last writers of CSRs, nothing was written between them.
 */
function* csrWrites(control: RunControl, cpu: Cpu, count: number): Steps<HistoryEntry[]> {
  const { history, replayer } = control;
  const now = history.position;
  const recent: HistoryEntry[] = [];
  // On the way there nothing is watched: that would be slow.
  yield* replayer.going(Math.max(history.beginning, now - BUSY));
  yield* noting(control, cpu, recent, replayer.replaying(now));
  if (recent.length >= count) return recent.slice(-count);
  let found: HistoryEntry[] = [];
  for (let end: number | undefined = now; end !== undefined && found.length < count; ) {
    const part: HistoryEntry[] = [];
    const last = history.unchangedSince(cpu.writers, end);
    end = yield* noting(control, cpu, part, replayer.searchingStretch(last));
    found = [...part, ...found];
  }
  yield* replayer.going(now);
  return found.slice(-count);
}

/** Does the steps, and notes each CSR write of a CPU before it happens. */
function* noting<T>(control: RunControl, cpu: Cpu, out: HistoryEntry[], steps: Steps<T>): Steps<T> {
  const stop = cpu.observe({ csrWrite: (c: Cpu, w: CsrWriting) => note(control, c, w, out) });
  try {
    return yield* steps;
  } finally {
    stop();
  }
}

function note(control: RunControl, cpu: Cpu, w: CsrWriting, out: HistoryEntry[]): boolean {
  const { bank, num } = w;
  // Nothing is written where no register is.
  if (num >= CSR_LIMIT || isHidden(cpu.features, num)) return false;
  const { world, pc } = cpu;
  const old = (bank === 'guest' ? cpu.guest : cpu.host).get(num);
  const { mask, value } = writtenValue(w);
  out.push({ kind: 'csr', at: control.position(), world, pc, bank, num, old, value: (old & ~mask) | value });
  return false;
}

function* stretch(control: RunControl, cpu: Cpu, first: number, now: number): Steps<HistoryEntry[]> {
  const out: HistoryEntry[] = [];
  let before: { pc: bigint; world: number; at: number; events: number } | undefined;
  /** Adds the entries of the instruction that began at `before`. */
  const settle = (): void => {
    if (!before) return;
    const { pc, world, at } = before;
    const fresh = cpu.events.total - before.events;
    for (let back = fresh - 1; back >= 0; back--) {
      const record = cpu.events.at(back);
      if (record) out.push({ kind: 'event', at, world, pc, record });
    }
    if (fresh === 0 && cpu.world === world && cpu.pc !== pc + 4n && cpu.pc !== pc)
      out.push({ kind: 'branch', at, world, pc, to: cpu.pc });
  };
  yield* control.replayer.going(first);
  const replay = control.replayer.replayingEach(cpu, first, now, (c) => {
    if (before) settle();
    before = c === cpu ? { pc: c.pc, world: c.world, at: control.history.position, events: c.events.total } : undefined;
  });
  yield* noting(control, cpu, out, replay);
  settle();
  return out;
}

/** An entry as a line. */
export function describeEntry(m: HistoryEntry, name: Symbolizer): string {
  const at = (pc: bigint): string => {
    const symbol = name(m.world, pc);
    return symbol ? `${hex(pc)} <${symbol}>` : hex(pc);
  };
  switch (m.kind) {
    case 'event':
      return describeEvent(m.record, name);
    case 'branch':
      return `{${m.at}} ${at(m.pc)} -> ${at(m.to)}`;
    case 'csr': {
      const csr = `${m.bank === 'guest' ? 'g_' : ''}${csrByNumber(m.num)?.name.toLowerCase() ?? hex(m.num)}`;
      return `{${m.at}} ${at(m.pc)}: ${csr} ${hex(m.old)} -> ${hex(m.value)}`;
    }
  }
}
