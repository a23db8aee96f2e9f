/** Perturbed runs: the same seed gives the same run, on every engine, backwards, and from a recording without the seed. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { parseExplore } from '../../src/cli/explore/spec.ts';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { replayed } from '../../src/cli/recording/replay.ts';
import { start } from '../../src/cli/run.ts';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import { DIALS, type Dial } from '../../src/emu/cpu/chances.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { tellOfEntry } from '../../src/emu/cpu/exceptions.ts';
import { inputsAndChecks } from '../../src/emu/debug/recording.ts';
import { type Machine, SLICE } from '../../src/emu/machine/machine.ts';
import { type Decision, ListedChooser } from '../../src/emu/perturb/decisions.ts';
import type { Taken } from '../../src/emu/perturb/perturbation.ts';
import { ALL_DIALS, SeededChooser, STYLES, styleOf } from '../../src/emu/perturb/seeded.ts';
import { History } from '../../src/emu/replay/history.ts';
import { TestMachine } from '../support/test-machine.ts';

const SMP: MachineCli = {
  ...DEFAULT_MACHINE,
  smp: 2,
  guest: [parseGuest('smp,vcpus=2')],
  codeCache: false,
  quiet: true,
};
/** Seeds of different styles; in the runs of the last one stores wait. */
const SEEDS = [1, 3, 7];

interface Run {
  readonly machine: Machine;
  readonly decisions: Taken[];
  readonly console: string;
}

function ready(cli: MachineCli, image?: string): Run & { out: () => string } {
  let text = '';
  const { machine } = boot(image && join(PROJECT_ROOT, image), cli, (byte) => {
    text += String.fromCharCode(byte);
  });
  const decisions: Taken[] = [];
  machine.perturbation.listen((d) => decisions.push(d));
  return { machine, decisions, console: '', out: () => text };
}

/** Runs to the power-off. */
function whole(cli: MachineCli, budget = SLICE, image?: string): Run {
  const run = ready(cli, image);
  for (;;) {
    const result = run.machine.run(budget);
    if (result === 'poweroff') break;
    if (result !== 'slice') throw new Error(`the machine ends with ${result}`);
  }
  return { ...run, console: run.out() };
}

const plain = (d: Decision): Decision => ({ dial: d.dial, cpu: d.cpu, icount: d.icount, value: d.value });
const digest = ({ machine }: Run): object => Object.fromEntries(stateDigest(machine));

describe('perturbed runs', () => {
  test.each(SEEDS)('seed %i: the same run on each engine, and another one than without', (seed) => {
    const explore = { seed, dials: ALL_DIALS };
    const runs = (['interpreter', 'jit', 'auto'] as const).map((engine) => whole({ ...SMP, engine, explore }));
    const [first] = runs;
    expect(first!.console).toContain('guest smp stopped with status 0');
    expect(first!.decisions.length).toBeGreaterThan(10);
    for (const run of runs.slice(1)) {
      expect(digest(run)).toEqual(digest(first!));
      expect(run.decisions).toEqual(first!.decisions);
    }
    expect(first!.machine.instructions).not.toBe(whole(SMP).machine.instructions);
  });

  test('its decisions, as a list, make the run without the seed; an empty list is the usual run', () => {
    const seeded = whole({ ...SMP, explore: { seed: 7, dials: ALL_DIALS } });
    const listed = whole({ ...SMP, decisions: seeded.decisions.map(plain) });
    expect(digest(listed)).toEqual(digest(seeded));
    expect(listed.decisions).toEqual(seeded.decisions);
    expect(digest(whole({ ...SMP, decisions: [] }))).toEqual(digest(whole(SMP)));
  });

  test('where the run is interrupted does not matter', () => {
    const explore = { seed: 7, dials: ALL_DIALS };
    const { machine, decisions } = ready({ ...SMP, explore });
    let until = 0;
    while (machine.run(SLICE, (until += 37_717)) !== 'poweroff') until = machine.instructions;
    const other = whole({ ...SMP, explore });
    expect(decisions.map(plain)).toEqual(other.decisions.map(plain));
    expect(digest({ machine, decisions, console: '' })).toEqual(digest(other));
  });

  test('going back in it comes to the same states', () => {
    const { machine } = ready({ ...SMP, explore: { seed: 7, dials: ALL_DIALS } });
    const history = new History(machine, []);
    history.enable(true);
    const seen = new Map<number, object>();
    const look = (): object => Object.fromEntries(stateDigest(machine));
    for (let at = 1_000_000; at <= 4_000_000; at += 600_001) {
      while (history.position < at) history.run(SLICE, at);
      seen.set(history.position, look());
    }
    for (const [at, state] of [...seen].reverse()) {
      expect(history.goto(at)).toBe(at);
      expect(look()).toEqual(state);
    }
  });

  test.each(DIALS)('%s alone decides only what it is for', (dial) => {
    const dials = Object.fromEntries(DIALS.map((d) => [d, d === dial])) as Record<Dial, boolean>;
    const decisions = SEEDS.flatMap((seed) => whole({ ...SMP, explore: { seed, dials } }).decisions);
    expect(new Set(decisions.map((d) => d.dial))).toEqual(new Set(decisions.length > 0 ? [dial] : []));
    // Links are held for a few instructions, and turns end there seldom; this guest has no devices.
    if (!['sc', 'device', 'order'].includes(dial)) expect(decisions).not.toEqual([]);
  });
});

