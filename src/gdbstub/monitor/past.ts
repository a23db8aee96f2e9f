/** `monitor when` and `monitor count`: questions to the past that need no stepping. */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { inScope, type Scope, type WatchSpace } from '../../emu/debug/breakpoints.ts';
import { parseCsr } from '../../emu/debug/catches.ts';
import { runningContext } from '../../emu/debug/context.ts';
import { readVirtual } from '../../emu/debug/debug-memory.ts';
import { parseNumber } from '../../emu/debug/decode-number.ts';
import { comparing, type Difference } from '../../emu/debug/past-difference.ts';
import { counting, type Found, findingChange, findingLast, type Wanted } from '../../emu/debug/past-search.ts';
import { hex } from '../../emu/formats/hex.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';
import { type Command, lines, parseRegister, parseWorld, splitWorld, takeOption } from './command.ts';
import { replayed } from './replayed.ts';

/** Bytes that a question about memory looks at, unless it says otherwise, and at most. */
const WORD = 8;
const MOST_BYTES = 0x100000;
/** Most bytes whose values are told. */
const MOST_SHOWN = 16;

/** What a question is about, and how its value is read now. */
interface Subject {
  readonly wanted: Wanted | undefined;
  /** The value, as the CPU that wrote it sees it; undefined: it cannot be read now, or there is none. */
  readonly value: ((cpu: Cpu) => string | undefined) | undefined;
  /** Of a general register: its number. */
  readonly register?: number;
}

const bytesText = (bytes: Uint8Array | undefined): string | undefined => {
  if (!bytes?.length || bytes.length > MOST_SHOWN) return undefined;
  return hex([...bytes].reduceRight((sum, b) => (sum << 8n) | BigInt(b), 0n));
};

function size(word: string | undefined): number {
  const n = word === undefined ? WORD : Number(parseNumber(word));
  if (n < 1 || n > MOST_BYTES) throw new Error(`'${word}' is no size: use 1 to ${hex(MOST_BYTES)}`);
  return n;
}

/** `phys ADDRESS [SIZE]`, `gpa VM ADDRESS [SIZE]`, `ADDRESS [SIZE]`, a CSR or a general register. */
function written(s: Target, words: readonly string[], scope: Scope): Subject {
  const memory = (
    space: WatchSpace,
    where: Scope,
    [address, length]: readonly string[],
    read: (cpu: Cpu, at: bigint, n: number) => Uint8Array | undefined,
  ): Subject => {
    if (address === undefined) throw new Error('an address expected');
    const [at, n] = [parseNumber(address), size(length)];
    return {
      wanted: { kind: 'watch', watch: { scope: where, space, address: at, length: n, kind: 'write' } },
      value: (cpu) => bytesText(read(cpu, at, n)),
    };
  };
  const [first, ...rest] = words;
  if (first === undefined) throw new Error('an address, a CSR or a register expected');
  const { machine, vcpuStates } = s.control;
  if (first === 'phys') return memory('physical', 'any', rest, (_cpu, at, n) => machine.ram.read(Number(at), n));
  if (first === 'gpa') {
    if (rest[0] === undefined) throw new Error("a VM's number expected");
    return memory('gpa', parseWorld(s, rest[0]), rest.slice(1), () => undefined);
  }
  if (/^\d/.test(first))
    return memory('virtual', scope, words, (cpu, at, n) =>
      readVirtual(machine, runningContext(cpu, vcpuStates), at, n),
    );
  const register = parseRegister(first);
  if (register !== undefined && rest.length === 0)
    return { wanted: undefined, value: (cpu) => hex(cpu.gpr(register)), register };
  const { num, bank: named } = parseCsr(first);
  // A VM has its own bank alone, with or without the prefix.
  const bank = typeof scope === 'number' ? 'guest' : named;
  const watch = {
    scope,
    space: bank === 'host' ? 'csr' : 'gcsr',
    address: BigInt(8 * num),
    length: 8,
    kind: 'write',
  } as const;
  return {
    wanted: { kind: 'watch', watch },
    value: (cpu) => hex((bank === 'host' ? cpu.host : cpu.guest).get(num)),
  };
}

function executed([address, more]: readonly string[], scope: Scope): Subject {
  if (address === undefined || more !== undefined) throw new Error('one address expected');
  const va = parseNumber(address);
  if (va & 3n) throw new Error(`${hex(va)} is no address of an instruction: a multiple of 4 expected`);
  return { wanted: { kind: 'breakpoint', breakpoint: { scope, va, hardware: false } }, value: undefined };
}

/** `write …` or `exec …`, with `in WORLD`. */
function subject(s: Target, args: readonly string[]): Subject {
  const [verb, ...words] = args;
  const { rest, world } = splitWorld(s, words);
  const scope: Scope = world === 'any' ? s.scope : world < 0 ? 'host' : world;
  if (verb === 'write') return written(s, rest, scope);
  if (verb === 'exec') return executed(rest, scope);
  throw new Error("'write' or 'exec' expected");
}

/** The present, in a question to the past. @throws Error when nothing is kept */
function present(s: Target): number {
  const { history } = s.control;
  if (!history.enabled) throw new Error("the past is not kept: 'monitor reverse on'");
  return history.position;
}

