/** No instruction is missing: the table against the mnemonics of LLVM (recorded by scripts/record-mnemonics.ts). */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ABSENT, ALIAS_NAMES } from '../../src/emu/isa/absent.ts';
import { decode } from '../../src/emu/isa/decoder.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';

const { oracle, mnemonics } = JSON.parse(
  readFileSync(new URL('./vectors/llvm-mnemonics.json', import.meta.url), 'utf8'),
) as { oracle: string; mnemonics: Record<string, string> };
const names = new Set(ROWS.map((r) => r.name));
const absent = (m: string): boolean => ABSENT.some((a) => a.names.test(m));

describe(`mnemonics of ${oracle}`, () => {
  test('there are some of every set', () => {
    const count = (p: RegExp): number => Object.keys(mnemonics).filter((m) => p.test(m)).length;
    expect(count(/^v/)).toBeGreaterThan(700);
    expect(count(/^xv/)).toBeGreaterThan(700);
    expect(count(/^[^xv]/)).toBeGreaterThan(400);
  });

  test('every one is in the table, is another name, or is listed as absent', () => {
    expect(Object.keys(mnemonics).filter((m) => !names.has(m) && !absent(m) && !ALIAS_NAMES.includes(m))).toEqual([]);
  });

  test('the word that LLVM gives it decodes to it', () => {
    const wrong = Object.entries(mnemonics).filter(
      ([m, w]) => names.has(m) && decode(Number.parseInt(w, 16))?.name !== m,
    );
    expect(wrong).toEqual([]);
  });

  test('nothing absent is in the table', () => {
    expect([...names].filter(absent)).toEqual([]);
    const words = Object.entries(mnemonics).filter(([m]) => absent(m));
    expect(words.filter(([, w]) => decode(Number.parseInt(w, 16)) !== undefined)).toEqual([]);
  });

  test('nothing of the base, LSX or LASX is absent but the one without a description', () => {
    const missing = Object.keys(mnemonics).filter((m) => ABSENT.some((a) => a.names.test(m) && !/LBT/.test(a.reason)));
    expect(missing).toEqual(['xvhseli.d']);
  });
});
