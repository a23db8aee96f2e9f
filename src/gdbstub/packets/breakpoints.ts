/** `Z` and `z`. */
import type { WatchKind, Watchpoint } from '../../emu/debug/breakpoints.ts';
import { windowOf } from '../../emu/debug/windows.ts';
import { parseBreakpointCode } from '../agent-expression.ts';
import { parseHex } from '../framing.ts';
import type { Target } from '../target.ts';
import type { PacketRow } from './table.ts';

const WATCH: Readonly<Record<string, WatchKind>> = { 2: 'write', 3: 'read', 4: 'access' };

/** Longest watched range; larger ones are a mistake of the client. */
const MAX_WATCH = 0x100000n;

interface Comparator {
  readonly type: string;
  readonly address: bigint;
  readonly kind: bigint;
  /** Conditions and commands behind the kind. */
  readonly rest: string;
}

function parse(text: string): Comparator | undefined {
  const m = /^([0-4]),([0-9a-f]+),([0-9a-f]+)((?:;.*)?)$/is.exec(text);
  const address = parseHex(m?.[2]);
  const kind = parseHex(m?.[3]);
  return m && address !== undefined && kind !== undefined ? { type: m[1]!, address, kind, rest: m[4]! } : undefined;
}

function changeBreakpoint(s: Target, c: Comparator, insert: boolean): string {
  if (!insert) {
    s.removeBreakpoint(c.address, c.type === '1');
    return 'OK';
  }
  const code = parseBreakpointCode(c.rest);
  if (!code) return 'E.Z takes up to 64 conditions and commands: X LENGTH,CODE with LENGTH bytes in hex';
  s.insertBreakpoint(c.address, c.type === '1', code);
  return 'OK';
}

/**
 * The watchpoint for an address: in the virtual memory of the selected thread, or through a window in another space. A
 * window of CSRs is watched by catching writes.
 */
function watchpoint(s: Target, c: Comparator): Watchpoint | string {
  const kind = WATCH[c.type]!;
  const length = Number(c.kind);
  const base = { owner: s, length, kind, reported: c.address };
  const w = windowOf(s.context, c.address);
  if (!w) return { ...base, scope: s.scope, space: 'virtual', address: c.address };
  switch (w.space) {
    case 'physical':
      return { ...base, scope: 'any', space: 'physical', address: w.address };
    case 'gpa':
      return { ...base, scope: s.guestContext?.world ?? 0, space: 'gpa', address: w.address };
    case 'gva':
      return { ...base, scope: s.guestContext?.world ?? 0, space: 'virtual', address: w.address };
    case 'csr':
    case 'gcsr':
      if (kind === 'read') return 'E.reads of CSRs cannot be watched: use watch';
      return { ...base, scope: 'any', space: w.space, address: w.address };
    case 'tlb':
      return "E.TLB entries cannot be watched: use 'monitor catch tlb-fill'";
  }
}

function changeWatch(s: Target, c: Comparator, insert: boolean): string {
  if (c.kind === 0n || c.kind > MAX_WATCH) return `E.watched length must be 1 to 0x${MAX_WATCH.toString(16)}`;
  const watch = watchpoint(s, c);
  if (typeof watch === 'string') return watch;
  const { comparators } = s.control;
  comparators.removeWatch(
    (w) =>
      w.owner === s &&
      !w.listed &&
      w.reported === c.address &&
      w.length === watch.length &&
      w.kind === watch.kind &&
      w.space === watch.space &&
      // The guest that the window selects may have changed since then.
      (w.scope === watch.scope || watch.space !== 'virtual'),
  );
  if (insert) comparators.insertWatch(watch);
  return 'OK';
}

function change(s: Target, text: string, insert: boolean): string {
  const c = parse(text);
  if (!c) return /^[5-9a-f],/i.test(text) ? '' : 'E.Z takes TYPE,ADDR,KIND';
  return c.type in WATCH ? changeWatch(s, c, insert) : changeBreakpoint(s, c, insert);
}

export const BREAKPOINT_PACKETS: readonly PacketRow[] = [
  {
    name: 'Z',
    supported: ['swbreak+', 'hwbreak+', 'ConditionalBreakpoints+', 'BreakpointCommands+'],
    handle: (s, rest) => change(s, rest, true),
  },
  { name: 'z', handle: (s, rest) => change(s, rest, false) },
];
