/** Gates: system calls, breakpoints and returns from exceptions inside translated code are as the interpreter does them. */
import { describe, expect, test } from 'vitest';
import { differences } from '../../src/emu/check/state-digest.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import type { Translation } from '../../src/emu/engine/translator/regions.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { THRESHOLD } from '../../src/emu/machine/processors.ts';
import { seeded } from '../support/random.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const TRANSLATING: readonly EngineKind[] = ['jit', 'auto'];
/** Often enough for every engine to translate the loop and the handler. */
const TURNS = THRESHOLD.auto + 250_000;
const HANDLER = ['addi.d $a2, $a2, 1', 'csrrd $t8, 6', 'addi.d $t8, $t8, 4', 'csrwr $t8, 6', 'ertn'];
/** Instructions of a turn of {@link looping}, with the exception that each `syscall` counts as. */
const TURN = 3 + HANDLER.length;

/** A loop with a system call, and a handler that counts in a2. */
function looping(engine: EngineKind, call = 'syscall 0', handler: readonly string[] = HANDLER): TestMachine {
  const m = new TestMachine({ engine, code: ['addi.d $a0, $a0, 1', call, 'b -8'] });
  m.code(VECTOR, handler);
  return m.setHost({ EENTRY: VECTOR, CRMD: 0x8 });
}
const translations = (m: TestMachine): Translation[] => {
  const seen: Translation[] = [];
  m.machine.regions!.observer = { hot: () => {}, translated: (t) => seen.push(t) };
  return seen;
};
const gates = (seen: readonly Translation[]): string[] =>
  seen.flatMap((t) => t.blocks.flatMap(({ end }) => (end.kind === 'stop' && end.gate ? [end.gate.name] : [])));
/** Runs both machines in slices of odd sizes, and compares their state. */
function compare(run: (engine: EngineKind) => TestMachine, engine: EngineKind, instructions: number): TestMachine {
  const [other, reference] = [run(engine), run('interpreter')];
  const [a, b] = [seeded(3), seeded(4)];
  for (const [m, random] of [[other, a] as const, [reference, b] as const])
    while (m.machine.instructions < instructions) {
      const before = m.machine.instructions;
      m.machine.run(1 + (random() % 99_991), instructions);
      m.machine.clearStops();
      if (m.machine.instructions === before) break;
    }
  expect(other.machine.instructions).toBe(reference.machine.instructions);
  expect(differences(other.machine, reference.machine)).toEqual([]);
  return other;
}

