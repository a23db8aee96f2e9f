/** Stores that wait: what other CPUs see meanwhile, what ends the waiting, and what the architecture never allows. */
import { describe, expect, test } from 'vitest';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { CRMD } from '../../src/emu/cpu/csr-fields.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { SLICE } from '../../src/emu/machine/machine.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import { type Decision, ListedChooser } from '../../src/emu/perturb/decisions.ts';
import type { Taken } from '../../src/emu/perturb/perturbation.ts';
import { MOST_WAIT, packWait, type StoreWait, waitOf } from '../../src/emu/perturb/store-wait.ts';
import { History } from '../../src/emu/replay/history.ts';
import { xorshift } from '../../src/emu/runtime/xorshift.ts';
import { fits } from '../../src/emu/state/state-check.ts';
import { CODE, register, TestMachine } from '../support/test-machine.ts';

const OTHER_CODE = CODE + 0x1000;
const VECTOR = CODE + 0x2000;
/** Words that both CPUs know: $a0 and $a1, in two cache lines; $a2 is the UART, $a3 an address without anything. */
const X = 0x20000;
const Y = 0x20400;
const NOWHERE = 0x7000_0000_0000n;

class Two extends TestMachine {
  readonly taken: Taken[] = [];
  readonly other: Cpu;

  /** Two CPUs that run a program each and then idle. @param type CRMD.DATM */
  constructor(
    codes: readonly [readonly string[], readonly string[]],
    decisions: readonly Decision[],
    { type = 1, engine = 'auto' }: { type?: number; engine?: EngineKind } = {},
  ) {
    super({ cpus: 2, engine });
    this.code(CODE, [...codes[0], 'idle 0'])
      .code(OTHER_CODE, [...codes[1], 'idle 0'])
      .code(VECTOR, ['idle 0']);
    const { cpus, perturbation } = this.machine;
    this.other = cpus[1]!;
    this.other.parked = false;
    this.other.pc = BigInt(OTHER_CODE);
    for (const cpu of cpus) {
      for (let n = 1; n < 32; n++) cpu.setGpr(n, 0n);
      [BigInt(X), BigInt(Y), BigInt(PLATFORM.uarts[0]!.base), NOWHERE].forEach((v, n) => {
        cpu.setGpr(register('a0') + n, v);
      });
      cpu.host.update(CSR.CRMD, CRMD.DATM, type * (CRMD.DATM & -CRMD.DATM));
      cpu.host.setLo(CSR.EENTRY, VECTOR);
      cpu.contextChanged();
    }
    perturbation.listen((d) => this.taken.push(d));
    perturbation.begin(new ListedChooser(decisions));
  }

  /** Runs until both CPUs idle. */
  finish(): this {
    while (this.machine.run(SLICE) === 'slice');
    return this;
  }

  seen(name: string): bigint {
    return this.other.gpr(register(name));
  }

  get digest(): object {
    return Object.fromEntries(stateDigest(this.machine));
  }
}

const wait = (icount: number, w: Partial<StoreWait> = {}, cpu = 0): Decision => ({
  ...{ dial: 'store', cpu, icount },
  value: packWait({ instructions: 2, early: 0, ticks: 5, ...w }),
});
const nops = (n: number): string[] => new Array<string>(n).fill('addi.d $zero, $zero, 0');
/** Looks at X and Y now, and again after the first CPU has gone on. */
const LOOK = ['ld.d $t1, $a1, 0', 'ld.d $t0, $a0, 0', ...nops(30), 'ld.d $t3, $a1, 0', 'ld.d $t2, $a0, 0'];
const seenBy = (m: Two): bigint[] => ['t0', 't1', 't2', 't3'].map((r) => m.seen(r));

