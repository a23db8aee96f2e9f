/** `monitor history`, `reverse`, `goto`: the history of the machine. */

import { describeGroup, lastEvents } from '../../emu/debug/event-history.ts';
import { describeEntry, type HistoryEntry, listingHistory } from '../../emu/debug/history-list.ts';
import { findingMoment } from '../../emu/debug/moment-search.ts';
import { parseSought, type Sought, soughtText } from '../../emu/debug/sought-moments.ts';
import { sizeOf } from '../../emu/formats/size.ts';
import { LEAST_HISTORY } from '../../emu/replay/history.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';
import { type Command, lines, STALE } from './command.ts';
import { replayed } from './replayed.ts';

const KINDS = ['events', 'branches', 'csr', 'all'] as const;
type Kind = (typeof KINDS)[number];
const ENTRY_KINDS: Readonly<Partial<Record<Kind, HistoryEntry['kind']>>> = { branches: 'branch', csr: 'csr' };

/** The last events, from the ring that is always kept. */
function* events(s: Target, count: number): Steps<string> {
  const groups = yield* lastEvents(s.control, s.current.cpu, count);
  return list(groups.flatMap((g) => describeGroup(g, s.symbolize)));
}

/** Most entries that one command lists. */
const MOST_ENTRIES = 10_000;

function history(s: Target, args: readonly string[]): string | Steps<string> {
  let count = 20;
  let kind: Kind = 'events';
  for (const word of args) {
    if ((KINDS as readonly string[]).includes(word)) kind = word as Kind;
    else {
      count = Number(word);
      if (!Number.isInteger(count) || count < 1 || count > MOST_ENTRIES)
        throw new Error(`'${word}': a number from 1 to ${MOST_ENTRIES} or one of ${KINDS.join(', ')} expected`);
    }
  }
  if (kind !== 'events' && !s.control.history.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
  if (kind === 'events') return replayed(s, events(s, count));
  return replayed(s, entries(s, count, ENTRY_KINDS[kind]));
}

const list = (out: readonly string[]): string => (out.length ? lines(out) : 'nothing has happened yet\n');

function* entries(s: Target, count: number, kind: HistoryEntry['kind'] | undefined): Steps<string> {
  const found = yield* listingHistory(s.control, s.current.cpu, count, kind);
  return list(found.map((m) => describeEntry(m, s.symbolize)));
}

/** Goes to a moment by what happens there. Where there is none, the machine goes back to where it was. */
function* goToSought(s: Target, moment: Sought): Steps<string> {
  const { control } = s;
  const from = control.history.position;
  const found = yield* findingMoment(control, moment);
  if (found !== undefined) return yield* goTo(s, found);
  yield* control.replayer.going(from);
  const { beginning, end } = control.history;
  return `${soughtText(moment)}: not from instruction ${beginning} to ${end}, as far as this is kept\n`;
}

function* goTo(s: Target, n: number): Steps<string> {
  return `at instruction ${yield* s.control.replayer.going(n)}\n${STALE}`;
}

function reverse(s: Target, args: readonly string[]): string {
  const history = s.control.history;
  const size = args.length === 1 ? sizeOf(args[0]!) : undefined;
  if (size !== undefined) {
    if (size < LEAST_HISTORY) throw new Error(`'${args[0]}' is too little: use 16M or more`);
    history.budget = size;
  } else if (args.length) {
    if (args[0] !== 'on' && args[0] !== 'off') throw new Error("'on', 'off' or a size, as 512M, expected");
    const on = args[0] === 'on';
    if (on && !history.possible) throw new Error('runs in real time do not repeat: use --clock virtual');
    history.enable(on);
  }
  if (!history.enabled) return 'reverse is off: nothing of the past is kept\n';
  const { positions, work, bytes } = history.copies;
  const recorded = history.fixed ? `, recorded to instruction ${history.end}` : '';
  const mib = (n: number): string => (n / 2 ** 20).toFixed(0);
  return `reverse is on: instructions ${history.beginning} to ${history.position} can be gone back to${recorded}, ${positions.length} copies, ${mib(bytes)} of ${mib(history.budget)} MiB; at most ${Math.round(Math.max(0, ...work))} ms of running from one to the next\n`;
}

export const HISTORY_COMMANDS: readonly Command[] = [
  {
    name: 'history',
    args: '[N] [events|branches|csr|all]',
    help: 'the last N exceptions and world switches (branches, CSR writes, or all of it), oldest first',
    run: history,
  },
  {
    name: 'reverse',
    args: '[on|off|SIZE]',
    help: 'keep the past, for reverse execution and histories; SIZE: in so much memory, as 512M',
    run: reverse,
  },
  {
    name: 'goto',
    args: 'INSTRUCTION|BOOKMARK|first|last exception|exit|entry [in host|VM N]|console:TEXT',
    help: 'go to an instruction count of the whole machine, to a bookmark, or to what happened',
    run: (s, words) => {
      const where = words.join(' ');
      const { history, bookmarks } = s.control;
      if (!history.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
      if (where === '') throw new Error('an instruction count or a bookmark expected');
      const moment = parseSought(where);
      if (moment) return replayed(s, goToSought(s, moment));
      const n = /^\d{1,15}$/.test(where) ? Number(where) : bookmarks.get(where);
      if (n === undefined) throw new Error(bookmarks.unknown(where));
      return replayed(s, goTo(s, n));
    },
  },
];
