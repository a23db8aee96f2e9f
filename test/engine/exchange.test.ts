/** RAM that is larger than linear memory: chunks leave and come back, and the guest sees nothing of it. */
import { describe, expect, test } from 'vitest';
import { differences, stateDigest } from '../../src/emu/check/state-digest.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { History } from '../../src/emu/replay/history.ts';
import { applySnapshot, takeSnapshot } from '../../src/emu/replay/machine-snapshot.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const MIB = 2 ** 20;
const RAM = 512 * MIB;
/** Linear memory of the small machine: beside the space that is kept free, about 80 of the 320 chunks that the program uses. */
const LINEAR = 224 * MIB;
/** Functions in 64 chunks of low RAM. */
const FUNCTIONS = 0x1000000;
const HIGH = 0x80000000;

/**
 * Accesses of all kinds to random places of 256 MiB, and calls of random functions. s0: xorshift generator; s3: sum of what
 * was read; t0, s2: data and mask; s4, s5: functions and mask.
 */
const PROGRAM = [
  ...['slli.d $t1, $s0, 13', 'xor $s0, $s0, $t1', 'srli.d $t1, $s0, 7', 'xor $s0, $s0, $t1'],
  ...['slli.d $t1, $s0, 17', 'xor $s0, $s0, $t1', 'srli.d $t1, $s0, 20', 'and $t1, $t1, $s2', 'add.d $t1, $t1, $t0'],
  ...['ld.d $a0, $t1, 0', 'add.d $s3, $s3, $a0', 'xor $a0, $a0, $s0'],
  // Some cross into the next page, or the next chunk.
  ...['st.d $a0, $t1, 3', 'vld $vr0, $t1, 5', 'vaddi.bu $vr0, $vr0, 1', 'vst $vr0, $t1, 1'],
  ...['ll.d $a1, $t1, 0', 'addi.d $a1, $a1, 1', 'sc.d $a1, $t1, 0', 'add.d $s3, $s3, $a1', 'amadd.d $a2, $s0, $t1'],
  ...['srli.d $t2, $s0, 40', 'and $t2, $t2, $s5', 'add.d $t2, $t2, $s4', 'jirl $ra, $t2, 0'],
];
const LOOP = [...PROGRAM, `b ${-4 * PROGRAM.length}`];
/** A loop has so many instructions, with the function that it calls. */
const LENGTH = LOOP.length + 2;

function prepared(linearRam: number | undefined, engine: EngineKind = 'auto', cpus = 1): TestMachine {
  const t = new TestMachine({ ramSize: RAM, linearRam, engine, cpus, code: LOOP });
  for (let n = 0; n < 64; n++) t.code(FUNCTIONS + n * MIB, [`addi.d $s3, $s3, ${n}`, 'jirl $zero, $ra, 0']);
  t.setHost({ EUEN: 3 });
  t.set({ $t0: HIGH, $s0: 0x123456789abcdefn, $s2: 0xffffff8, $s4: FUNCTIONS, $s5: 0x3f00000, $s3: 0 });
  for (const cpu of t.machine.cpus.slice(1)) {
    for (let n = 0; n < 32; n++) cpu.setGpr(n, t.cpu.gpr(n));
    cpu.setGpr(23, 0xfedcba987654321n);
    cpu.host.put(2, 3n);
    cpu.contextChanged();
    cpu.pc = BigInt(CODE);
    cpu.parked = false;
  }
  return t;
}

/** Runs a machine to an instruction count. */
function runTo(machine: Machine, until: number): void {
  while (machine.instructions < until) expect(machine.run(until, until)).toBe('slice');
}