describe('a store that waits', () => {
  test('is seen by its own CPU at once, and by the other one when the CPU goes on', () => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', 'ld.d $t1, $a0, 0', ...nops(3)];
    const m = new Two([code, LOOK], [wait(1)]).finish();
    expect(m.get('t1')).toBe(7n);
    expect(seenBy(m)).toEqual([0n, 0n, 7n, 0n]);
    expect(m.taken).toEqual([{ ...wait(1), position: 3 }]);
    expect(seenBy(new Two([code, LOOK], []).finish())).toEqual([7n, 0n, 7n, 0n]);
  });

  test('may be overtaken by a later one, unless that changes the same bytes', () => {
    const code = (second: string): string[] => ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', second, ...nops(3)];
    const early = [wait(1, { early: 0b10 })];
    expect(seenBy(new Two([code('st.d $t0, $a1, 0'), LOOK], early).finish())).toEqual([0n, 7n, 7n, 7n]);
    expect(seenBy(new Two([code('st.b $zero, $a0, 0'), LOOK], early).finish())).toEqual([0n, 0n, 0n, 0n]);
    expect(seenBy(new Two([code('st.b $t0, $a0, 1'), LOOK], early).finish())).toEqual([0n, 0n, 0x707n, 0n]);
  });

  test('of vectors, and across two pages, waits as a whole', () => {
    const code = ['vst $vr1, $a0, 0', 'st.d $t0, $a0, -4', ...nops(3)];
    const look = ['ld.d $t0, $a0, -8', 'ld.d $t1, $a0, 8', ...nops(30), 'ld.d $t2, $a0, -8', 'ld.d $t3, $a0, 8'];
    const m = new Two([code, look], [wait(0)]);
    m.setHost({ EUEN: 7 });
    m.set({ t0: 0x1122334455667788n });
    m.setFpr(1, 5n);
    m.finish();
    expect(seenBy(m)).toEqual([0n, 0n, 0x5566778800000000n, 0n]);
    expect(m.peek(X)).toBe(0x11223344n);
    expect(m.taken).toHaveLength(1);
  });

  test('can wait for as many as the buffer has entries', () => {
    const code = [...new Array<string>(12).fill('st.d $a0, $a0, 0'), ...nops(3)];
    expect(new Two([code, LOOK], [wait(0, { instructions: 40 })]).finish().taken[0]!.position).toBe(8);
  });

  test.each([
    'dbar 0',
    'ibar 0',
    'll.d $t1, $a0, 0',
    'sc.d $t1, $a0, 0',
    'amadd.d $t1, $t0, $a0',
    'amadd_db.d $t1, $t0, $a0',
    'csrrd $t1, SAVE0',
    'iocsrrd.d $t1, $a2',
    'tlbfill',
    'invtlb 0, $zero, $zero',
    'syscall 0',
    'ertn',
    'idle 0',
  ])('is done before %s', (line) => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', ...nops(4), line, ...nops(20)];
    const m = new Two([code, LOOK], [wait(1, { instructions: 20 })]);
    m.cpu.host.setLo(CSR.ERA, CODE + 7 * 4);
    m.cpu.host.setLo(CSR.PRMD, 0);
    m.finish();
    expect(m.taken.map((d) => d.position)).toEqual([6]);
    expect(seenBy(m)[0]).toBe(0n);
    expect(m.peek(X)).not.toBe(0n);
    const all = new Two([[...code.slice(0, 6), ...nops(20)], LOOK], [wait(1, { instructions: 20 })]).finish();
    expect(all.taken.map((d) => d.position)).toEqual([21]);
  });

  test.each(['ld.b $t1, $a2, 5', 'st.b $t0, $a2, 0', 'ld.d $t1, $a3, 0'])('has waited enough at %s', (line) => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', line, 'st.d $t0, $a1, 0', ...nops(20)];
    const m = new Two([code, LOOK], [wait(1, { instructions: 20 })]).finish();
    expect(m.taken).toEqual([]);
    expect(seenBy(m)[0]).toBe(7n);
  });

  test('is not strongly ordered', () => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', ...nops(20)];
    expect(new Two([code, LOOK], [wait(1)], { type: 0 }).finish().taken).toEqual([]);
    expect(new Two([code, LOOK], [wait(1)], { type: 2 }).finish().taken).toHaveLength(1);
  });

  test('never waits where there is one CPU', () => {
    const m = new TestMachine({ code: ['st.d $a0, $a0, 0', 'idle 0'] });
    m.cpu.host.update(CSR.CRMD, CRMD.DATM, CRMD.DATM & -CRMD.DATM);
    const taken: Taken[] = [];
    m.machine.perturbation.listen((d) => taken.push(d));
    m.machine.perturbation.begin(new ListedChooser([wait(0)]));
    m.set({ a0: X }).run(5);
    expect([m.peek(X), taken]).toEqual([BigInt(X), []]);
  });

  test('breaks the link of another CPU when it is done', () => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', ...nops(3)];
    const linked = ['ll.d $t0, $a0, 0', ...nops(20), 'addi.d $t1, $zero, 1', 'sc.d $t1, $a0, 0'];
    const m = new Two([code, linked], [wait(1, { instructions: 1 })]).finish();
    expect([m.seen('t0'), m.seen('t1'), m.peek(X)]).toEqual([0n, 0n, 7n]);
  });

  test('comes after what another CPU stores and exchanges meanwhile', () => {
    const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', ...nops(3)];
    const meanwhile = ['addi.d $t0, $zero, 3', 'amadd_db.d $t1, $t0, $a0', 'ld.d $t2, $a0, 0', ...nops(20)];
    const m = new Two([code, meanwhile], [wait(1, { instructions: 1 })]).finish();
    expect([m.seen('t1'), m.seen('t2'), m.peek(X)]).toEqual([0n, 3n, 7n]);
  });

  test('changes decoded code when it is done, for both CPUs', () => {
    // The CPU replaces an instruction of the other one's loop.
    const code = ['st.w $t0, $t1, 0', ...nops(40)];
    const loop = ['addi.d $t0, $t0, 1', 'addi.d $t1, $zero, 60', 'bltu $t0, $t1, -8'];
    const m = new Two([code, loop], [wait(0, { instructions: 1, ticks: 30 })]);
    m.code(0x30000, ['addi.d $t0, $t0, 100']);
    m.set({ t0: BigInt.asUintN(32, m.peek(0x30000)), t1: OTHER_CODE }).finish();
    // Ten times the old instruction, and once more in the round that ends; then the new one.
    expect(m.seen('t0')).toBe(111n);
  });
});

