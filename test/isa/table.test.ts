import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '../../src/emu/isa/decoder.ts';
import { disassemble } from '../../src/emu/isa/disassembler.ts';
import { OPERANDS, type OperandKind, operandRange } from '../../src/emu/isa/operands.ts';
import { encodeRow, operandValue, row } from '../../src/emu/isa/row.ts';
import { c64, Semantics } from '../../src/emu/isa/semantics.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { storesMemory, type Traits, traitsOf } from '../../src/emu/isa/traits.ts';

describe('instruction table', () => {
  test('no two rows overlap', () => {
    const clashes: string[] = [];
    for (const [i, a] of ROWS.entries())
      for (const b of ROWS.slice(i + 1)) {
        const both = (a.mask & b.mask) >>> 0;
        if ((a.match & both) >>> 0 !== (b.match & both) >>> 0) continue;
        // csrxchg shares its encoding space with csrrd and csrwr: its rj values 0 and 1 are theirs.
        const apart = [a, b].some((r) =>
          r.excludes.some((e) => operandValue(r, a === r ? b.match : a.match, e.operand) === e.value),
        );
        if (!apart) clashes.push(`${a.name} and ${b.name}`);
      }
    expect(clashes).toEqual([]);
  });

  test('names are unique and every row is complete', () => {
    expect(new Set(ROWS.map((r) => r.name)).size).toBe(ROWS.length);
    for (const r of ROWS) expect(r.pattern.length, r.name).toBeGreaterThan(0);
  });

  test('encoding and decoding are inverse for any operands', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROWS), fc.infiniteStream(fc.nat({ max: 0x7fff_ffff })), (r, stream) => {
        const random = stream[Symbol.iterator]();
        const values = Object.fromEntries(
          r.operands.map((o) => {
            const kind: OperandKind = OPERANDS[o];
            const { min, max, step } = operandRange(kind);
            return [o, min + (random.next().value! % ((max - min) / step + 1)) * step];
          }),
        );
        const word = encodeRow(r, values);
        for (const o of r.operands) expect(operandValue(r, word, o)).toBe(values[o]);
        const found = decode(word);
        const reversed = r.ordered !== undefined && values[r.ordered[0]]! < values[r.ordered[1]]!;
        if (reversed || r.excludes.some((e) => values[e.operand] === e.value)) expect(found).not.toBe(r);
        else expect(found).toBe(r);
      }),
      { numRuns: 20_000 },
    );
  });

  test('any word decodes or is shown as data, never throws', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffffff }), (word) => {
        expect(disassemble(word)).toMatch(/^(\.word 0x[0-9a-f]{8}|[a-z])/);
      }),
      { numRuns: 20_000 },
    );
  });

  // The manual names stores st, stx, stptr, stgt, stle, with f, v, xv before them; conditional ones sc; atomic ones am.
  test('instructions that store are those of these names', () => {
    const named = ROWS.filter((r) => /^(x?v|f)?st(x|ptr|gt|le|elm)?(\.|$)|^sc(rel)?\.|^am(?!u)/.test(r.name));
    expect(ROWS.filter(storesMemory).map((r) => r.name)).toEqual(named.map((r) => r.name));
  });

  test('traits follow from the definitions', () => {
    const by = (f: (t: Traits) => boolean): string[] => ROWS.filter((r) => f(traitsOf(r))).map((r) => r.name);
    expect(by((t) => t.endsBlock).sort()).toEqual(
      [
        'b',
        'bceqz',
        'bcnez',
        'beq',
        'beqz',
        'bge',
        'bgeu',
        'bl',
        'blt',
        'bltu',
        'bne',
        'bnez',
        'break',
        'ertn',
        'jirl',
        'syscall',
      ].sort(),
    );
    expect(by((t) => t.touchesTlb).sort()).toEqual(
      ['gtlbclr', 'gtlbfill', 'gtlbflush', 'gtlbwr', 'invtlb', 'tlbclr', 'tlbfill', 'tlbflush', 'tlbwr'].sort(),
    );
    const trapping = new Set(by((t) => t.mayTrap));
    for (const name of ['ld.d', 'amadd.w', 'csrrd', 'asrtle.d', 'rdtime.d', 'cpucfg', 'syscall'])
      expect(trapping).toContain(name);
    for (const name of ['add.w', 'div.d', 'crc.w.b.w', 'beq', 'bstrins.d', 'dbar'])
      expect(trapping).not.toContain(name);
  });

  test('a pattern that does not fill 32 bits is refused', () => {
    expect(() => row('bad', '0000 rd', 'rd', {}, () => {})).toThrow(/9 bits/);
    expect(() => row('bad', '00000000000000000 rk rj rd', 'rd, rj', {}, () => {})).toThrow(/operands/);
  });

  test('a definition that could leave after a write is refused', () => {
    expect(() =>
      Semantics.record((s) => {
        s.rd = c64(1);
        s.st('d', s.rj, s.rdv);
      }),
    ).toThrow(/follows a write/);
  });
});
