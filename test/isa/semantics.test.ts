/** Every computing instruction against an independent reading of the manual, in BigInt, over special and random values. */
import { describe, expect, test } from 'vitest';
import { seeded } from '../support/random.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const u64 = (v: bigint): bigint => BigInt.asUintN(64, v);
const s64 = (v: bigint): bigint => BigInt.asIntN(64, v);
const s32 = (v: bigint): bigint => BigInt.asIntN(32, v);
const u32 = (v: bigint): bigint => BigInt.asUintN(32, v);
const flag = (b: boolean): bigint => (b ? 1n : 0n);
const bits = (v: bigint, width: number): string => BigInt.asUintN(width, v).toString(2).padStart(width, '0');
const reverse = (v: bigint, width: number): bigint => BigInt(`0b${[...bits(v, width)].reverse().join('')}`);
/** Applies `f` to groups of `width` bits of a value of `total` bits. */
const groups = (v: bigint, total: number, width: number, f: (g: bigint) => bigint): bigint => {
  let out = 0n;
  for (let lo = 0; lo < total; lo += width)
    out |= BigInt.asUintN(width, f((v >> BigInt(lo)) & ((1n << BigInt(width)) - 1n))) << BigInt(lo);
  return out;
};
const byteSwap = (v: bigint, width: number): bigint => {
  let out = 0n;
  for (let k = 0; k < width; k += 8) out = (out << 8n) | ((v >> BigInt(k)) & 0xffn);
  return out;
};
const leading = (text: string, digit: string): bigint =>
  BigInt(/^./.test(text) ? text.match(new RegExp(`^${digit}*`))![0].length : 0);
const div = (a: bigint, b: bigint): bigint => (b === 0n ? a : a / b);
const rem = (a: bigint, b: bigint): bigint => (b === 0n ? 0n : a % b);
function crc(poly: bigint, bytes: number, message: bigint, start: bigint): bigint {
  let c = u32(start);
  for (let k = 0; k < bytes * 8; k++) {
    const bit = ((message >> BigInt(k)) & 1n) ^ (c & 1n);
    c = (c >> 1n) ^ (bit ? poly : 0n);
  }
  return s32(c);
}
const IEEE = 0xedb88320n;
const CASTAGNOLI = 0x82f63b78n;

/** rd = f(rj, rk), values as unsigned 64-bit. */
const BINARY: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  'add.w': (a, b) => s32(a + b),
  'add.d': (a, b) => a + b,
  'sub.w': (a, b) => s32(a - b),
  'sub.d': (a, b) => a - b,
  slt: (a, b) => flag(s64(a) < s64(b)),
  sltu: (a, b) => flag(a < b),
  maskeqz: (a, b) => (b === 0n ? 0n : a),
  masknez: (a, b) => (b !== 0n ? 0n : a),
  nor: (a, b) => ~(a | b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  orn: (a, b) => a | ~b,
  andn: (a, b) => a & ~b,
  'sll.w': (a, b) => s32(a << (b & 31n)),
  'srl.w': (a, b) => s32(u32(a) >> (b & 31n)),
  'sra.w': (a, b) => s32(a) >> (b & 31n),
  'sll.d': (a, b) => a << (b & 63n),
  'srl.d': (a, b) => a >> (b & 63n),
  'sra.d': (a, b) => s64(a) >> (b & 63n),
  'rotr.w': (a, b) => s32((u32(a) >> (b & 31n)) | (u32(a) << (32n - (b & 31n)))),
  'rotr.d': (a, b) => (a >> (b & 63n)) | (a << (64n - (b & 63n))),
  'mul.w': (a, b) => s32(a * b),
  'mulh.w': (a, b) => (s32(a) * s32(b)) >> 32n,
  'mulh.wu': (a, b) => s32((u32(a) * u32(b)) >> 32n),
  'mul.d': (a, b) => a * b,
  'mulh.d': (a, b) => (s64(a) * s64(b)) >> 64n,
  'mulh.du': (a, b) => (a * b) >> 64n,
  'mulw.d.w': (a, b) => s32(a) * s32(b),
  'mulw.d.wu': (a, b) => u32(a) * u32(b),
  'div.w': (a, b) => s32(div(s32(a), s32(b))),
  'mod.w': (a, b) => s32(rem(s32(a), s32(b))),
  'div.wu': (a, b) => s32(div(u32(a), u32(b))),
  'mod.wu': (a, b) => s32(rem(u32(a), u32(b))),
  'div.d': (a, b) => div(s64(a), s64(b)),
  'mod.d': (a, b) => rem(s64(a), s64(b)),
  'div.du': (a, b) => div(a, b),
  'mod.du': (a, b) => rem(a, b),
  'crc.w.b.w': (a, b) => crc(IEEE, 1, a, b),
  'crc.w.h.w': (a, b) => crc(IEEE, 2, a, b),
  'crc.w.w.w': (a, b) => crc(IEEE, 4, a, b),
  'crc.w.d.w': (a, b) => crc(IEEE, 8, a, b),
  'crcc.w.b.w': (a, b) => crc(CASTAGNOLI, 1, a, b),
  'crcc.w.h.w': (a, b) => crc(CASTAGNOLI, 2, a, b),
  'crcc.w.w.w': (a, b) => crc(CASTAGNOLI, 4, a, b),
  'crcc.w.d.w': (a, b) => crc(CASTAGNOLI, 8, a, b),
};

