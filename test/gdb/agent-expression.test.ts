/** Conditions in gdb's byte code. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluate, parseBreakpointCode } from '../../src/gdbstub/agent-expression.ts';
import { formatted } from '../../src/gdbstub/agent-printf.ts';

const operands = {
  register: (n: number) => (n === 4 ? 0xffff_ffff_ffff_fff0n : n === 5 ? 3n : undefined),
  memory: (address: bigint, size: number) => (address === 0x100n ? (1n << BigInt(8 * size)) - 2n : undefined),
};
const run = (hex: string): bigint | undefined => evaluate(Uint8Array.from(Buffer.from(hex, 'hex')), operands);
const U64 = (1n << 64n) - 1n;
const push = (v: bigint): string => `25${v.toString(16).padStart(16, '0')}`;

describe('agent expressions', () => {
  test.each([
    ['constants', '220527', 5n],
    ['16 bits', '23123427', 0x1234n],
    ['a register', '26000527', 3n],
    ['memory of 8, 16, 32, 64 bits', '23010017230100182301001923010 01a27'.replaceAll(' ', ''), U64 - 1n],
    ['sign extension', '22ff160827', U64],
    ['zero extension', '26000 42a0827'.replaceAll(' ', ''), 0xf0n],
    ['signed comparison of a negative register', '26000422001427', 1n],
    ['unsigned comparison of the same', '26000422001527', 0n],
    ['a jump over a constant', '220120000722092207 27'.replaceAll(' ', ''), 7n],
    ['pick', '2201220222033202 27'.replaceAll(' ', ''), 1n],
    ['rot', '2201220222033327', 2n],
    ['swap', '220122022b27', 1n],
    ['not', '22000e27', 1n],
  ])('%s', (_, hex, value) => {
    expect(run(hex)).toBe(value);
  });

  test.each([
    ['an unknown operation', 'ff27'],
    ['no end', '2205'],
    ['an empty stack', '0227'],
    ['division by zero', '220522000627'],
    ['a register that is not there', '26ffff27'],
    ['memory that is not there', '2200 1727'.replaceAll(' ', '')],
    ['a jump for ever', '210000'],
  ])('%s has no value, so the user sees the stop', (_, hex) => {
    expect(run(hex)).toBeUndefined();
  });

  const u64 = fc.bigInt({ min: 0n, max: U64 });
  const s = (v: bigint): bigint => BigInt.asIntN(64, v);
  const OPS: readonly (readonly [string, string, (a: bigint, b: bigint) => bigint])[] = [
    ['add', '02', (a, b) => a + b],
    ['sub', '03', (a, b) => a - b],
    ['mul', '04', (a, b) => a * b],
    ['and', '0f', (a, b) => a & b],
    ['or', '10', (a, b) => a | b],
    ['xor', '11', (a, b) => a ^ b],
    ['equal', '13', (a, b) => (a === b ? 1n : 0n)],
    ['less signed', '14', (a, b) => (s(a) < s(b) ? 1n : 0n)],
    ['less unsigned', '15', (a, b) => (a < b ? 1n : 0n)],
  ];
  test.each(OPS)('%s is 64-bit arithmetic', (_, code, f) => {
    fc.assert(
      fc.property(u64, u64, (a, b) => {
        expect(run(`${push(a)}${push(b)}${code}27`)).toBe(BigInt.asUintN(64, f(a, b)));
      }),
    );
  });

  test('any bytes end, and never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (code) => {
        const v = evaluate(code, operands);
        expect(v === undefined || (v >= 0n && v <= U64)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('conditions and commands of a Z packet', () => {
    const counts = (text: string): number[] | undefined => {
      const code = parseBreakpointCode(text);
      return code && [code.conditions.length, code.commands.length];
    };
    expect(parseBreakpointCode(';X3,220127')!.conditions).toEqual([Uint8Array.of(0x22, 1, 0x27)]);
    expect(counts('')).toEqual([0, 0]);
    expect(counts(';X3,220127X3,220027')).toEqual([2, 0]);
    expect(counts(';X3,220127;cmds:0,X1,27')).toEqual([1, 1]);
    expect(counts(';cmds:1,X1,27X1,27')).toEqual([0, 2]);
    const wrong = [';X4,220127', ';X', ';X1,', ';Y1,27', ';X3,22zz27', ';cmds:0,X2,27', ';cmds:0', ';cmds:x,X1,27'];
    for (const bad of wrong) expect(counts(bad), bad).toBeUndefined();
  });

  test('a command prints the values of the stack', () => {
    const format = '%d of %s\\n';
    const text = `${Buffer.from(format).toString('hex')}00`;
    const code = `220822072200220034${'02'}${(format.length + 1).toString(16).padStart(4, '0')}${text}27`;
    const printed: unknown[] = [];
    const print = (what: string, values: readonly bigint[]): boolean => printed.push([what, values]) > 0;
    const bytes = Uint8Array.from(Buffer.from(code, 'hex'));
    expect(evaluate(bytes, { ...operands, print })).toBe(0n);
    expect(printed).toEqual([[format, [7n, 8n]]]);
    // Conditions cannot print, and a format that is cut off or has no end is none.
    expect(run(code)).toBeUndefined();
    for (const cut of [bytes.slice(0, 12), bytes.map((b, n) => (n === bytes.length - 2 ? 1 : b))])
      expect(evaluate(cut, { ...operands, print })).toBeUndefined();
  });
});

describe('the print of C', () => {
  const strings = (address: bigint): string | undefined => (address === 0x100n ? 'guest' : undefined);
  test.each([
    ['%d %i %u', [-1n, 5n, 0xffff_ffff_ffff_ffffn], '-1 5 4294967295'],
    ['%ld %lu %llx %zd', [-1n, U64, U64, -2n], '-1 18446744073709551615 ffffffffffffffff -2'],
    ['%hhd %hx', [0x1ffn, 0x12345n], '-1 2345'],
    ['%#x %#lX %o %p', [255n, 0xabn, 8n, 0x9000n], '0xff 0XAB 10 0x9000'],
    ['[%5d|%-5d|%05d|%+d|% d]', [42n, 42n, -42n, 42n, 42n], '[   42|42   |-0042|+42| 42]'],
    ['%.3d %8.3x', [5n, 10n], '005      00a'],
    ['%s=%c%%', [0x100n, 65n], 'guest=A%'],
    ['%.2s %8s', [0x100n, 0x200n], 'gu <0x200 cannot be read>'],
    ['a\\tb\\n\\101\\x42\\"\\\\', [], 'a\tb\nAB"\\'],
    ['%d', [], undefined],
    ['%f', [1n], undefined],
    ['%n', [1n], undefined],
    ['%', [1n], undefined],
    ['%2000000000d', [1n], `${' '.repeat(999)}1`],
  ])('%s', (format, values, text) => {
    expect(formatted(format, values, strings)).toBe(text);
  });
});
