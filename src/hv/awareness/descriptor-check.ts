/** The form of a descriptor: finds the first field that is wrong, and says what to do. */
import { csrByName } from '../../emu/cpu/csr-table.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';

export interface Wrong {
  /** Its path, as `contexts.csr.registers[2]`; empty for the whole file. */
  readonly field: string;
  readonly what: string;
  readonly todo: string;
}

type Check = (value: unknown, field: string) => Wrong | undefined;
type Fields = Readonly<Record<string, { readonly check: Check; readonly needed?: boolean }>>;
type Json = Readonly<Record<string, unknown>>;

const isObject = (v: unknown): v is Json => v !== null && typeof v === 'object' && !Array.isArray(v);
const shown = (v: unknown): string => (JSON.stringify(v) ?? 'nothing').slice(0, 60);

const text: Check = (value, field) =>
  typeof value === 'string' && value !== ''
    ? undefined
    : { field, what: `is ${shown(value)}, no text`, todo: 'write a name in quotes' };

const textOf =
  (pattern: RegExp, todo: string): Check =>
  (value, field) =>
    typeof value === 'string' && pattern.test(value) ? undefined : { field, what: `is ${shown(value)}`, todo };

const integer =
  (least: number, most: number): Check =>
  (value, field) =>
    typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most
      ? undefined
      : { field, what: `is ${shown(value)}`, todo: `write a whole number from ${least} to ${most}` };

const list =
  (item: Check, todo: string): Check =>
  (value, field) => {
    if (!Array.isArray(value)) return { field, what: `is ${shown(value)}, no list`, todo };
    for (const [n, v] of value.entries()) {
      const wrong = item(v, `${field}[${n}]`);
      if (wrong) return wrong;
    }
    return undefined;
  };

const NUMBER = '-?(?:0x[0-9a-f]{1,8}|\\d{1,9})';
const MEMBER = '[a-z_]\\w*(?:\\.\\w+)*';
const PLACE = new RegExp(`^(?:${NUMBER}|${MEMBER})(?:->(?:${NUMBER}|${MEMBER}))*$`, 'i');
const MOST_OFFSET = 2 ** 31;

const place: Check = (value, field) => {
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < MOST_OFFSET) return undefined;
  return typeof value === 'string' && PLACE.test(value)
    ? undefined
    : {
        field,
        what: `is ${shown(value)}, no place`,
        todo: 'write an offset as 256 or "0x100", a member as "arch.pc", with \'->\' behind a pointer',
      };
};

/** Names of registers, in the spelling of gdb. */
const registerNamed =
  (kind: 'general' | 'CSR', gap: boolean): Check =>
  (value, field) => {
    if (gap && value === null) return undefined;
    const known =
      typeof value === 'string' &&
      (kind === 'CSR' ? csrByName(value) !== undefined : GPR_NAMES.some((name) => name === value));
    const example = kind === 'CSR' ? '"CRMD"' : '"ra", "a0" or "s8"';
    return known
      ? undefined
      : {
          field,
          what: `is ${shown(value)}, no ${kind} register`,
          todo: `write a name as ${example}${gap ? ', or null for a gap' : ''}`,
        };
  };

/** The first wrong field of an object: one that is missing, one that is unknown, or one with a wrong value. */
function object(value: unknown, path: string, fields: Fields): Wrong | undefined {
  if (!isObject(value)) return { field: path, what: `is ${shown(value)}, no JSON object`, todo: 'write {"…": …}' };
  const at = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of Object.keys(value))
    if (!Object.hasOwn(fields, name))
      return { field: at(name), what: 'is no field', todo: `here are ${Object.keys(fields).join(', ')}` };
  for (const [name, { check, needed }] of Object.entries(fields)) {
    if (!Object.hasOwn(value, name)) {
      if (needed) return { field: at(name), what: 'is missing', todo: 'add it' };
      continue;
    }
    const wrong = check(value[name], at(name));
    if (wrong) return wrong;
  }
  return undefined;
}

const block =
  (kind: 'general' | 'CSR'): Check =>
  (value, field) => {
    if (!isObject(value)) {
      const wrong = place(value, field);
      if (wrong || kind === 'general') return wrong;
      return {
        field,
        what: 'does not say which registers are there',
        todo: 'write {"at": …, "registers": ["CRMD", …]}',
      };
    }
    const names = list(registerNamed(kind, true), 'write the names in the order in which they lie there');
    const wrong = object(value, field, {
      at: { check: place, needed: true },
      registers: { check: (v, f) => (kind === 'CSR' && v === 'header' ? undefined : names(v, f)) },
      numbered: { check: list(registerNamed(kind, false), 'write the names of those that are there') },
      ...(kind === 'general' && { sp: { check: integer(0, 2 ** 20) } }),
    });
    if (wrong) return wrong;
    if ((value.registers === undefined) === (value.numbered === undefined))
      return { field, what: "needs one of 'registers' and 'numbered'", todo: 'name the registers that are there' };
    return undefined;
  };

const LAYOUT: Fields = {
  gpr: { check: block('general'), needed: true },
  pc: { check: place },
  csr: { check: block('CSR') },
  host: { check: block('general') },
  gid: { check: place },
};

const CONTEXTS: Fields = {
  pointer: {
    check: textOf(/^SAVE[0-7]$/, 'write the register that holds the address at an exit, "SAVE0" to "SAVE7"'),
  },
  pointers: { check: text },
  objects: { check: text },
  most: { check: integer(1, 1024) },
  stride: { check: integer(8, 2 ** 24) },
  header: { check: text },
  type: { check: text },
  ...LAYOUT,
  otherwise: { check: (v, f) => object(v, f, { of: { check: text, needed: true }, ...LAYOUT }) },
};

const contexts: Check = (value, field) => {
  const wrong = object(value, field, CONTEXTS);
  if (wrong || !isObject(value)) return wrong;
  const ways = ['pointer', 'pointers', 'objects'].filter((name) => value[name] !== undefined);
  if (ways.length !== 1)
    return {
      field,
      what: `has ${ways.length === 0 ? 'none' : 'more than one'} of 'pointer', 'pointers' and 'objects'`,
      todo: 'say in one way where the contexts are',
    };
  const needs = (name: string, why: string): Wrong | undefined =>
    value[name] === undefined
      ? { field: `${field}.${name}`, what: `is missing for '${ways[0]}'`, todo: why }
      : undefined;
  if (ways[0] !== 'pointer') {
    const most = needs('most', 'write how many there are in the array');
    if (most) return most;
  }
  if (value.header !== undefined && value.type !== undefined)
    return { field, what: "has 'header' and 'type'", todo: 'name the places in one of the two ways' };
  return ways[0] === 'objects' ? needs('stride', 'write how many bytes each of them has') : undefined;
};

const DESCRIPTOR: Fields = {
  name: { check: text, needed: true },
  detect: { check: list(text, 'write the symbols that the image must have') },
  entry: { check: text },
  transition: { check: list(text, 'write the functions that exchange registers'), needed: true },
  contexts: { check: contexts },
  source: { check: text },
};

/** The first thing that is wrong with a descriptor. */
export const checkDescriptor = (data: unknown): Wrong | undefined => object(data, '', DESCRIPTOR);
