/** `monitor catch …`, `watch …`, `info catches`, `delete catch`: the events that stop the machine. */
import type { Scope, WatchKind, WatchSpace } from '../../emu/debug/breakpoints.ts';
import { type Catch, type CatchKind, parseCsr, parseEcode } from '../../emu/debug/catches.ts';
import { parseNumber } from '../../emu/debug/decode-number.ts';
import type { Target } from '../target.ts';
import { MOST_TOLD, telling } from '../told-lines.ts';
import { type Command, lines, parseRange, parseRegister, parseWorld, splitWorld, takeOption } from './command.ts';

type Filters = {
  -readonly [K in 'plv' | 'range' | 'hypercall' | 'csr' | 'value' | 'irq']?: NonNullable<Catch[K]>;
};

function number(text: string, most: number): number {
  const n = Number(parseNumber(text));
  if (n > most) throw new Error(`'${text}' is too large: at most ${most}`);
  return n;
}

/** `== VALUE` or `& MASK == VALUE` behind a CSR name. */
function takeValue(rest: string[]): Catch['value'] | undefined {
  const [op] = rest;
  if (op === '==' && rest[1] !== undefined) {
    const value = parseNumber(rest[1]);
    rest.splice(0, 2);
    return { mask: (1n << 64n) - 1n, value };
  }
  if (op === '&' && rest[2] === '==' && rest[1] !== undefined && rest[3] !== undefined) {
    const [mask, value] = [parseNumber(rest[1]), parseNumber(rest[3])];
    rest.splice(0, 4);
    return { mask, value };
  }
  return undefined;
}

/** `if REGISTER OP VALUE` at the end: a condition on a general register of the CPU at the event. */
function takeCondition(rest: string[]): Catch['when'] {
  const at = rest.indexOf('if');
  if (at < 0) return undefined;
  const [, name = '', operator = '', value, more] = rest.splice(at);
  const register = parseRegister(name);
  const compare = OPERATORS[operator];
  if (register === undefined || !compare || value === undefined || more !== undefined)
    throw new Error(
      `'if' takes a general register, an operator and a value, as 'if a0 == 5': one of ${Object.keys(OPERATORS).join(' ')}`,
    );
  const wanted = parseNumber(value);
  return (cpu) => compare(cpu.gpr(register), wanted);
}

/**
 * Adds a catch; `words` are what the user typed behind its kind.
 * @param log it tells, and does not stop
 */
function addCatch(s: Target, kind: CatchKind, words: readonly string[], log = false): string {
  const { rest, world } = splitWorld(s, words);
  const when = takeCondition(rest);
  const text = [kind, ...words].join(' ');
  const filters: Filters = {};
  let ecodes: ReadonlySet<number> = new Set();
  switch (kind) {
    case 'vmexit':
    case 'exception': {
      const plv = takeOption(rest, 'plv');
      if (plv !== undefined) filters.plv = number(plv, 3);
      const gpa = takeOption(rest, 'gpa');
      if (gpa !== undefined) filters.range = parseRange(gpa);
      const hypercall = takeOption(rest, 'hypercall');
      if (hypercall !== undefined) filters.hypercall = number(hypercall, 0x7fff);
      ecodes = new Set(rest.splice(0).map(parseEcode));
      break;
    }
    case 'csr-write': {
      const name = rest.shift();
      if (name === undefined) throw new Error('a CSR name expected (g_NAME for the guest bank)');
      filters.csr = parseCsr(name);
      const value = takeValue(rest);
      if (value) filters.value = value;
      break;
    }
    case 'tlb-fill':
    case 'tlb-invalidate': {
      const address = rest.shift();
      if (address !== undefined) filters.range = parseRange(address);
      break;
    }
    case 'interrupt':
    case 'inject': {
      const line = rest.shift();
      if (line !== undefined) filters.irq = number(line, 14);
      break;
    }
    default:
      break;
  }
  if (rest.length) throw new Error(`'${rest.join(' ')}' means nothing here`);
  const added = s.control.catches.add({
    kind,
    ecodes,
    world,
    text: log ? `log ${text}` : text,
    ...filters,
    ...(when && { when }),
    ...(log && { log: telling(s) }),
  });
  return `${log ? 'log' : 'catch'} ${added.id}: ${text}\n`;
}

const KINDS: Readonly<Record<string, WatchKind>> = { r: 'read', w: 'write', rw: 'access' };
const OPERATORS: Readonly<Record<string, (a: bigint, b: bigint) => boolean>> = {
  '==': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '>': (a, b) => a > b,
  '&': (a, b) => (a & b) !== 0n,
};