describe('requests to a device that answers late', () => {
  const image = join('build/races', 'order.elf');
  beforeAll(async () => {
    if (!existsSync(join(PROJECT_ROOT, image))) await execa('./scripts/build-races', { cwd: PROJECT_ROOT });
  });
  const cli: MachineCli = { ...DEFAULT_MACHINE, smp: 2, virtio: 'mmio', codeCache: false, quiet: true };
  const dials = Object.fromEntries(DIALS.map((d) => [d, d === 'order'])) as Record<Dial, boolean>;

  test('the same run on each engine, wherever it is interrupted, from a list, and going back', () => {
    const explore = { seed: 1, dials };
    const runs = (['interpreter', 'jit', 'auto'] as const).map((engine) =>
      whole({ ...cli, engine, explore }, SLICE, image),
    );
    const [first] = runs;
    expect(first!.console).toContain('WRONG');
    expect(first!.decisions.map((d) => d.dial)).toEqual(first!.decisions.map(() => 'order'));
    expect(first!.decisions.length).toBeGreaterThan(0);
    runs.push(whole({ ...cli, decisions: first!.decisions.map(plain) }, SLICE, image));
    const cut = ready({ ...cli, explore }, image);
    for (let until = 0; cut.machine.run(SLICE, (until += 3717)) !== 'poweroff'; ) until = cut.machine.instructions;
    for (const run of [...runs.slice(1), cut]) expect(digest(run)).toEqual(digest(first!));
    const { machine } = ready({ ...cli, explore }, image);
    const history = new History(machine, []);
    history.enable(true);
    const at = first!.decisions[0]!.position + 100;
    while (history.position < at) history.run(SLICE, at);
    const there = Object.fromEntries(stateDigest(machine));
    while (history.position < 2 * at) history.run(SLICE, 2 * at);
    expect(history.goto(at)).toBe(at);
    expect(Object.fromEntries(stateDigest(machine))).toEqual(there);
  });
});

describe('a recording of a perturbed run', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'loongscope-explore-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('has its decisions, and replays without the seed on another engine', async () => {
    const record = join(folder, 'run.recording');
    const explore = { seed: 3, dials: ALL_DIALS };
    const running = await start(undefined, { ...SMP, explore, record }, () => {});
    await running.done;
    const recording = readRecording(record);
    expect(recording.description.options).not.toHaveProperty('explore');
    expect(inputsAndChecks(recording.entries).length).toBeGreaterThan(0);
    const { image, cli } = replayed(recording, { engine: 'interpreter', quiet: true });
    expect(cli.decisions!.length).toBeGreaterThan(100);
    let text = '';
    const again = await start(image, { ...cli, codeCache: false }, (bytes) => {
      text += Buffer.from(bytes).toString();
    });
    expect(await again.done).toBe(0);
    expect(text).toContain('guest smp stopped with status 0');
    expect(again.control.machine.instructions).toBe(running.control.machine.instructions);
    // Without its decisions it is another run.
    const other = await start(image, { ...cli, decisions: [], codeCache: false }, () => {});
    expect(await other.done).not.toBe(0);
  });
});