const UNARY: Readonly<Record<string, (a: bigint) => bigint>> = {
  'clo.w': (a) => leading(bits(a, 32), '1'),
  'clz.w': (a) => leading(bits(a, 32), '0'),
  'cto.w': (a) => leading([...bits(a, 32)].reverse().join(''), '1'),
  'ctz.w': (a) => leading([...bits(a, 32)].reverse().join(''), '0'),
  'clo.d': (a) => leading(bits(a, 64), '1'),
  'clz.d': (a) => leading(bits(a, 64), '0'),
  'cto.d': (a) => leading([...bits(a, 64)].reverse().join(''), '1'),
  'ctz.d': (a) => leading([...bits(a, 64)].reverse().join(''), '0'),
  'revb.2h': (a) => s32(groups(u32(a), 32, 16, (g) => byteSwap(g, 16))),
  'revb.4h': (a) => groups(a, 64, 16, (g) => byteSwap(g, 16)),
  'revb.2w': (a) => groups(a, 64, 32, (g) => byteSwap(g, 32)),
  'revb.d': (a) => byteSwap(a, 64),
  'revh.2w': (a) => groups(a, 64, 32, (g) => (g >> 16n) | (g << 16n)),
  'revh.d': (a) => (a >> 48n) | ((a >> 16n) & 0xffff0000n) | ((a & 0xffff0000n) << 16n) | (a << 48n),
  'bitrev.4b': (a) => s32(groups(u32(a), 32, 8, (g) => reverse(g, 8))),
  'bitrev.8b': (a) => groups(a, 64, 8, (g) => reverse(g, 8)),
  'bitrev.w': (a) => s32(reverse(a, 32)),
  'bitrev.d': (a) => reverse(a, 64),
  'ext.w.h': (a) => BigInt.asIntN(16, a),
  'ext.w.b': (a) => BigInt.asIntN(8, a),
};

/** Text of the operands after rd and rj, and the result, from a random number. */
const IMMEDIATE: Readonly<Record<string, (n: number) => [text: string, f: (a: bigint) => bigint]>> = {
  'slli.w': (n) => [`${n % 32}`, (a) => s32(a << BigInt(n % 32))],
  'slli.d': (n) => [`${n % 64}`, (a) => a << BigInt(n % 64)],
  'srli.w': (n) => [`${n % 32}`, (a) => s32(u32(a) >> BigInt(n % 32))],
  'srli.d': (n) => [`${n % 64}`, (a) => a >> BigInt(n % 64)],
  'srai.w': (n) => [`${n % 32}`, (a) => s32(a) >> BigInt(n % 32)],
  'srai.d': (n) => [`${n % 64}`, (a) => s64(a) >> BigInt(n % 64)],
  'rotri.w': (n) => [`${n % 32}`, (a) => s32((u32(a) >> BigInt(n % 32)) | (u32(a) << BigInt(32 - (n % 32))))],
  'rotri.d': (n) => [`${n % 64}`, (a) => (a >> BigInt(n % 64)) | (a << BigInt(64 - (n % 64)))],
  slti: (n) => [`${(n % 4096) - 2048}`, (a) => flag(s64(a) < BigInt((n % 4096) - 2048))],
  sltui: (n) => [`${(n % 4096) - 2048}`, (a) => flag(a < u64(BigInt((n % 4096) - 2048)))],
  'addi.w': (n) => [`${(n % 4096) - 2048}`, (a) => s32(a + BigInt((n % 4096) - 2048))],
  'addi.d': (n) => [`${(n % 4096) - 2048}`, (a) => a + BigInt((n % 4096) - 2048)],
  'lu52i.d': (n) => [`${(n % 4096) - 2048}`, (a) => (a & ((1n << 52n) - 1n)) | (BigInt((n % 4096) - 2048) << 52n)],
  andi: (n) => [`${n % 4096}`, (a) => a & BigInt(n % 4096)],
  ori: (n) => [`${n % 4096}`, (a) => a | BigInt(n % 4096)],
  xori: (n) => [`${n % 4096}`, (a) => a ^ BigInt(n % 4096)],
  'addu16i.d': (n) => [`${(n % 65536) - 32768}`, (a) => a + (BigInt((n % 65536) - 32768) << 16n)],
  'bstrpick.w': (n) => {
    const [l, m] = [n % 32, (n % 32) + ((n >>> 8) % (32 - (n % 32)))];
    return [`${m},${l}`, (a) => s32((a >> BigInt(l)) & ((1n << BigInt(m - l + 1)) - 1n))];
  },
  'bstrpick.d': (n) => {
    const [l, m] = [n % 64, (n % 64) + ((n >>> 8) % (64 - (n % 64)))];
    return [`${m},${l}`, (a) => (a >> BigInt(l)) & ((1n << BigInt(m - l + 1)) - 1n)];
  },
};

