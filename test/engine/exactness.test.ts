/**
 * Interpreter, eager and lazy translation are one machine: the same state at the same instruction, in every program of the
 * project.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { EngineCheck } from '../../src/emu/check/engine-check.ts';
import { differences } from '../../src/emu/check/state-digest.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { CLASSES, makeProgram } from '../difftest/classes.ts';
import { digestOutcome } from '../difftest/digest.ts';
import { Loongscope } from '../difftest/loongscope.ts';
import { Random } from '../difftest/random.ts';
import { programFile, programsOf } from '../support/conformance.ts';
import { guestSpec } from '../support/gdb-session.ts';
import { seeded } from '../support/random.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const TRANSLATING: readonly EngineKind[] = ['jit', 'auto'];

function machineOf(file: string, engine: EngineKind): Machine {
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 256 << 20,
    cpus: 1,
    features: featuresOf('max', { ptw: true, lbt: true }),
    seed: 1,
    engine,
    console: () => {},
  });
  machine.load({ image: parseElf(readFileSync(file), file), commandLine: '', extra: [] });
  return machine;
}

/** Runs a machine for up to `limit` instructions, in slices of odd sizes. */
function runFor(machine: Machine, limit: number, random: () => number): void {
  while (machine.instructions < limit) {
    const before = machine.instructions;
    const result = machine.run(1 + (random() % 700_000), limit);
    machine.clearStops();
    if (result === 'poweroff' || machine.instructions === before) return;
  }
}

/** What the engines differ on after a program: nothing. */
function compare(file: string, engine: EngineKind, limit: number): void {
  const reference = machineOf(file, 'interpreter');
  const other = machineOf(file, engine);
  runFor(reference, limit, seeded(1));
  runFor(other, limit, seeded(2));
  expect(other.instructions).toBe(reference.instructions);
  expect(differences(other, reference)).toEqual([]);
}

describe.each(TRANSLATING)('engine %s against the interpreter', (engine) => {
  test.each([
    ...programsOf('conformance').map((n) => ['conformance', n] as const),
    ...programsOf('lvz').map((n) => ['lvz', n] as const),
  ])('%s/%s', (folder, name) => compare(programFile(folder, name), engine, 50_000_000));

  test.each([...['integer', 'memory', 'calls', 'cold', 'float', 'vector', 'syscall', 'context', 'hvcl', 'stage2']])(
    'benchmark kernel %s, the first 6 million instructions',
    (name) => compare(join(PROJECT_ROOT, 'build', 'bench', `${name}.elf`), engine, 6_000_003),
  );

  test.each([
    ['hello', 1, 1],
    ['paging', 1, 1],
    ['timer', 1, 1],
    ['privileged', 1, 1],
    ['virtio', 1, 1],
    ['storm', 1, 1],
    ['smp', 2, 2],
  ] as const)('guest %s', (name, vcpus, smp) => {
    const cli: MachineCli = { ...DEFAULT_MACHINE, smp, guest: [guestSpec(name, name, '', vcpus)] };
    const machine = boot(undefined, { ...cli, engine: engine as 'auto' | 'jit' }, () => {}).machine;
    const check = new EngineCheck(machine, boot(undefined, { ...cli, engine: 'interpreter' }, () => {}).machine, 1);
    for (let slices = 0; slices < 12; slices++) {
      const result = machine.run(1_000_000, machine.instructions + 500_009);
      machine.clearStops();
      expect(check.follow(true)).toBeUndefined();
      if (result === 'poweroff') break;
    }
  });
});

describe('random programs, translated, as the interpreter executes them', () => {
  const eager = new Loongscope('jit');
  const reference = new Loongscope('interpreter');
  test.each(CLASSES.map((c) => [c.name, c] as const))('%s', async (_, c) => {
    for (let seed = 1; seed <= 12; seed++) {
      const program = makeProgram(c, new Random(7000 + seed), 400);
      expect(digestOutcome(c, await eager.run(program)), `seed ${seed}`).toBe(
        digestOutcome(c, await reference.run(program)),
      );
    }
  });
});