describe('what others do within the stores that may wait', () => {
  const code = ['addi.d $t0, $zero, 7', 'st.d $t0, $a0, 0', ...nops(30)];
  const inside = (): Two => {
    const m = new Two([code, ['st.d $a0, $a0, 0', ...nops(30)]], [wait(1, { instructions: 20 })]);
    m.machine.run(SLICE, 4);
    expect([m.cpu.icount, m.peek(X)]).toEqual([4, 7n]);
    return m;
  };

  test('a step of another CPU, a device and a debugger are not undone', () => {
    const stepped = inside();
    stepped.machine.step(stepped.other);
    expect(stepped.finish().peek(X)).toBe(BigInt(X));
    const written = inside();
    written.machine.store(X, Uint8Array.of(9));
    expect([written.peek(X), written.finish().peek(X), written.taken.length]).toEqual([9n, BigInt(X), 0]);
  });

  test('a CPU that a debugger keeps waits with its stores done', () => {
    const m = inside();
    m.cpu.frozen = true;
    m.machine.run(SLICE);
    expect([m.peek(X), m.taken.length]).toEqual([BigInt(X), 0]);
    m.cpu.frozen = false;
    expect(m.finish().peek(X)).toBe(BigInt(X));
  });

  test('a step of a CPU whose stores wait does them first', () => {
    const m = new Two([code, nops(30)], [wait(1)]);
    m.machine.run(SLICE, 4);
    expect([m.cpu.icount, m.other.icount, m.peek(X)]).toEqual([3, 1, 0n]);
    m.machine.step(m.cpu);
    expect([m.cpu.icount, m.peek(X)]).toEqual([4, 7n]);
  });

  test('a reset of the machine', () => {
    const m = new Two([code, nops(30)], [wait(1)]);
    m.machine.run(SLICE, 4);
    m.machine.reset();
    m.machine.run(SLICE, 4);
    expect(m.peek(X)).toBe(0n);
  });
});

/** Decisions close to each other, for both CPUs. */
function crowd(seed: number, length: number): Decision[] {
  let state = 0x9e3779b9 * seed;
  const below = (n: number): number => ((state = xorshift(state)) >>> 8) % n;
  return [0, 1].flatMap((cpu) => {
    const list: Decision[] = [];
    for (let icount = below(60); icount < length; icount += 1 + below(90))
      list.push(
        wait(
          icount,
          { instructions: 1 + below(40), early: below(2) * below(256), ticks: 1 + below(below(5) ? 60 : 2000) },
          cpu,
        ),
      );
    return list;
  });
}