const SPECIAL = [
  0n,
  1n,
  2n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0x8000n,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 1n,
  0x5555555555555555n,
  0x123456789abcdef0n,
]; // all edges of the widths

function values(random: () => number, count: number): bigint[] {
  const out = [...SPECIAL];
  while (out.length < count) out.push((BigInt(random()) << 32n) | BigInt(random()));
  return out;
}

describe('instruction semantics', () => {
  const random = seeded(99);
  const machine = new TestMachine();
  /** Runs one instruction at CODE with a0 = rj, a1 = rk, a2 = old rd; result in a2. */
  const execute = (text: string, a: bigint, b: bigint, old = 0n): bigint => {
    machine.code(CODE, [text]).set({ a0: a, a1: b, a2: old });
    machine.pc = CODE;
    machine.run(1);
    expect(machine.pc, text).toBe(CODE + 4);
    return machine.get('a2');
  };

  test.each(Object.keys(BINARY))('%s', (name) => {
    for (const a of values(random, 24))
      for (const b of values(random, 24))
        expect(execute(`${name} $a2, $a0, $a1`, a, b), `${name} ${a} ${b}`).toBe(u64(BINARY[name]!(a, b)));
  });

  test.each(Object.keys(UNARY))('%s', (name) => {
    for (const a of values(random, 200))
      expect(execute(`${name} $a2, $a0`, a, 0n), `${name} ${a}`).toBe(u64(UNARY[name]!(a)));
  });

  test.each(Object.keys(IMMEDIATE))('%s', (name) => {
    for (const a of values(random, 200)) {
      const [text, f] = IMMEDIATE[name]!(random());
      expect(execute(`${name} $a2, $a0, ${text}`, a, 0n), `${name} ${a} ${text}`).toBe(u64(f(a)));
    }
  });

  test('alsl, bytepick, bstrins, lu12i.w, lu32i.d', () => {
    for (const a of values(random, 40)) {
      const b = values(random, 40).at(-1)!;
      for (const sa of [1n, 2n, 3n, 4n]) {
        expect(execute(`alsl.w $a2, $a0, $a1, ${sa}`, a, b)).toBe(u64(s32((a << sa) + b)));
        expect(execute(`alsl.wu $a2, $a0, $a1, ${sa}`, a, b)).toBe(u32((a << sa) + b));
        expect(execute(`alsl.d $a2, $a0, $a1, ${sa}`, a, b)).toBe(u64((a << sa) + b));
      }
      for (let sa = 0n; sa < 4n; sa++)
        expect(execute(`bytepick.w $a2, $a0, $a1, ${sa}`, a, b)).toBe(
          u64(s32(((u32(b) << 32n) | u32(a)) >> (32n - 8n * sa))),
        );
      for (let sa = 0n; sa < 8n; sa++)
        expect(execute(`bytepick.d $a2, $a0, $a1, ${sa}`, a, b)).toBe(u64(((b << 64n) | a) >> (64n - 8n * sa)));
      const l = BigInt(random() % 64);
      const m = l + BigInt(random() % (64 - Number(l)));
      const mask = ((1n << (m - l + 1n)) - 1n) << l;
      expect(execute(`bstrins.d $a2, $a0, ${m}, ${l}`, a, 0n, b)).toBe((b & ~mask) | ((a << l) & mask));
      const lw = l % 32n;
      const mw = lw + ((m - l) % (32n - lw));
      const maskw = ((1n << (mw - lw + 1n)) - 1n) << lw;
      expect(execute(`bstrins.w $a2, $a0, ${mw}, ${lw}`, a, 0n, b)).toBe(u64(s32((b & ~maskw) | ((a << lw) & maskw))));
      const i = BigInt(random() % (1 << 20)) - (1n << 19n);
      expect(execute(`lu12i.w $a2, ${i}`, 0n, 0n)).toBe(u64(i << 12n));
      expect(execute(`lu32i.d $a2, ${i}`, 0n, 0n, b)).toBe(u64((i << 32n) | u32(b)));
      expect(execute(`pcaddi $a2, ${i}`, 0n, 0n)).toBe(u64(BigInt(CODE) + (i << 2n)));
      expect(execute(`pcaddu12i $a2, ${i}`, 0n, 0n)).toBe(u64(BigInt(CODE) + (i << 12n)));
      expect(execute(`pcalau12i $a2, ${i}`, 0n, 0n)).toBe(u64((BigInt(CODE) + (i << 12n)) & ~0xfffn));
      expect(execute(`pcaddu18i $a2, ${i}`, 0n, 0n)).toBe(u64(BigInt(CODE) + (i << 18n)));
    }
  });

  test('r0 stays zero whatever writes it', () => {
    machine
      .code(CODE, ['addi.d $zero, $a0, 5', 'ld.d $zero, $a0, 0', 'jirl $zero, $a1, 0'])
      .set({ a0: 0x20000, a1: CODE });
    machine.pc = CODE;
    machine.run(6);
    expect(machine.get('zero')).toBe(0n);
  });

  test('branches', () => {
    const taken: Record<string, (a: bigint, b: bigint) => boolean> = {
      beq: (a, b) => a === b,
      bne: (a, b) => a !== b,
      blt: (a, b) => s64(a) < s64(b),
      bge: (a, b) => s64(a) >= s64(b),
      bltu: (a, b) => a < b,
      bgeu: (a, b) => a >= b,
    };
    for (const [name, f] of Object.entries(taken))
      for (const a of SPECIAL)
        for (const b of SPECIAL)
          for (const offset of [64, -64, 0x8000, -0x8000]) {
            machine.code(CODE, [`${name} $a0, $a1, ${offset}`]).set({ a0: a, a1: b });
            machine.pc = CODE;
            machine.run(1);
            expect(machine.pc, `${name} ${a} ${b} ${offset}`).toBe(CODE + (f(a, b) ? offset : 4));
          }
    for (const a of SPECIAL) {
      machine.code(CODE, ['beqz $a0, 4096']).set({ a0: a });
      machine.pc = CODE;
      expect(machine.run(1).pc).toBe(CODE + (a === 0n ? 4096 : 4));
      machine.code(CODE, ['bnez $a0, -8']).set({ a0: a });
      machine.pc = CODE;
      expect(machine.run(1).pc).toBe(CODE + (a !== 0n ? -8 : 4));
    }
    machine.code(CODE, ['bl 0x10000']);
    machine.pc = CODE;
    expect(machine.run(1).pc).toBe(CODE + 0x10000);
    expect(machine.get('ra')).toBe(BigInt(CODE + 4));
    machine.code(CODE, ['jirl $a0, $a0, 8']).set({ a0: 0x40000 });
    machine.pc = CODE;
    expect(machine.run(1).pc).toBe(0x40008);
    expect(machine.get('a0')).toBe(BigInt(CODE + 4));
  });

  test('loads and stores of every width, aligned and not, in a page and across pages', () => {
    const at = 0x30000;
    for (const offset of [0, 1, 3, 4, 0xff8, 0xffd, 0xfff]) {
      const value = 0x8899aabbccddeeffn;
      const base = BigInt(at + offset);
      machine.set({ a0: base, a1: value });
      const run1 = (text: string): bigint => {
        machine.code(CODE, [text]);
        machine.pc = CODE;
        machine.run(1);
        return machine.get('a2');
      };
      run1('st.d $a1, $a0, 0');
      expect(run1('ld.d $a2, $a0, 0')).toBe(value);
      expect(run1('ld.w $a2, $a0, 0')).toBe(u64(s32(value)));
      expect(run1('ld.wu $a2, $a0, 0')).toBe(u32(value));
      expect(run1('ld.h $a2, $a0, 0')).toBe(u64(BigInt.asIntN(16, value)));
      expect(run1('ld.hu $a2, $a0, 0')).toBe(value & 0xffffn);
      expect(run1('ld.b $a2, $a0, 1')).toBe(u64(BigInt.asIntN(8, value >> 8n)));
      expect(run1('ld.bu $a2, $a0, 1')).toBe(0xeen);
      expect(run1('ldx.w $a2, $a0, $zero')).toBe(u64(s32(value)));
      run1('st.h $zero, $a0, 2');
      expect(run1('ld.d $a2, $a0, 0')).toBe(0x8899aabb0000eeffn);
      run1('stx.b $zero, $a0, $zero');
      expect(run1('ld.d $a2, $a0, 0')).toBe(0x8899aabb0000ee00n);
      run1('stptr.w $a1, $a0, 4');
      expect(run1('ldptr.d $a2, $a0, 0')).toBe(0xccddeeff0000ee00n);
    }
  });

  test('atomics return the old value and store the new one', () => {
    const ops: Record<string, (o: bigint, v: bigint) => bigint> = {
      swap: (_, v) => v,
      add: (o, v) => o + v,
      and: (o, v) => o & v,
      or: (o, v) => o | v,
      xor: (o, v) => o ^ v,
      max: (o, v) => (s64(o) > s64(v) ? o : v),
      min: (o, v) => (s64(o) < s64(v) ? o : v),
    };
    for (const db of ['', '_db'])
      for (const [name, f] of Object.entries(ops))
        for (const o of SPECIAL)
          for (const v of SPECIAL.slice(0, 14)) {
            machine
              .poke(0x30000, o)
              .code(CODE, [`am${name}${db}.d $a2, $a1, $a0`])
              .set({ a0: 0x30000, a1: v });
            machine.pc = CODE;
            machine.run(1);
            expect(machine.get('a2')).toBe(o);
            expect(machine.peek(0x30000), `am${name} ${o} ${v}`).toBe(u64(f(o, v)));
            machine.poke(0x30000, o).code(CODE, [`am${name}${db}.w $a2, $a1, $a0`]);
            machine.pc = CODE;
            machine.run(1);
            expect(machine.get('a2')).toBe(u64(s32(o)));
            expect(machine.peek(0x30000), `am${name}.w`).toBe((o & ~0xffffffffn) | u32(f(u64(s32(o)), u64(s32(v)))));
          }
    for (const [name, pick] of [
      ['ammax', (o: bigint, v: bigint) => (o > v ? o : v)],
      ['ammin', (o: bigint, v: bigint) => (o < v ? o : v)],
    ] as const) {
      machine
        .poke(0x30000, 1n << 63n)
        .code(CODE, [`${name}.du $a2, $a1, $a0`])
        .set({ a0: 0x30000, a1: 5 });
      machine.pc = CODE;
      machine.run(1);
      expect(machine.peek(0x30000)).toBe(pick(1n << 63n, 5n));
      machine
        .poke(0x30000, 0xffffffff80000000n)
        .code(CODE, [`${name}.wu $a2, $a1, $a0`])
        .set({ a0: 0x30000, a1: 5 });
      machine.pc = CODE;
      machine.run(1);
      expect(machine.peek(0x30000) & 0xffffffffn).toBe(pick(0x80000000n, 5n));
    }
  });

  // Manual: 2.2.7.4
  test('ll and sc: success, store of its own, other place, ertn', () => {
    const place = 0x30000;
    machine.poke(place, 10n, 20n);
    machine
      .code(CODE, ['ll.d $a2, $a0, 0', 'addi.d $a3, $a2, 1', 'sc.d $a3, $a0, 0', 'sc.d $a4, $a0, 0'])
      .set({ a0: place, a4: 5 });
    machine.pc = CODE;
    machine.run(4);
    expect([machine.get('a2'), machine.get('a3'), machine.get('a4'), machine.peek(place)]).toEqual([10n, 1n, 0n, 11n]);
    machine.code(CODE, ['ll.w $a2, $a0, 0', 'sc.w $a3, $a0, 8']).set({ a3: 7 });
    machine.pc = CODE;
    machine.run(2);
    expect([machine.get('a3'), machine.peek(place + 8)]).toEqual([0n, 20n]);
    // A store of the CPU itself is not among what breaks the link (Vol. 1, 2.2.7.4).
    machine.code(CODE, ['ll.d $a2, $a0, 0', 'st.d $a1, $a0, 0', 'sc.d $a3, $a0, 0']).set({ a1: 99, a3: 7 });
    machine.pc = CODE;
    machine.run(3);
    expect([machine.get('a3'), machine.peek(place)]).toEqual([1n, 7n]);
  });
});
