/** WebAssembly text of regions: an assembler that is not ours makes the same bytes of it as the emitter. */
import { expect, test } from 'vitest';
import wabt from 'wabt';
import { FMA_IMPORTS } from '../../src/emu/engine/fma.ts';
import { discover } from '../../src/emu/engine/translator/discover.ts';
import { emitRegion } from '../../src/emu/engine/translator/region-emitter.ts';
import { REGION_FUNCTION } from '../../src/emu/engine/translator/region-interface.ts';
import type { Translation } from '../../src/emu/engine/translator/regions.ts';
import { decode } from '../../src/emu/isa/decoder.ts';
import { encodeRow } from '../../src/emu/isa/row.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { assembleModule, type ModuleParts } from '../../src/emu/wasm/module.ts';
import { moduleText } from '../../src/emu/wasm/text.ts';
import { TestMachine } from '../support/test-machine.ts';

const FEATURES = { simd: true, threads: true, tail_call: true, relaxed_simd: true };
const { parseWat } = await wabt();

/** The bytes that the assembler makes of a module's text. */
function assembled(parts: ModuleParts): Buffer {
  const module = parseWat('region.wat', moduleText(parts), FEATURES);
  try {
    return Buffer.from(module.toBinary({}).buffer);
  } finally {
    module.destroy();
  }
}

test('a region that runs', () => {
  const m = new TestMachine({ engine: 'jit', code: ['addi.d $a0, $a0, 1', 'ld.d $a1, $a2, 8', 'b -8'] });
  const seen: Translation[] = [];
  m.machine.regions!.observer = { hot: () => {}, translated: (t) => seen.push(t) };
  m.machine.run(10_000);
  expect(seen).not.toEqual([]);
  for (const { parts, bytes } of seen) {
    expect(assembled(parts).equals(assembleModule(parts))).toBe(true);
    expect(bytes).toBe(parts.functions[0]!.body.length);
  }
  expect(moduleText(seen[0]!.parts)).toContain('local.get $r4');
});

test.each([false, true])('every instruction that regions have; shared memory: %s', (shared) => {
  // Operands of 1 are legal everywhere, and branches go on with the next instruction.
  const words = ROWS.map((row) => encodeRow(row, Object.fromEntries(row.operands.map((o) => [o, 1]))));
  const functions = words.flatMap((word, n) => {
    const code = {
      knows: (at: number) => at >= 0 && at < 1024,
      worth: () => true,
      word: () => word,
      row: decode,
      stopsAt: () => false,
      csrRules: () => 0xff,
      jumpTargets: () => [3, 5, 7, 9],
    };
    const blocks = discover(code, n % 512, 8);
    const place = { uops: () => 0x10000, pool: { cpus: 1, pool: 0 }, shared, aligned: shared };
    return blocks[0]!.instructions.length ? [emitRegion(`${n}`, blocks, place)] : [];
  });
  expect(functions.length).toBeGreaterThan(1000);
  const parts = {
    shared,
    tables: [{ name: 'regions', size: 16 }],
    types: [REGION_FUNCTION],
    imports: FMA_IMPORTS,
    functions,
  };
  expect(assembled(parts).equals(assembleModule(parts))).toBe(true);
});
