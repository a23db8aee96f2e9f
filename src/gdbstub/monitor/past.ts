/** `monitor history`, `reverse`, `goto`: what was. */

import { describeEvent } from '../../emu/debug/explain.ts';
import { describeMoment, type Moment, recall } from '../../emu/debug/recall.ts';
import type { Session } from '../session.ts';
import { type Command, lines, onOff } from './command.ts';

const KINDS = ['events', 'branches', 'csr', 'all'] as const;
type Kind = (typeof KINDS)[number];
const MOMENTS: Readonly<Partial<Record<Kind, Moment['kind']>>> = { branches: 'branch', csr: 'csr' };

/** The last events of the ring: they are kept in any case. */
function events(s: Session, count: number): string[] {
  const out: string[] = [];
  for (let back = Math.min(count, 1024) - 1; back >= 0; back--) {
    const r = s.current.cpu.events.at(back);
    if (r) out.push(describeEvent(r, s.symbolize));
  }
  return out;
}

function history(s: Session, args: readonly string[]): string {
  let count = 20;
  let kind: Kind = 'events';
  for (const word of args) {
    if ((KINDS as readonly string[]).includes(word)) kind = word as Kind;
    else {
      count = Number(word);
      if (!Number.isInteger(count) || count < 1)
        throw new Error(`'${word}': a positive number or one of ${KINDS.join(', ')} expected`);
    }
  }
  if (kind !== 'events' && !s.control.history.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
  const out =
    kind === 'events'
      ? events(s, count)
      : recall(s.control, s.current.cpu, count, MOMENTS[kind]).map((m) => describeMoment(m, s.symbolize));
  return out.length ? lines(out) : 'nothing has happened yet\n';
}

function reverse(s: Session, args: readonly string[]): string {
  const past = s.control.history;
  if (args.length) {
    const on = onOff(args[0]);
    if (on && !past.possible) throw new Error('runs on host time do not repeat: use --clock virtual');
    past.enable(on);
  }
  if (!past.enabled) return 'reverse is off: nothing of the past is kept\n';
  const { positions, bytes } = past.copies;
  return `reverse is on: instructions ${past.beginning} to ${past.position} can be gone back to, ${positions.length} copies, ${(bytes / 2 ** 20).toFixed(0)} MiB\n`;
}

export const PAST_COMMANDS: readonly Command[] = [
  {
    name: 'history',
    args: '[N] [events|branches|csr|all]',
    help: 'the last N exceptions and world switches (branches, CSR writes, or all of it), oldest first',
    run: history,
  },
  { name: 'reverse', args: '[on|off]', help: 'keep the past, for reverse execution and histories', run: reverse },
  {
    name: 'goto',
    args: 'INSTRUCTION',
    help: "go to a moment by $icount of the whole machine; then 'maint flush register-cache'",
    run: (s, a) => {
      const past = s.control.history;
      if (!past.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
      const n = Number(a[0]);
      if (!Number.isInteger(n) || n < 0) throw new Error('an instruction count expected');
      return `at instruction ${s.control.past.goto(n)}\n`;
    },
  },
];