describe('single decisions', () => {
  const LOOP = ['addi.d $t0, $t0, 1', 'b -4'];
  const on = (decisions: readonly Decision[], cpus = 1): TestMachine => {
    const m = new TestMachine({ cpus, code: LOOP });
    m.machine.perturbation.begin(new ListedChooser(decisions));
    return m;
  };

  test('quantum: the clock goes on while the CPU does not', () => {
    const { machine, cpu } = on([{ dial: 'quantum', cpu: 0, icount: 100, value: 5000 }]);
    machine.run(20_000, 100);
    expect([cpu.icount, machine.time]).toEqual([100, 100]);
    machine.run(20_000, 101);
    expect([cpu.icount, machine.time]).toEqual([101, 5101]);
  });

  test('timer: the expiry comes late, and TVAL shows the end of the count', () => {
    const { machine, cpu } = on([]);
    cpu.hostTimer.lateness = () => 300;
    cpu.host.setLo(CSR.TCFG, 0x1001);
    cpu.hostTimer.configure(machine.time, 0);
    expect(cpu.hostTimer.deadline - machine.time).toBe(0x1000 + 300);
    expect(cpu.hostTimer.value(machine.time)).toBe(0x1000);
    expect(cpu.hostTimer.value(machine.time + 0x1010)).toBe(0);
    expect(cpu.hostTimer.expire(machine.time + 0x1010)).toBe(false);
    expect(cpu.hostTimer.expire(machine.time + 0x1000 + 300)).toBe(true);
  });

  test('irq: a pending interrupt is taken so many instructions later', () => {
    const taken = (value: number): number => {
      const { machine, cpu } = on(value > 0 ? [{ dial: 'irq', cpu: 0, icount: 50, value }] : []);
      let at = -1;
      cpu.observe({
        exception: (c) => {
          if (at < 0) at = c.icount;
        },
      });
      machine.run(20_000, 50);
      cpu.host.setLo(CSR.ECFG, 1);
      cpu.host.setLo(CSR.ESTAT, 1);
      cpu.host.update(CSR.CRMD, 4, 4);
      machine.run(20_000, 120);
      return at;
    };
    expect(taken(0)).toBe(50);
    expect(taken(9)).toBe(59);
  });

  test('sc: the end of a turn breaks the link, and nothing else that interrupts the run', () => {
    const linked = (decisions: readonly Decision[], until: number): number => {
      // A round of 100 instructions, in which CPU 0 has the first turn.
      const { machine, cpu } = on(decisions, 2);
      machine.run(100, 10);
      cpu.setStateI32('llBit', 1);
      machine.run(100, until);
      return cpu.linkedAt;
    };
    const breaks = (icount: number): readonly Decision[] => [{ dial: 'sc', cpu: 0, icount, value: 1 }];
    expect(linked([], 100)).toBeGreaterThanOrEqual(0);
    expect(linked(breaks(100), 100)).toBe(-1);
    expect(linked(breaks(20), 20)).toBeGreaterThanOrEqual(0);
    expect(linked(breaks(20), 100)).toBeGreaterThanOrEqual(0);
  });

  test('age: at a guest entry the stage-2 entries vanish that are old enough; no others do', () => {
    const left = (value: number): number[] => {
      const m = new TestMachine({ code: LOOP });
      const { machine, cpu } = m;
      const { htlb } = cpu;
      machine.perturbation.begin(new ListedChooser([{ dial: 'age', cpu: 0, icount: 500, value }]));
      [1, 0, 1, 2].forEach((gid, i) => {
        htlb.e[i] = 1;
        htlb.setKey(i, 0x100 + i, 12, gid, 0);
        htlb.filledAt[i] = [0, 0, 400, 100][i]!;
      });
      machine.run(20_000, 500);
      tellOfEntry(cpu);
      return [0, 1, 2, 3].filter((i) => htlb.e[i]);
    };
    expect(left(501)).toEqual([0, 1, 2, 3]);
    expect(left(500)).toEqual([1, 2, 3]);
    expect(left(400)).toEqual([1, 2]);
    expect(left(1)).toEqual([1]);
  });

  test('ipi and device: a line rises late, unless it falls before', () => {
    const { machine, cpu } = on([{ dial: 'device', cpu: 0, icount: 0, value: 400 }]);
    const line = (level: boolean): void => machine.perturbation.line(0, 3, level, machine.time);
    line(true);
    expect([cpu.lines, machine.wakeTime]).toEqual([0, 400]);
    machine.run(1000, 399);
    expect(cpu.lines).toBe(0);
    machine.run(1000, 402);
    expect(cpu.lines).toBe(1 << 3);
    line(false);
    const second = on([{ dial: 'device', cpu: 0, icount: 0, value: 400 }]);
    second.machine.perturbation.line(0, 3, true, 0);
    second.machine.perturbation.line(0, 3, false, 0);
    second.machine.run(1000, 500);
    expect(second.cpu.lines).toBe(0);
  });
});

describe('seeds', () => {
  test('every style is some seed’s, and its stalls are found from anywhere', () => {
    expect(new Set(Array.from({ length: 200 }, (_, n) => styleOf(n)))).toEqual(new Set(STYLES));
    for (const seed of SEEDS) {
      const chooser = new SeededChooser(seed, ALL_DIALS);
      const first = chooser.next('quantum', 1, 0)!;
      const second = chooser.next('quantum', 1, first.icount + 1)!;
      expect(second.icount).toBeGreaterThan(first.icount);
      expect(chooser.next('quantum', 1, first.icount)).toEqual(first);
      expect(chooser.next('quantum', 1, second.icount)).toEqual(second);
    }
  });

  test.each([
    ['x', /'x' is no seed: write a whole number/],
    ['4294967296', /is no seed/],
    ['1,speed=on', /unknown dial 'speed': use quantum, irq, timer, ipi, device, tlb, sc, order, age, store/],
    ['1,tlb', /'tlb' is malformed: write DIAL=on or DIAL=off/],
    ['1,tlb=on,tlb=off', /tlb is both on and off/],
    [`1,${DIALS.map((d) => `${d}=off`).join(',')}`, /every dial is off/],
  ])('--explore %s', (text, message) => {
    expect(() => parseExplore(text)).toThrow(message);
  });

  test('dials that are not named are on', () => {
    expect(parseExplore('7,tlb=off,sc=on')).toEqual({ seed: 7, dials: { ...ALL_DIALS, tlb: false } });
  });
});
