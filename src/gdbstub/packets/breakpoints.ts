/** `Z` and `z`. */
import type { WatchKind } from '../../emu/debug/breakpoints.ts';
import { parseHex } from '../framing.ts';
import type { Session } from '../session.ts';
import type { PacketRow } from './table.ts';

const WATCH: Readonly<Record<string, WatchKind>> = { 2: 'write', 3: 'read', 4: 'access' };

/** Longest watched range; larger ones are a mistake of the client. */
const MAX_WATCH = 0x100000n;

function parse(rest: string): { type: string; address: bigint; kind: bigint } | undefined {
  const m = /^([0-4]),([0-9a-f]+),([0-9a-f]+)(?:;.*)?$/i.exec(rest);
  const address = parseHex(m?.[2]);
  const kind = parseHex(m?.[3]);
  return m && address !== undefined && kind !== undefined ? { type: m[1]!, address, kind } : undefined;
}

function change(s: Session, rest: string, insert: boolean): string {
  const p = parse(rest);
  if (!p) return /^[5-9a-f],/i.test(rest) ? '' : 'E.Z takes TYPE,ADDR,KIND';
  const watch = WATCH[p.type];
  if (!watch) {
    if (p.address & 3n) return 'E.instructions are 4-byte aligned';
    if (insert) s.insertBreakpoint(p.address, p.type === '1');
    else s.removeBreakpoint(p.address, p.type === '1');
    return 'OK';
  }
  if (p.kind === 0n || p.kind > MAX_WATCH) return `E.watched length must be 1 to 0x${MAX_WATCH.toString(16)}`;
  const length = Number(p.kind);
  const scope = s.scope;
  const { comparators } = s.control;
  comparators.removeWatch(
    (w) => w.owner === s && w.va === p.address && w.length === length && w.kind === watch && w.scope === scope,
  );
  if (insert) comparators.insertWatch({ owner: s, scope, va: p.address, length, kind: watch });
  s.control.installHooks();
  return 'OK';
}

export const BREAKPOINT_PACKETS: readonly PacketRow[] = [
  { name: 'Z', handle: (s, rest) => change(s, rest, true) },
  { name: 'z', handle: (s, rest) => change(s, rest, false) },
];
