/**
 * Agent expressions: gdb sends conditions and commands of breakpoints as this byte code (gdb manual, appendix "The GDB Agent
 * Expression Mechanism"). A condition is evaluated at the PC of the CPU. One that cannot be evaluated counts as met, so that the
 * user sees the stop.
 */
import { fromHex } from './framing.ts';

/** The registers and the memory that an expression can read. */
export interface Operands {
  /** A register by gdb's number; undefined when there is none. */
  register(num: number): bigint | undefined;
  /** `size` bytes at an address, little-endian; undefined when it cannot be read. */
  memory(address: bigint, size: number): bigint | undefined;
  /** Prints values by a format of C. Without it, an expression that prints cannot be evaluated. @returns whether that was possible */
  print?(format: string, values: readonly bigint[]): boolean;
}

/** Most operations at a hit, for all conditions of a breakpoint together. */
export const MOST_OPERATIONS = 10_000;
/** Most expressions of one breakpoint. */
const MOST_CONDITIONS = 64;

/** Operations that are left for all evaluations together, and operations done so far. */
export interface Allowance {
  left: number;
}
const MOST_STACK = 256;

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const s64 = (v: bigint): bigint => BigInt.asIntN(64, v);
const flag = (v: boolean): bigint => (v ? 1n : 0n);

/** Binary operations by code: (below, top) → result. Division by zero has none. */
const BINARY: Readonly<Record<number, (a: bigint, b: bigint) => bigint | undefined>> = {
  2: (a, b) => a + b,
  3: (a, b) => a - b,
  4: (a, b) => a * b,
  5: (a, b) => (b === 0n ? undefined : s64(a) / s64(b)),
  6: (a, b) => (b === 0n ? undefined : a / b),
  7: (a, b) => (b === 0n ? undefined : s64(a) % s64(b)),
  8: (a, b) => (b === 0n ? undefined : a % b),
  9: (a, b) => (b > 63n ? 0n : a << b),
  10: (a, b) => s64(a) >> (b > 63n ? 63n : b),
  11: (a, b) => (b > 63n ? 0n : a >> b),
  15: (a, b) => a & b,
  16: (a, b) => a | b,
  17: (a, b) => a ^ b,
  19: (a, b) => flag(a === b),
  20: (a, b) => flag(s64(a) < s64(b)),
  21: (a, b) => flag(a < b),
};
const REF_BYTES: Readonly<Record<number, number>> = { 23: 1, 24: 2, 25: 4, 26: 8 };
const CONST_BYTES: Readonly<Record<number, number>> = { 34: 1, 35: 2, 36: 4, 37: 8 };

const OP = {
  logNot: 14,
  bitNot: 18,
  ext: 22,
  ifGoto: 32,
  goto: 33,
  reg: 38,
  end: 39,
  dup: 40,
  pop: 41,
  zeroExt: 42,
  swap: 43,
  pick: 50,
  rot: 51,
  printf: 52,
} as const;

/**
 * The value of an expression.
 * @param allowance it is reduced by the operations done
 * @returns undefined when it cannot be evaluated: unknown operation, unreadable memory, division by zero, too many operations
 */