const ROUNDS = 300;
const LIMIT = `addi.d $s0, $zero, ${ROUNDS}`;
const crowds = Array.from({ length: 25 }, (_, n) => crowd(n + 1, 60 * ROUNDS));
const COUNT = 'addi.d $t0, $t0, 1';
/** How often $s1 of the second CPU says that something was wrong, over many lists of decisions. */
const wrong = (...codes: readonly [readonly string[], readonly string[]]): bigint =>
  crowds.reduce((sum, list) => {
    const m = new Two(codes, list).finish();
    expect(m.taken.length).toBeGreaterThan(10);
    return sum + m.seen('s1') + m.get('s1');
  }, 0n);

describe('what is never seen', () => {
  const publish = (fence: readonly string[]): string[] => [
    LIMIT,
    ...[COUNT, 'st.d $t0, $a0, 0', ...fence, 'st.d $t0, $a1, 0'],
    `bltu $t0, $s0, ${-4 * (3 + fence.length)}`,
  ];
  const take = [
    LIMIT,
    ...['ld.d $t0, $a1, 0', 'dbar 0', 'ld.d $t1, $a0, 0', 'sltu $t2, $t1, $t0', 'add.d $s1, $s1, $t2'],
    'bltu $t0, $s0, -20',
  ];

  test('a message before its content, where there are barriers; without them it is seen', () => {
    expect(wrong(publish(['dbar 0']), take)).toBe(0n);
    expect(wrong(publish([]), take)).toBeGreaterThan(0n);
  });

  test('an older value of a word after a newer one', () => {
    const again = [
      LIMIT,
      ...['ld.d $t0, $a1, 0', 'ld.d $t1, $a1, 0', 'sltu $t2, $t1, $t0', 'add.d $s1, $s1, $t2'],
      'bltu $t1, $s0, -16',
    ];
    expect(wrong(publish([]), again)).toBe(0n);
  });

  test('by a CPU, another value than it has stored', () => {
    const own = [
      LIMIT,
      ...[COUNT, 'st.d $t0, $a0, 0', 'st.b $t0, $a0, 9', 'ld.d $t1, $a0, 0', 'xor $t2, $t1, $t0'],
      ...['sltu $t2, $zero, $t2', 'add.d $s1, $s1, $t2', 'ld.bu $t1, $a0, 9', 'xor $t2, $t1, $t0'],
      ...['andi $t2, $t2, 255', 'sltu $t2, $zero, $t2', 'add.d $s1, $s1, $t2', 'bltu $t0, $s0, -48'],
    ];
    expect(wrong(own, publish([]).slice(0, 3))).toBe(0n);
  });

  test('that an atomic addition is lost, by amadd or by ll and sc', () => {
    const add = [
      LIMIT,
      'addi.d $t1, $zero, 1',
      ...[COUNT, 'st.d $t0, $a0, 8', 'amadd.d $zero, $t1, $a0', 'bltu $t0, $s0, -12'],
    ];
    const link = [
      LIMIT,
      ...[COUNT, 'st.d $t0, $a0, 16', 'll.d $t1, $a0, 0', 'addi.d $t1, $t1, 1', 'sc.d $t1, $a0, 0'],
      ...['beq $t1, $zero, -12', 'bltu $t0, $s0, -24'],
    ];
    for (const list of crowds) expect(new Two([add, link], list).finish().peek(X)).toBe(BigInt(2 * ROUNDS));
  });
});