/** `ADDRESS [SIZE] [r|w|rw] [if OP VALUE]` as a watchpoint of a space. */
function addWatch(s: Target, space: WatchSpace, scope: Scope, words: readonly string[], text: string): string {
  const rest = [...words];
  const at = rest.indexOf('if');
  const condition = at < 0 ? [] : rest.splice(at).slice(1);
  const kindAt = rest.findIndex((w) => w in KINDS);
  const kind = kindAt < 0 ? 'write' : KINDS[rest.splice(kindAt, 1)[0]!]!;
  const [address, size, more] = rest;
  if (address === undefined) throw new Error('an address expected');
  if (more !== undefined) throw new Error(`'${more}' means nothing here`);
  const length = size === undefined ? 8 : number(size, 0x100000);
  if (length === 0) throw new Error('the size must be 1 or more');
  let when: ((value: bigint) => boolean) | undefined;
  if (at >= 0) {
    const operator = OPERATORS[condition[0] ?? ''];
    if (!operator || condition.length !== 2)
      throw new Error(`'if' takes an operator and a value: one of ${Object.keys(OPERATORS).join(' ')}`);
    const wanted = parseNumber(condition[1]!);
    when = (value) => operator(value, wanted);
  }
  const id = s.control.catches.takeId();
  s.control.comparators.insertWatch({
    owner: s,
    scope,
    space,
    address: parseNumber(address),
    length,
    kind,
    ...(when && { when }),
    listed: { id, text },
  });
  return `watch ${id}: ${text}\n`;
}

function listCatches(s: Target): string {
  const catches = s.control.catches
    .all()
    .map((c) => `${c.id}: ${c.log ? '' : 'catch '}${c.text}${c.hits ? ` (${c.hits} hits)` : ''}`);
  const watches = s.control.comparators.listedWatches().map((w) => `${w.listed!.id}: watch ${w.listed!.text}`);
  const all = [...catches, ...watches];
  return all.length ? lines(all) : 'no catches\n';
}

const row = (kind: CatchKind, args: string, help: string): Command => ({
  name: `catch ${kind}`,
  args: `${args} [if REGISTER OP VALUE]`.trim(),
  help,
  run: (s, a) => addCatch(s, kind, a),
});

const LOGGED: readonly CatchKind[] = [
  ...(['vmexit', 'exception', 'ertn', 'first-entry', 'csr-write'] as const),
  ...(['tlb-fill', 'tlb-invalidate', 'interrupt', 'inject'] as const),
];

/** `log EVENT …`: what `catch EVENT …` stops at, told without a stop. */
function log(s: Target, [event, ...words]: readonly string[]): string {
  const kind = LOGGED.find((k) => k === event);
  if (!kind) throw new Error(`one of ${LOGGED.join(', ')} expected`);
  return addCatch(s, kind, words, true);
}

export const CATCH_COMMANDS: readonly Command[] = [
  row('vmexit', '[CAUSE…] [in VM] [gpa LO[-HI]] [hypercall CODE] [plv N]', 'stop at the vector after a VM exit'),
  row('exception', '[NAME…] [in host|VM] [plv N]', 'stop at the vector after an exception'),
  row('ertn', '[in VM]', "stop at a guest's first instruction after a VM entry"),
  row('first-entry', '[in VM]', 'stop when a guest is entered for the first time'),
  row('csr-write', 'NAME [== VALUE|& MASK == VALUE] [in host|VM]', 'stop before a write of a CSR (g_NAME: guest bank)'),
  row('tlb-fill', '[LO[-HI]] [in host|VM]', 'stop after an entry has been written into a TLB'),
  row('tlb-invalidate', '[LO[-HI]] [in host|VM]', 'stop after TLB entries have been invalidated'),
  row('interrupt', '[LINE] [in host|VM]', 'stop at the vector after an interrupt has been taken'),
  row('inject', '[LINE] [in VM]', 'stop before the host makes an interrupt pending in the guest bank'),
  {
    name: 'log',
    args: 'EVENT …',
    help: `what 'catch EVENT …' stops at is told without a stop; after ${MOST_TOLD} lines the machine stops`,
    run: log,
  },
  { name: 'info catches', args: '', help: 'catches and watches set', run: listCatches },
  {
    name: 'delete catch',
    args: 'N',
    help: 'forget a catch or a watch',
    run: (s, a) => {
      const n = Number(a[0]);
      if (!s.control.catches.delete(n) && !s.control.comparators.removeWatch((w) => w.listed?.id === n))
        throw new Error(`no catch ${a[0] ?? ''}: see 'info catches'`);
      return `deleted catch ${n}\n`;
    },
  },
  {
    name: 'watch phys',
    args: 'ADDRESS [SIZE] [r|w|rw] [if OP VALUE]',
    help: 'stop before accesses to physical memory, from every world',
    run: (s, a) => addWatch(s, 'physical', 'any', a, `phys ${a.join(' ')}`),
  },
  {
    name: 'watch gpa',
    args: 'VM ADDRESS [SIZE] [r|w|rw] [if OP VALUE]',
    help: "stop before a guest's accesses to its physical memory",
    run: (s, a) => {
      if (a[0] === undefined) throw new Error("a VM's number expected");
      return addWatch(s, 'gpa', parseWorld(s, a[0]), a.slice(1), `gpa ${a.join(' ')}`);
    },
  },
  {
    name: 'watch virt',
    args: 'ADDRESS [SIZE] [r|w|rw] [in host|VM] [if OP VALUE]',
    help: "stop before accesses to virtual memory of the selected thread's world, or another",
    run: (s, a) => {
      const { rest, world } = splitWorld(s, a);
      const scope = world === 'any' ? s.scope : world < 0 ? 'host' : world;
      return addWatch(s, 'virtual', scope, rest, `virt ${a.join(' ')}`);
    },
  },
];