export function evaluate(
  code: Uint8Array,
  o: Operands,
  allowance: Allowance = { left: MOST_OPERATIONS },
): bigint | undefined {
  const stack: bigint[] = [];
  let at = 0;
  const number = (bytes: number): number => {
    let v = 0;
    for (let k = 0; k < bytes; k++) v = v * 256 + (code[at++] ?? 0);
    return v;
  };
  const long = (bytes: number): bigint => {
    let v = 0n;
    for (let k = 0; k < bytes; k++) v = (v << 8n) | BigInt(code[at++] ?? 0);
    return v;
  };
  while (allowance.left-- > 0 && at < code.length && stack.length < MOST_STACK) {
    const op = code[at++]!;
    if (op === OP.end) return stack.at(-1);
    const binary = BINARY[op];
    if (binary) {
      const [b, a] = [stack.pop(), stack.pop()];
      const v = a === undefined || b === undefined ? undefined : binary(a, b);
      if (v === undefined) return undefined;
      stack.push(u64(v));
      continue;
    }
    if (op in CONST_BYTES) {
      stack.push(long(CONST_BYTES[op]!));
      continue;
    }
    if (op in REF_BYTES) {
      const address = stack.pop();
      const v = address === undefined ? undefined : o.memory(address, REF_BYTES[op]!);
      if (v === undefined) return undefined;
      stack.push(v);
      continue;
    }
    switch (op) {
      case OP.reg: {
        const v = o.register(number(2));
        if (v === undefined) return undefined;
        stack.push(u64(v));
        break;
      }
      case OP.goto:
        at = number(2);
        break;
      case OP.ifGoto: {
        const target = number(2);
        const v = stack.pop();
        if (v === undefined) return undefined;
        if (v !== 0n) at = target;
        break;
      }
      case OP.dup:
      case OP.pick: {
        const v = stack.at(-1 - (op === OP.pick ? number(1) : 0));
        if (v === undefined) return undefined;
        stack.push(v);
        break;
      }
      case OP.swap:
      case OP.rot: {
        const top = stack.splice(op === OP.swap ? -2 : -3);
        if (top.length < (op === OP.swap ? 2 : 3)) return undefined;
        // rot: a b c becomes c a b.
        stack.push(top.at(-1)!, ...top.slice(0, -1));
        break;
      }
      case OP.printf: {
        const count = number(1);
        const text = code.subarray(at + 2, at + 2 + number(2));
        at += text.length;
        // Function and channel are gdb's own; below them the values, the first one on top.
        const values = stack
          .splice(-2 - count)
          .reverse()
          .slice(2);
        if (values.length < count || text.at(-1) !== 0) return undefined;
        if (!o.print?.(new TextDecoder('latin1').decode(text.subarray(0, -1)), values)) return undefined;
        stack.push(0n);
        break;
      }
      default: {
        const v = stack.pop();
        if (v === undefined) return undefined;
        if (op === OP.logNot) stack.push(flag(v === 0n));
        else if (op === OP.bitNot) stack.push(u64(~v));
        else if (op === OP.ext) stack.push(u64(BigInt.asIntN(number(1), v)));
        else if (op === OP.zeroExt) stack.push(BigInt.asUintN(number(1), v));
        else if (op !== OP.pop) return undefined;
      }
    }
  }
  return undefined;
}

/** What a Z packet has behind its kind: conditions, and commands that are done in the place of a stop. */
export interface BreakpointCode {
  readonly conditions: readonly Uint8Array[];
  readonly commands: readonly Uint8Array[];
}

/**
 * `;X len,code X len,code … ;cmds:PERSIST,X len,code …`: pairs follow each other with or without a semicolon, in gdb's order.
 * @returns undefined when they are malformed, or too many
 */
export function parseBreakpointCode(text: string): BreakpointCode | undefined {
  const [, before, commands] = /^([\s\S]*?)(?:;cmds:[0-9a-f]+,([\s\S]*))?$/i.exec(text)!;
  const both = [before!, commands ?? ''].map(expressions);
  return both[0] && both[1] && { conditions: both[0], commands: both[1] };
}

function expressions(text: string): Uint8Array[] | undefined {
  const out: Uint8Array[] = [];
  const pattern = /;?X([0-9a-f]+),([0-9a-f]*)/giy;
  while (pattern.lastIndex < text.length) {
    const m = pattern.exec(text);
    if (out.length === MOST_CONDITIONS) return undefined;
    const code = m && fromHex(m[2]!);
    if (!code || code.length === 0 || code.length !== Number.parseInt(m[1]!, 16)) return undefined;
    out.push(code);
  }
  return out;
}