describe.each(TRANSLATING)('%s', (engine) => {
  test.each(['syscall 0', 'break 5'])('a loop with %s, and its handler, go through gates', (call) => {
    const m = looping(engine, call);
    const seen = translations(m);
    m.run(TURN * TURNS);
    expect([m.get('a0'), m.get('a2'), m.pc]).toEqual([BigInt(TURNS), BigInt(TURNS), CODE]);
    expect(new Set(gates(seen))).toEqual(new Set(['gateRaise', 'gateErtn']));
    compare((kind) => looping(kind, call), engine, TURN * TURNS + 5);
  });

  test('a store over the call ends the region that has it, also where nothing else of the region changes', () => {
    const m = looping(engine);
    m.run(TURN * TURNS);
    const before = m.machine.regions!.translated;
    m.code(CODE + 4, ['addi.d $a1, $a1, 1']);
    m.run(3 * 1000);
    expect([m.get('a1'), m.get('a2')]).toEqual([1000n, BigInt(TURNS)]);
    expect(before).toBeGreaterThan(0);
  });

  test('the guest itself stores over the call', () => {
    // After some turns the loop replaces the call by an addition.
    const run = (kind: EngineKind): TestMachine => {
      const m = new TestMachine({
        engine: kind,
        code: ['addi.d $a0, $a0, 1', 'bne $a0, $t2, 8', 'st.w $t0, $t1, 0', 'syscall 0', 'b -16'],
      });
      m.code(VECTOR, HANDLER).setHost({ EENTRY: VECTOR, CRMD: 0x8 });
      return m.set({ t0: assemble('addi.d $a1, $a1, 1'), t1: CODE + 12, t2: TURNS });
    };
    const m = compare(run, engine, 9 * TURNS + 4000);
    expect(m.get('a2')).toBe(BigInt(TURNS - 1));
    expect(m.get('a1')).toBeGreaterThan(100n);
  });

  test('ertn outside PLV0 raises IPE', () => {
    // The handler returns to PLV3, where the program executes ertn itself.
    const run = (kind: EngineKind): TestMachine => {
      const m = looping(kind, 'ertn', [
        'addi.d $a2, $a2, 1',
        'csrrd $t8, 6',
        'addi.d $t8, $t8, 4',
        'csrwr $t8, 6',
        'ertn',
      ]);
      return m.setHost({ EENTRY: VECTOR, CRMD: 0xb, PRMD: 3 });
    };
    const m = compare(run, engine, TURN * TURNS);
    expect([m.get('a2') > 1000n, m.ecode()]).toEqual([true, 0xe]);
  });

  test('an interrupt that is due when ertn allows interrupts comes before the next instruction', () => {
    // The handler raises a software interrupt at each call, and takes it back when it has come.
    const handler = [
      ...['csrrd $t0, 5', 'srli.d $t0, $t0, 16', 'bne $t0, $zero, 24'],
      ...['addi.d $a3, $a3, 1', 'csrwr $zero, 5', 'csrrd $a4, 6', 'add.d $a5, $a5, $a4', 'ertn'],
      ...['addi.d $a2, $a2, 1', 'ori $t1, $zero, 1', 'csrwr $t1, 5'],
      ...['csrrd $t8, 6', 'addi.d $t8, $t8, 4', 'csrwr $t8, 6', 'ertn'],
    ];
    const run = (kind: EngineKind): TestMachine =>
      looping(kind, 'syscall 0', handler).setHost({ EENTRY: VECTOR, CRMD: 0xc, ECFG: 1 });
    const m = compare(run, engine, 20 * TURNS);
    expect(m.get('a3') > BigInt(TURNS / 2)).toBe(true);
    expect([m.get('a2') - m.get('a3') <= 1n, m.get('a5') % m.get('a3')]).toEqual([true, 0n]);
  });

  test('an observer sees each exception, and can stop the machine at one', () => {
    const m = looping(engine);
    m.run(TURN * TURNS);
    const seen: bigint[] = [];
    const forget = m.cpu.observe({
      exception: (cpu) => {
        seen.push(cpu.host.get(CSR.ERA));
        if (seen.length === 3) cpu.requestStop();
      },
    });
    m.machine.run(TURN * 1000);
    expect([seen.length, m.pc, m.cpu.icount]).toEqual([3, VECTOR, TURN * TURNS + 2 * TURN + 2]);
    forget();
    m.machine.clearStops();
    m.run(TURN - 2);
    expect([m.pc, m.get('a0')]).toEqual([CODE, BigInt(TURNS + 3)]);
  });

  test('a breakpoint on the call', () => {
    const m = looping(engine);
    m.run(TURN * TURNS);
    const set: ReadonlySet<number> = new Set([1]);
    const hit: number[] = [];
    m.machine.engines[0]!.setHooks({
      breakpoints: (_cpu, lo) => (lo >>> 12 === CODE >>> 12 ? set : undefined),
      breakpointHit: (cpu) => hit.push(Number(cpu.pc)) > 0,
    });
    m.machine.uops.fetchAgain();
    m.machine.run(TURN * 1000);
    expect([hit, m.get('a0'), m.get('a2')]).toEqual([[CODE + 4], BigInt(TURNS + 1), BigInt(TURNS)]);
  });

  test('programs at PLV3 with pages call a kernel in a window: other contexts on both sides', () => {
    const run = (kind: EngineKind): TestMachine => {
      const m = new TestMachine({ engine: kind, code: ['invtlb 0, $zero, $zero', 'tlbfill'] });
      m.setHost({ CRMD: 0x8, TLBIDX: 12 << 24, TLBEHI: 0x80000, TLBELO0: 0x5001f, TLBELO1: 0x5101f });
      m.run(2);
      m.code(0x50000, ['st.d $a0, $a1, 0', 'addi.d $a0, $a0, 1', 'syscall 0', 'ld.d $a3, $a1, 0', 'b -16']);
      m.code(VECTOR, ['st.d $a2, $a4, 0', ...HANDLER]);
      const window = 0x9000_0000_0000_0000n;
      m.setHost({ DMW0: window | 1n, CRMD: 0x13, EENTRY: window + BigInt(VECTOR) });
      m.set({ a1: 0x81000, a4: window + 0x60000n });
      m.cpu.pc = 0x80000n;
      return m;
    };
    const m = compare(run, engine, 11 * TURNS);
    expect([m.get('a2') > BigInt(TURNS - 5), m.get('a0') - m.get('a2') <= 1n]).toEqual([true, true]);
  });
});