/** A loop that adds 1 to a0, the instruction that does it at CODE + 4. */
const LOOP = ['nop', 'addi.d $a0, $a0, 1', 'b -8'];
const nop = assemble('andi $zero, $zero, 0');

// Manual: 2.1.7.1
describe('code that changes under the translator', () => {
  const start = (engine: EngineKind): TestMachine =>
    new TestMachine({ engine, code: LOOP.map((l) => (l === 'nop' ? 'andi $zero, $zero, 0' : l)) }).run(30_000);

  test.each(TRANSLATING)('%s: a store into a translated loop takes effect at once', (engine) => {
    const m = new TestMachine({ engine });
    // a1 counts down; at 0 the loop overwrites its own addi.d (t0 = the new word, t1 = its address), and goes on.
    m.code(CODE, [
      'addi.d $a1, $a1, -1',
      'addi.d $a0, $a0, 1',
      'bne $a1, $zero, -8',
      'st.w $t0, $t1, 0',
      'addi.d $a1, $zero, 1000',
      'addi.d $a2, $a2, 1',
      'b -24',
    ]);
    m.set({ a1: 20_000, t0: assemble('addi.d $a0, $a0, 16'), t1: CODE + 4 });
    m.run(3 * 20_000 + 4 + 3 * 1000);
    expect(m.get('a0')).toBe(20_000n + 16n * 1000n);
  });

  test.each(TRANSLATING)('%s: a loop that modifies itself each time round', (engine) => {
    const m = new TestMachine({ engine });
    m.code(CODE, ['st.w $t0, $t1, 0', 'addi.d $a0, $a0, 1', 'xor $t0, $t0, $t2', 'b -12']);
    const [one, two] = [assemble('addi.d $a0, $a0, 1'), assemble('addi.d $a0, $a0, 2')];
    m.set({ t0: two, t1: CODE + 4, t2: one ^ two });
    m.run(4 * 10_000);
    expect(m.get('a0')).toBe(15_000n);
  });

  test.each(TRANSLATING)('%s: data beside the code of its page, and then in it', (engine) => {
    const m = new TestMachine({ engine });
    // a1 counts stores to a word of the page behind the code; then one store goes to the code itself.
    m.code(CODE, [
      'ld.d $t3, $t1, 512',
      'addi.d $t3, $t3, 1',
      'st.d $t3, $t1, 512',
      'addi.d $a0, $a0, 1',
      'addi.d $a1, $a1, -1',
      'bne $a1, $zero, -20',
      'st.w $t0, $t1, 12',
      'addi.d $a1, $zero, 1000',
      'b -32',
    ]);
    m.set({ a1: 20_000, t0: assemble('addi.d $a0, $a0, 16'), t1: CODE });
    const slow = vi.spyOn(m.machine.uops, 'written');
    m.run(6 * 20_000);
    // The first store alone comes by.
    expect(slow.mock.calls.length).toBeLessThan(10);
    expect(m.peek(CODE + 512)).toBe(20_000n);
    m.run(3 + 6 * 1000);
    expect(m.get('a0')).toBe(20_000n + 16n * 1000n);
    // Code that is decoded later in a line that held data until then.
    m.code(CODE + 512, ['addi.d $a0, $a0, 100', 'b -4']);
    m.pc = CODE + 512;
    m.run(20_000);
    m.set({ t0: assemble('addi.d $a0, $a0, 200'), t1: CODE + 512 });
    m.code(0x20000, ['st.w $t0, $t1, 0', 'jirl $zero, $t1, 0']);
    m.pc = 0x20000;
    const before = m.get('a0');
    m.run(2 + 20_000);
    expect(m.get('a0')).toBe(before + 200n * 10_000n);
  });

  test.each(TRANSLATING)('%s: a page that was executed once, holds data for a while, and code again', (engine) => {
    const m = new TestMachine({ engine });
    const page = 0x20000;
    m.code(page, [...new Array<string>(1000).fill('andi $zero, $zero, 0'), 'jirl $zero, $ra, 0']);
    m.code(CODE, [
      'jirl $ra, $t1, 0',
      'st.w $zero, $t1, 0',
      'addi.d $t1, $t1, 4',
      'addi.d $a1, $a1, -1',
      'bne $a1, $zero, -12',
      'b 0',
    ]);
    m.set({ t1: page, a1: 1000 }).run(1 + 1001);
    expect(m.machine.uops.hasCode(page)).toBe(true);
    const slow = vi.spyOn(m.machine.uops, 'written');
    m.run(4 * 1000);
    // Code that nobody executes any more is forgotten after a few stores.
    expect(slow.mock.calls.length).toBeLessThan(20);
    expect(m.machine.uops.hasCode(page)).toBe(false);
    expect(m.peek(page + 3992)).toBe(0n);
    // The store that makes code of it has a cached translation, and the next one must be seen again.
    const [one, two] = [assemble('addi.d $a0, $a0, 1'), assemble('addi.d $a0, $a0, 2')];
    m.code(CODE, [
      'st.w $t0, $t1, 0',
      'st.w $t2, $t1, 4',
      'jirl $ra, $t1, 0',
      'xor $t0, $t0, $t3',
      'addi.d $a1, $a1, -1',
      'bne $a1, $zero, -20',
      'b 0',
    ]);
    m.set({ t0: one, t1: page, t2: assemble('jirl $zero, $ra, 0'), t3: one ^ two, a1: 3000 });
    m.pc = CODE;
    m.run(8 * 3000);
    expect(m.get('a0')).toBe(4500n);
  });

  test.each(TRANSLATING)('%s: a debugger’s write', (engine) => {
    const m = start(engine);
    const before = m.get('a0');
    m.machine.uops.written(CODE + 4, 4);
    m.machine.ram.write(CODE + 4, new Uint8Array(Uint32Array.of(nop).buffer));
    m.run(30_000);
    expect(m.get('a0')).toBe(before);
  });

  test.each(TRANSLATING)('%s: the page behind the code is exchanged', (engine) => {
    const m = new TestMachine({ engine });
    const window = 0xffff_8000_0000_0000n;
    m.code(0x40000, ['addi.d $a0, $a0, 1', 'b -4']).code(0x42000, ['addi.d $a0, $a0, 256', 'b -4']);
    const map = (pa: number): void => {
      m.setHost({ CRMD: 0x8, TLBIDX: 12 << 24, TLBEHI: window, TLBELO0: pa | 0x13, TLBELO1: pa | 0x13 });
      m.code(CODE, ['invtlb 0, $zero, $zero', 'tlbfill']);
      m.pc = CODE;
      m.run(2);
      m.setHost({ CRMD: 0x10 });
      m.cpu.pc = window;
    };
    map(0x40000);
    m.run(20_000);
    expect(m.get('a0')).toBe(10_000n);
    map(0x42000);
    m.run(20_000);
    expect(m.get('a0')).toBe(10_000n + 256n * 10_000n);
  });

  // Loads and stores with one base share a look into the software TLB.
  test.each([
    ['side by side', 0x50000, 0x51000],
    ['apart', 0x50000, 0x58000],
    ['the second one read-only', 0x50000, 0x59000],
  ] as const)('a frame across two pages that lie %s', (where, first, second) => {
    const run = (engine: EngineKind): TestMachine => {
      const m = new TestMachine({ engine });
      const window = 0xffff_8000_0000_0000n;
      const readOnly = where.startsWith('the second');
      m.code(CODE, ['tlbfill']);
      m.setHost({
        CRMD: 0x8,
        DMW0: 0x9000_0000_0000_000fn,
        EENTRY: 0x9000_0000_0004_0000n,
        TLBIDX: 12 << 24,
        TLBEHI: window,
        TLBELO0: first | 0x13,
        TLBELO1: second | (readOnly ? 0x11 : 0x13),
      });
      m.pc = CODE;
      m.run(1);
      m.code(CODE, [
        'ld.d $t0, $sp, 0',
        'ld.d $t1, $sp, 8',
        'ld.w $t2, $sp, 20',
        'add.d $t0, $t0, $t1',
        'st.d $t0, $sp, 8',
        'st.w $t2, $sp, 16',
        'ld.d $t3, $sp, 5',
        'xor $a0, $a0, $t3',
        'rotri.d $a0, $a0, 9',
        'st.d $a0, $sp, 24',
        'addi.d $a1, $a1, 1',
        'b -44',
      ]);
      // A store that is refused is skipped.
      m.code(0x40000, ['addi.d $a2, $a2, 1', 'csrrd $t8, 6', 'addi.d $t8, $t8, 4', 'csrwr $t8, 6', 'ertn']);
      m.set({ sp: window + 0xff4n, a0: 0x123456789n });
      m.poke(first + 0xff0, 3n, 0x1122334455667788n).poke(second, 0x99aabbccddeeff00n, 7n);
      m.setHost({ CRMD: 0x10 });
      m.cpu.pc = 0x9000_0000_0000_0000n + BigInt(CODE);
      return m.run(40_000);
    };
    const jit = run('jit');
    expect(differences(jit.machine, run('interpreter').machine)).toEqual([]);
    expect(
      jit.get('a2') > 0n,
      `Ecode ${jit.ecode()} at 0x${jit.host(6).toString(16)} badv 0x${jit.host(7).toString(16)}`,
    ).toBe(where.startsWith('the second'));
  });

  test('more regions than there is room for, in thousands of tiny functions', () => {
    const run = (engine: EngineKind): Machine => {
      const m = new TestMachine({ engine });
      // Pages full of two-instruction functions, each of which jumps to the next one; the last one goes back.
      const pages = 66;
      const words = new Uint32Array(pages * 1024);
      const [step, jump] = [assemble('addi.d $t0, $t0, 8'), assemble('jirl $zero, $t0, 0')];
      for (let n = 0; n < words.length; n += 2) words.set([step, jump], n);
      words[words.length - 2] = assemble('or $t0, $t1, $zero');
      m.machine.ram.write(0x100000, new Uint8Array(words.buffer));
      m.set({ t0: 0x100000, t1: 0x100000 });
      m.pc = 0x100000;
      m.run(words.length + 5000);
      return m.machine;
    };
    const jit = run('jit');
    expect(jit.regions!.translated).toBeGreaterThan(32_768);
    expect(differences(jit, run('interpreter'))).toEqual([]);
  });

  test('no memory for code: the interpreter goes on, and says so once', () => {
    const m = new TestMachine({ engine: 'auto', code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const failures: string[] = [];
    m.machine.regions!.onFailure = (reason) => failures.push(reason);
    const spy = vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse() {
      throw new RangeError('out of memory');
    });
    m.run(1_000_000);
    m.code(0x20000, ['addi.d $a0, $a0, 1', 'b -4']);
    m.pc = 0x20000;
    m.run(1_000_000);
    spy.mockRestore();
    expect(m.get('a0')).toBe(1_000_000n);
    expect(failures).toEqual(['out of memory']);
  });

  test('breakpoints: the page is translated anew without them', () => {
    const m = start('jit');
    const hit: number[] = [];
    const set: ReadonlySet<number> = new Set([((CODE + 4) & 0xfff) >> 2]);
    let armed = true;
    m.machine.engines[0]!.setHooks({
      breakpoints: () => (armed ? set : undefined),
      breakpointHit: (cpu) => {
        hit.push(Number(cpu.pc));
        return true;
      },
    });
    m.cpu.fast.clearFetches();
    m.machine.run(10_000);
    expect(hit).toEqual([CODE + 4]);
    armed = false;
    m.machine.uops.dropBreakpointPages();
    m.machine.clearStops();
    const before = m.get('a0');
    m.run(30_000);
    expect(m.get('a0')).toBe(before + 10_000n);
  });
});
