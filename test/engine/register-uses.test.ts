/** What the translator relies on in definitions of instructions. */
import { expect, test } from 'vitest';
import { bodyOf } from '../../src/emu/engine/translator/discover.ts';
import type { Stmt } from '../../src/emu/isa/semantics.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';

test('no definition writes rd on some ways only: a register that is written is not read before', () => {
  const under = (list: readonly Stmt[], conditional: boolean): boolean =>
    list.some((s) => (s.s === 'setRd' && conditional) || (s.s === 'if' && (under(s.yes, true) || under(s.no, true))));
  expect(ROWS.filter((row) => under(bodyOf(row), false)).map((row) => row.name)).toEqual([]);
});