/** One line about an instruction, with the value before and after it. */
function* described(s: Target, { at, cpu }: Found, value: Subject['value']): Steps<string> {
  const { replayer } = s.control;
  yield* replayer.going(at);
  const { pc, world } = cpu;
  const name = s.symbolize(world, pc);
  const before = value?.(cpu);
  yield* replayer.going(at + 1);
  const after = value?.(cpu);
  const values = before === undefined || after === undefined ? '' : `: ${before} -> ${after}`;
  const where = world < 0 ? 'the host' : `VM ${world}`;
  return `{${at}} cpu${cpu.index} in ${where} at ${hex(pc)}${name === undefined ? '' : ` <${name}>`}${values}\n`;
}

function when(s: Target, args: readonly string[]): Steps<string> {
  const { control } = s;
  const { wanted, value, register } = subject(s, args);
  const from = present(s);
  const { cpu } = s.current;
  const { world } = s.context;
  function* work(): Steps<string> {
    const found = wanted
      ? yield* findingLast(control, wanted, from)
      : yield* findingChange(
          control,
          cpu,
          () => (inScope(world < 0 ? 'host' : world, cpu.world) ? cpu.gpr(register!) : undefined),
          from,
        );
    const text = found
      ? yield* described(s, found, value)
      : `not since instruction ${control.history.beginning}, as far as this is kept\n`;
    yield* control.replayer.going(from);
    return found ? `${text}'monitor goto ${found.at}' goes there\n` : text;
  }
  return replayed(s, work());
}

/** An instruction count behind a word. */
function position(args: string[], key: string, otherwise: number): number {
  const word = takeOption(args, key);
  if (word === undefined) return otherwise;
  if (!/^\d{1,15}$/.test(word)) throw new Error(`'${word}' is no instruction count`);
  return Number(word);
}

function count(s: Target, args: readonly string[]): Steps<string> {
  const { control } = s;
  const now = present(s);
  const rest = [...args];
  const first = Math.max(position(rest, 'from', 0), control.history.beginning);
  const last = Math.min(position(rest, 'to', now), control.history.end);
  if (last < first) throw new Error(`instructions ${first} to ${last} are none`);
  const { wanted } = subject(s, rest);
  if (!wanted) throw new Error('writes of general registers are not counted: use an address or a CSR');
  function* work(): Steps<string> {
    const n = yield* counting(control, wanted!, first, last);
    yield* control.replayer.going(now);
    return `${n} times from instruction ${first} to ${last}\n`;
  }
  return replayed(s, work());
}

/** Most changes of memory in an answer, and most bytes of each. */
const MOST_CHANGES = 100;
const MOST_CHANGED = 32;

const hexBytes = (bytes: Uint8Array): string =>
  `${[...bytes.subarray(0, MOST_CHANGED)].map((b) => b.toString(16).padStart(2, '0')).join('')}${bytes.length > MOST_CHANGED ? '…' : ''}`;

function difference({ registers, memory, pages }: Difference): string[] {
  const rest = memory.length - MOST_CHANGES;
  return [
    ...registers.map((r) => `cpu${r.cpu} ${r.name.padEnd(12)} ${hex(r.before)} -> ${hex(r.after)}`),
    ...memory
      .slice(0, MOST_CHANGES)
      .map((m) => `${hex(m.pa)} ${m.before.length} bytes: ${hexBytes(m.before)} -> ${hexBytes(m.after)}`),
    ...(rest > 0 ? [`… and ${rest} more places`] : []),
    `${registers.length} registers and ${pages} pages of memory differ`,
  ];
}

function diff(s: Target, args: readonly string[]): Steps<string> {
  const { control } = s;
  const { history } = control;
  const now = present(s);
  if (args.length !== 2 || !args.every((a) => /^\d{1,15}$/.test(a))) throw new Error('two instruction counts expected');
  const [first, second] = args.map(Number) as [number, number];
  for (const n of [first, second])
    if (n < history.beginning || n > history.end)
      throw new Error(`${n} is not kept: use ${history.beginning} to ${history.end}`);
  function* work(): Steps<string> {
    const found = yield* comparing(control, first, second);
    yield* control.replayer.going(now);
    return lines(difference(found));
  }
  return replayed(s, work());
}

const SUBJECTS = 'write ADDRESS|phys ADDRESS|gpa VM ADDRESS|CSR';
export const PAST_COMMANDS: readonly Command[] = [
  {
    name: 'when',
    args: `${SUBJECTS}|REGISTER [SIZE], or exec ADDRESS; [in host|VM]`,
    help: 'the instruction that wrote or executed it last, with the value before and after',
    run: when,
  },
  {
    name: 'count',
    args: `${SUBJECTS} [SIZE], or exec ADDRESS; [in host|VM] [from N] [to M]`,
    help: 'how often that was done, in all of the past that is kept or between two instruction counts',
    run: count,
  },
  {
    name: 'diff',
    args: 'N M',
    help: 'what differs between two instruction counts: registers and CSRs of each CPU, physical memory',
    run: diff,
  },
];
