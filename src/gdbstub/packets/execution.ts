/** `vCont`, `c`, `C`, `s`, `S`, and for reverse execution `bs`, `bc`. */
import { parseHex } from '../framing.ts';
import type { Target } from '../target.ts';
import { MACHINE_PID, matchesThread, parseThreadPattern, type Thread, type ThreadPattern } from '../threads.ts';
import type { PacketRow } from './table.ts';

/** gdb names each thread at most once. */
const MOST_ACTIONS = 1024;

interface Action {
  readonly step: boolean;
  readonly pattern: ThreadPattern | undefined;
}

/** Actions of a vCont packet, in order; a text on a malformed one. */
function parseActions(rest: string): Action[] | string {
  const out: Action[] = [];
  const parts = rest.split(';', MOST_ACTIONS + 1).filter(Boolean);
  if (parts.length > MOST_ACTIONS) return `E.vCont takes at most ${MOST_ACTIONS} actions`;
  for (const part of parts) {
    const m = /^(c|s|[CS][0-9a-fA-F]{2}|t|r[0-9a-fA-F]+,[0-9a-fA-F]+)(?::(.+))?$/.exec(part);
    if (!m) return `E.vCont action '${part}' is malformed`;
    const pattern = m[2] === undefined ? undefined : parseThreadPattern(m[2]);
    if (m[2] !== undefined && !pattern) return `E.vCont thread '${m[2]}' is malformed`;
    if (m[1] !== 't') out.push({ step: /^[sSr]/.test(m[1]!), pattern });
  }
  return out;
}

/** Resumes the threads: each thread takes the first action that matches it. */
function resume(s: Target, actions: readonly Action[]): string | undefined {
  const first = actions[0];
  if (!first) return 'E.vCont without an action that resumes';
  if (s.control.over) return 'W00';
  if (s.listed().length === 0) return `E.no process is attached: attach ${MACHINE_PID}`;
  const thread = first.pattern ? s.find(first.pattern) : s.firstProcess.currentOf(s.current, s.threads());
  if (!thread) return 'E01';
  const covers = (t: Thread): boolean => actions.some((a) => !a.pattern || matchesThread(a.pattern, t));
  const names = first.pattern !== undefined && first.pattern.tid > 0;
  const single = names && !(s.threads().every(covers) && actions.length > 1);
  s.firstProcess.resumed(thread, s.listed(), first.pattern, actions.length === 1);
  s.resume(thread, { single, exact: first.step, covers });
  return undefined;
}

/** `c`/`s` with an optional address, `C`/`S` with a signal (which has no meaning for a machine). */
function simple(s: Target, rest: string, step: boolean): string | undefined {
  if (rest) {
    const address = parseHex(rest);
    if (address === undefined) return 'E.address expected, in hex';
    if (!s.context.live) return 'E.vCPU is parked: it has no PC to set';
    s.context.cpu.pc = address;
  }
  return resume(s, [{ step, pattern: undefined }]);
}
const afterSignal = (rest: string): string => rest.replace(/^[0-9a-f]+;?/i, '');

export const EXECUTION_PACKETS: readonly PacketRow[] = [
  { name: 'vCont?', supported: ['vContSupported+'], handle: () => 'vCont;c;C;s;S;t;r' },
  { name: 'vCont', handle: () => 'E.vCont takes actions: vCont;c, vCont;s:pPID.TID' },
  {
    name: 'vCont;',
    handle: (s, rest) => {
      const actions = parseActions(rest);
      return typeof actions === 'string' ? actions : resume(s, actions);
    },
  },
  { name: 'bs', supported: ['ReverseStep+'], handle: (s) => s.reverse.step() },
  { name: 'bc', supported: ['ReverseContinue+'], handle: (s) => s.reverse.continue() },
  { name: 'c', handle: (s, rest) => simple(s, rest, false) },
  { name: 's', handle: (s, rest) => simple(s, rest, true) },
  { name: 'C', handle: (s, rest) => simple(s, afterSignal(rest), false) },
  { name: 'S', handle: (s, rest) => simple(s, afterSignal(rest), true) },
];