describe('RAM beyond linear memory', () => {
  test.each(['interpreter', 'auto', 'jit'] as const)('the same as with room for everything: %s', (engine) => {
    const small = prepared(LINEAR, engine);
    const large = prepared(undefined, engine);
    for (const loops of [1000, 2500]) {
      for (const t of [small, large]) runTo(t.machine, loops * LENGTH);
      expect(differences(small.machine, large.machine)).toEqual([]);
    }
    expect(small.machine.ram.touched).toBe(large.machine.ram.touched);
    expect([...small.machine.ram.outsideContents].length).toBeGreaterThan(100);
  });

  test('two CPUs in turns', () => {
    const small = prepared(LINEAR, 'auto', 2);
    const large = prepared(undefined, 'auto', 2);
    for (const t of [small, large]) runTo(t.machine, 3000 * LENGTH);
    expect(differences(small.machine, large.machine)).toEqual([]);
  });

  test('instruction by instruction, as a debugger steps', () => {
    const small = prepared(LINEAR);
    const large = prepared(undefined);
    for (const t of [small, large]) for (let n = 0; n < 400 * LENGTH; n++) t.machine.step(t.cpu);
    expect(small.machine.instructions).toBe(400 * LENGTH);
    expect(differences(small.machine, large.machine)).toEqual([]);
  });

  test('a run that is repeated from a copy, and goes on from a snapshot', () => {
    const first = prepared(LINEAR);
    const { machine } = first;
    runTo(machine, 800 * LENGTH);
    const snapshot = takeSnapshot(machine, 'test');
    const copy = machine.save();
    runTo(machine, 1600 * LENGTH);
    const end = prepared(undefined);
    runTo(end.machine, 1600 * LENGTH);
    expect(differences(machine, end.machine)).toEqual([]);
    machine.restore(copy);
    expect(machine.instructions).toBe(800 * LENGTH);
    runTo(machine, 1600 * LENGTH);
    expect(differences(machine, end.machine)).toEqual([]);
    // In another machine, and in one with room for everything.
    for (const linear of [LINEAR, undefined]) {
      const other = new TestMachine({ ramSize: RAM, linearRam: linear });
      applySnapshot(other.machine, snapshot);
      runTo(other.machine, 1600 * LENGTH);
      expect(differences(other.machine, end.machine)).toEqual([]);
    }
  });

  test('a debugger goes back in the history', () => {
    const { machine } = prepared(LINEAR);
    const history = new History(machine, []);
    history.enable(true);
    const to = (position: number): void => {
      while (history.position < position) expect(history.run(position, position)).toBe('slice');
    };
    to(1500 * LENGTH);
    const end = stateDigest(machine);
    history.goto(700 * LENGTH);
    const middle = prepared(undefined);
    runTo(middle.machine, 700 * LENGTH);
    expect(differences(machine, middle.machine)).toEqual([]);
    history.goto(1500 * LENGTH);
    expect(stateDigest(machine)).toEqual(end);
  });

  test('a copy does not change when its machine runs on', () => {
    const { machine } = prepared(LINEAR);
    runTo(machine, 800 * LENGTH);
    const { ram } = machine.save();
    const before = new Map([...ram].map(([n, bytes]) => [n, bytes.slice()]));
    machine.ram.write(HIGH + 200 * MIB, new Uint8Array(32 * MIB).fill(0x5a));
    runTo(machine, 1600 * LENGTH);
    for (const [n, bytes] of ram) expect([n, Buffer.compare(bytes, before.get(n)!)]).toEqual([n, 0]);
  });

  /** Executes one instruction. */
  function step(t: TestMachine, pc: number): void {
    t.pc = pc;
    t.machine.step(t.cpu);
  }

  /** Uses all of high RAM but its first chunk, as a program would. So what is in use elsewhere leaves. */
  function useAllElse(t: TestMachine): void {
    t.code(CODE + 0x2000, ['b 0']);
    for (let n = 0; n < 1024; n++) {
      if (t.machine.ram.crowded) step(t, CODE + 0x2000);
      t.machine.ram.linearAddress(HIGH + (1 + (n % 255)) * MIB);
    }
  }

  test('LL before chunks leave, SC after it', () => {
    const t = prepared(LINEAR);
    const { machine } = t;
    const [LL, SC] = [CODE + 0x1000, CODE + 0x1004];
    t.code(LL, ['ll.d $a1, $t0, 0', 'sc.d $a1, $t0, 0']);
    step(t, LL);
    const snapshot = takeSnapshot(machine, 'test');
    useAllElse(t);
    step(t, SC);
    expect(t.get('$a1')).toBe(1n);
    // In another machine the chunk has another linear address.
    const other = new TestMachine({ ramSize: RAM, linearRam: LINEAR });
    other.machine.ram.linearAddress(HIGH + 77 * MIB);
    applySnapshot(other.machine, snapshot);
    step(other, SC);
    expect(other.get('$a1')).toBe(1n);
  });

  test('hot code whose chunk is away is not translated from what is in its place', () => {
    const t = prepared(LINEAR);
    for (let n = 0; n < 256; n++) t.code(HIGH + n * MIB, ['addi.d $s3, $s3, 99', 'jirl $zero, $ra, 0']);
    step(t, FUNCTIONS + 5 * MIB);
    const page = t.cpu.fast.fetchEntry(FUNCTIONS + 5 * MIB, 0);
    t.machine.regions!.hot(page);
    useAllElse(t);
    t.machine.regions!.translate();
    t.code(CODE, [...Array<string>(1000).fill('jirl $ra, $t2, 0'), 'b 0']);
    t.set({ $s3: 0, $t2: FUNCTIONS + 5 * MIB });
    t.pc = CODE;
    t.run(3 * 1000);
    expect(t.get('$s3')).toBe(5000n);
  });

  test('code that changes while its chunk is away is executed as it is then', () => {
    const t = prepared(LINEAR, 'jit');
    runTo(t.machine, 1000 * LENGTH);
    expect([...t.machine.ram.outsideContents].length).toBeGreaterThan(200);
    for (let n = 0; n < 64; n++) t.code(FUNCTIONS + n * MIB, ['addi.d $s6, $s6, 1', 'jirl $zero, $ra, 0']);
    t.set({ $s6: 0 });
    runTo(t.machine, 1500 * LENGTH);
    expect(t.get('$s6')).toBe(500n);
  });
});