describe('the same run', () => {
  const code: readonly [readonly string[], readonly string[]] = [
    [
      LIMIT,
      ...[COUNT, 'st.d $t0, $a0, 0', 'st.w $t0, $a1, 4', 'ld.d $t1, $a1, 0', 'add.d $s1, $s1, $t1', 'st.d $s1, $a0, 8'],
      'bltu $t0, $s0, -24',
    ],
    [
      LIMIT,
      ...[
        COUNT,
        'ld.d $t1, $a0, 0',
        'st.w $t1, $a1, 0',
        'amadd.d $t2, $t1, $a0',
        'ld.d $t3, $a0, 8',
        'add.d $s1, $s1, $t3',
      ],
      'bltu $t0, $s0, -24',
    ],
  ];
  const lists = [3, 4, 5].map((seed) => crowd(seed, 8 * ROUNDS));

  test.each(lists)('on each engine, and wherever it is interrupted', (...list) => {
    const [first, ...others] = (['interpreter', 'jit', 'auto'] as const).map((engine) =>
      new Two(code, list, { engine }).finish(),
    );
    expect(first!.taken.length).toBeGreaterThan(20);
    const cut = new Two(code, list);
    for (let until = 1; cut.machine.run(SLICE, until) === 'slice'; until = cut.machine.instructions + 1 + (until % 5));
    for (const m of [...others, cut]) {
      expect(m.digest).toEqual(first!.digest);
      expect(m.taken).toEqual(first!.taken);
    }
  });

  test('from a copy that was made while stores wait, or may', () => {
    const [list] = lists as [Decision[]];
    const whole = new Two(code, list).finish();
    const found = { waiting: 0, recorded: 0 };
    const one = new Two(code, list);
    for (let at = 100; at < 1500; at += 7) {
      one.machine.run(SLICE, at);
      const { perturbation } = one.machine;
      const fields = JSON.stringify(perturbation.stores);
      if (!/"waiting":\[\]/.test(fields)) found.waiting++;
      if (!/"recorded":\[\]/.test(fields)) found.recorded++;
      const second = new Two(code, list);
      second.machine.restore(one.machine.save());
      expect(second.finish().digest).toEqual(whole.digest);
    }
    expect(found.waiting).toBeGreaterThan(10);
    expect(found.recorded).toBeGreaterThan(10);
    expect(one.finish().digest).toEqual(whole.digest);
  });

  test('backwards, and in steps', () => {
    const [list] = lists as [Decision[]];
    const whole = new Two(code, list).finish();
    const m = new Two(code, list);
    const history = new History(m.machine, []);
    history.enable(true);
    const states = new Map<number, object>();
    for (let at = 0; at < 1200; at += 11) {
      while (history.position < at) history.run(SLICE, at);
      states.set(at, m.digest);
    }
    for (const [at, state] of [...states].reverse()) {
      history.goto(at);
      expect(m.digest).toEqual(state);
    }
    for (let n = 0; n < 1500; n++) {
      const next = m.machine.nextCpu();
      if (!next) break;
      if (m.machine.runsNext(next)) history.step(next, false);
      else history.run(SLICE, history.position + 1);
    }
    while (history.run(SLICE) === 'slice');
    expect(m.digest).toEqual(whole.digest);
  });
});

describe('values of the dial', () => {
  test('say what they were made of, and every number says something', () => {
    for (const instructions of [1, MOST_WAIT.instructions])
      for (const early of [0, 1, MOST_WAIT.early])
        for (const ticks of [1, MOST_WAIT.ticks]) {
          const value = packWait({ instructions, early, ticks });
          expect(value).toBeGreaterThan(0);
          expect(waitOf(value)).toEqual({ instructions, early, ticks });
        }
    expect(waitOf(64)).toEqual({ instructions: 1, early: 1, ticks: 1 });
    expect(waitOf(2 ** 40).ticks).toBe(MOST_WAIT.ticks);
  });

  test('of a snapshot are looked at before they are taken', () => {
    const { stores } = new Two([[], []], []).machine.perturbation;
    const good = { icount: 3, pa: X, bytes: [1, 2] };
    const state = (s: object): object => ({ cpu: -1, began: 0, value: 0, recorded: [], waiting: [], ...s });
    const taken = (s: object): boolean => fits(stores, state(s));
    expect(taken({ recorded: [good], waiting: [{ cpu: 1, stores: [good] }] })).toBe(true);
    expect(taken({ cpu: 2 })).toBe(false);
    expect(taken({ waiting: [{ cpu: 2, stores: [good] }] })).toBe(false);
    for (const bad of [{ pa: 0x1fe00000 }, { pa: 1.5 }, { pa: -4 }, { bytes: [256] }, { bytes: new Array(9).fill(0) }])
      expect(taken({ recorded: [{ ...good, ...bad }] }), JSON.stringify(bad)).toBe(false);
  });
});
