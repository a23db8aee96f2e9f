/** The form of `monitor` commands, and arguments that several of them have. */

import { parseNumber } from '../../emu/debug/decode-number.ts';
import { hex } from '../../emu/formats/hex.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';

export interface Command {
  /** Words that start the command. */
  readonly name: string;
  readonly args: string;
  readonly help: string;
  /** @throws Error naming what is wrong with the arguments */
  run(s: Target, args: readonly string[]): string | Steps<string>;
}

/** Follows an answer after which the registers are others. gdb keeps those of the stop, and some of its steps abort it then. */
export const STALE = "gdb still has the registers from before: type 'maint flush register-cache'\n";

export const lines = (list: readonly string[]): string => `${list.join('\n')}\n`;

/** `host`, a VM by its number (`1`, or `1.0` with a vCPU number), or by a GID that it has (`gid:1`). */
export function parseWorld(s: Target, word: string): number {
  if (word === 'host') return -1;
  const m = /^(gid:)?(\d+)(?:\.\d+)?$/.exec(word);
  const n = m ? Number(m[2]) : Number.NaN;
  if (!(n >= 1 && n <= MOST_VM)) throw new Error(`'${word}' is no world: use host, the number of a VM, or gid:N`);
  if (!m![1]) return n;
  const vm = s.control.vcpuStates.vms.byGid(n);
  if (!vm) throw new Error(`no VM has had GID ${n} so far: see 'monitor info vms'`);
  return vm.number;
}

/** For a VM that has never been entered: says so, and which there are. */
export function notYet(s: Target, vm: number): Error {
  const list = s.control.vcpuStates.vms.all().map((v) => v.number);
  const there =
    list.length === 0 ? 'none has' : `VM ${list.slice(0, 8).join(', ')}${list.length > 8 ? ' and more' : ''} has`;
  return new Error(`VM ${vm} has not run yet: ${there} ('monitor info vms')`);
}

/** The largest number of a VM that is accepted: it need not exist yet. */
const MOST_VM = 9999;

/** Splits `… in WORLD` out of arguments. A VM may be said as `1` or as `VM 1`, as in messages. */
export function splitWorld(s: Target, args: readonly string[]): { rest: string[]; world: number | 'any' } {
  const at = args.indexOf('in');
  if (at < 0) return { rest: [...args], world: 'any' };
  const behind = at + (args[at + 1]?.toUpperCase() === 'VM' ? 2 : 1);
  const word = args[behind];
  if (word === undefined) throw new Error("'in' needs a world: host or the number of a VM");
  return {
    rest: [...args.slice(0, at), ...args.slice(behind + 1)],
    world: word === 'guest' ? 'any' : parseWorld(s, word),
  };
}

/** Takes `KEY VALUE` out of arguments. @returns undefined when the key is not there */
export function takeOption(args: string[], key: string): string | undefined {
  const at = args.indexOf(key);
  if (at < 0) return undefined;
  const value = args[at + 1];
  if (value === undefined) throw new Error(`'${key}' needs a value`);
  args.splice(at, 2);
  return value;
}

/** `LO` or `LO-HI`, both ends included; one address alone means its `size` bytes. */
export function parseRange(text: string, size = 1): { first: bigint; last: bigint } {
  const [lo, hi, more] = text.split('-');
  if (more !== undefined) throw new Error(`'${text}' is no range: write LO-HI`);
  const first = parseNumber(lo!);
  const last = hi === undefined ? first + BigInt(size - 1) : parseNumber(hi);
  if (last < first) throw new Error(`'${text}' is no range: its end is before its start`);
  return { first, last };
}

export const onOff = (word: string | undefined): boolean => {
  if (word !== 'on' && word !== 'off') throw new Error("'on' or 'off' expected");
  return word === 'on';
};

export function symbol(s: Target, world: number, address: bigint): string {
  const name = s.symbolize(world, address);
  return name ? `${hex(address)} <${name}>` : hex(address);
}

/** A row for a switch: `NAME on|off`; without an argument it prints the current value. */
export const toggle = (
  name: string,
  help: string,
  get: (s: Target) => boolean,
  set: (s: Target, on: boolean) => void,
): Command => ({
  name,
  args: '[on|off]',
  help,
  run: (s, a) => {
    if (a.length) set(s, onOff(a[0]));
    return `${name} is ${get(s) ? 'on' : 'off'}\n`;
  },
});

const REGISTERS: readonly string[] = [
  ...['zero', 'ra', 'tp', 'sp', 'a0', 'a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7'],
  ...['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7', 't8', 'r21', 'fp'],
  ...['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8'],
];

/** `$a0`, `a0` or `r4` as the number of a general register; undefined: it is none. */
export function parseRegister(word: string): number | undefined {
  const name = word.replace(/^\$/, '').toLowerCase();
  const numbered = /^r(\d{1,2})$/.exec(name);
  const n = numbered ? Number(numbered[1]) : REGISTERS.indexOf(name);
  return n >= 0 && n < 32 ? n : undefined;
}
