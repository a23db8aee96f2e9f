/** `loongscope fuzz`: hypervisors that trust their guests are found out, reduced and recorded; the reference hypervisor stands. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Dice, type GuestInput, mutate } from '../../src/cli/explore/fuzz/input.ts';
import { inWords } from '../../src/cli/explore/fuzz/report.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { CodeCoverage } from '../../src/emu/debug/code-coverage.ts';

const variant = (name: string): string => join('build/variants', `hostile-${name}.elf`);
const folder = mkdtempSync(join(tmpdir(), 'loongscope-fuzz-'));
beforeAll(async () => {
  if (!existsSync(join(PROJECT_ROOT, variant('width')))) await execa('./scripts/build-variants', { cwd: PROJECT_ROOT });
});
afterAll(() => rmSync(folder, { recursive: true }));

const loongscope = (...args: string[]) =>
  execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args], {
    cwd: PROJECT_ROOT,
    reject: false,
  });
const fuzz = (output: string, ...args: string[]) => loongscope('fuzz', ...args, '--output', join(folder, output));

interface Json {
  readonly runs: number;
  readonly covered: number;
  readonly classes: readonly {
    readonly finding: { readonly kind: string; readonly text: string };
    readonly after: number;
    readonly deeds: GuestInput;
    readonly of: number;
    readonly recording: string;
  }[];
}
const report = (name: string): Json => JSON.parse(readFileSync(join(folder, name, 'report.json'), 'utf8')) as Json;

describe('planted mistakes', () => {
  /** Runs within which it must be found, what is told, and deeds that may be left. */
  test.each([
    ['hypercall', 32, 'exception', /^exception in the hypervisor: PIF in 0x0$/, 1],
    ['interrupts', 448, 'exception', /^exception in the hypervisor: ADEM in viointc_(read|write)$/, 2],
    ['width', 60_000, 'exception', /^exception in the hypervisor: \w+ in handle_mmio$/, 2],
  ] as const)('%s: found within %i runs, and reduced', async (name, runs, kind, text, most) => {
    const options = ['--runs', String(runs), '--stop-at-first', '--hypervisor', variant(name), '--guest', 'hello'];
    const { stdout, exitCode } = await fuzz(name, ...options);
    expect(exitCode).toBe(1);
    const [first] = report(name).classes;
    expect(first!.finding.kind).toBe(kind);
    expect(first!.finding.text).toMatch(text);
    expect(first!.deeds.length).toBeLessThanOrEqual(most);
    expect(first!.deeds.length).toBeGreaterThan(0);
    expect(stdout).toContain(`  loongscope replay ${first!.recording} --gdb 1234`);
  });

  test('the recording goes from the hostile guest to the exception, without other files', async () => {
    const { recording } = report('interrupts').classes[0]!;
    rmSync(recording.replace('.recording', '.snapshot'));
    const { stderr, exitCode } = await loongscope('replay', recording, '--at', "first exception in VM 1'");
    expect([stderr, exitCode]).toEqual([expect.stringMatching(/--at/), 2]);
    const again = await loongscope('replay', recording);
    expect([again.stderr, again.exitCode]).toEqual([expect.stringMatching(/instructions, as recorded/), 0]);
  });

  test('the same guests come with one thread and with three', async () => {
    const all = await Promise.all(
      ['1', '3'].map(async (jobs) => {
        const options = ['--runs', '200', '--jobs', jobs, '--tries', '0', '--first-seed', '7'];
        await fuzz(`jobs-${jobs}`, ...options, '--hypervisor', variant('interrupts'), '--guest', 'hello');
        const { runs, covered, classes } = report(`jobs-${jobs}`);
        return { runs, covered, classes: classes.map(({ finding, after, deeds }) => ({ finding, after, deeds })) };
      }),
    );
    expect(all[0]).toEqual(all[1]);
    expect(all[0]!.runs).toBe(200);
    expect(all[0]!.classes.length).toBeGreaterThan(0);
  });
});

test('the reference hypervisor stands, with one guest and with two, and with an auditor', async () => {
  for (const [name, runs, ...machine] of [
    ['one', '2000', '--guest', 'hello'],
    ['two', '60', '--guest', 'two,name=a,append=a', '--guest', 'two,name=b,append=b'],
    ['audit', '4', '--guest', 'hello', '--audit', 'worldswitch'],
  ] as const) {
    const { stdout, stderr, exitCode } = await fuzz(name, '--runs', runs, ...machine);
    expect([stdout, exitCode]).toEqual(['', 0]);
    expect(stderr).toMatch(new RegExp(`${runs} runs in .* 0 classes of failures`));
    expect(report(name).covered).toBeGreaterThan(1000);
  }
});

describe('bad input', () => {
  test.each([
    [['build/races/update.elf', '--smp', '2'], /fuzz: no guest has exited: give an image that runs guests/],
    [['--guest', 'hello', '--at', '1'], /fuzz: exit 1 does not come from an instruction of the guest/],
    [['--guest', 'hello', '--at', '1000'], /fuzz: guests exit \d+ times only: choose a smaller --at/],
    [['build/races/sleep.elf'], /fuzz: without a hostile guest the run fails already \(/],
    [['--guest', 'hello', '--gdb', '0'], /fuzz: a debugger changes what happens/],
    [['--guest', 'hello', '--clock', 'host'], /fuzz: runs in real time do not repeat/],
    [['--budget', '5'], /--budget: '5' is not a whole number/],
  ])('%j', async (args, message) => {
    const { stderr, exitCode } = await fuzz('bad', ...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(exitCode).toBe(2);
  });
});

describe('parts', () => {
  const dictionary = { words: [0x002b8100], values: ['200000'], constants: ['1fe001e0'] };

  test('a seed makes the same guest each time, and another seed another one', () => {
    const made = (seed: number): GuestInput => mutate([], new Dice(seed), dictionary);
    expect(made(3)).toEqual(made(3));
    expect(new Set(Array.from({ length: 50 }, (_, seed) => JSON.stringify(made(seed)))).size).toBeGreaterThan(30);
  });

  test('a guest never has more deeds than it may', () => {
    let input: GuestInput = [];
    for (let seed = 0; seed < 300; seed++) input = mutate(input, new Dice(seed), dictionary);
    expect(input.length).toBeLessThanOrEqual(12);
  });

  test('coverage is kept as runs of instructions, and what is new is counted', () => {
    const coverage = new CodeCoverage();
    for (const pa of [0x1000, 0x1004, 0x1ffc, 0x2000, 0x9000]) expect(coverage.add(pa)).toBe(true);
    expect(coverage.add(0x1004)).toBe(false);
    expect(coverage.runs()).toEqual([0x1000, 2, 0x1ffc, 2, 0x9000, 1]);
    expect(coverage.merge([0x1004, 2, 0x9000, 1])).toBe(1);
    expect([coverage.has(0x1008), coverage.has(0x100c), coverage.size]).toEqual([true, false, 6]);
  });

  test('deeds in words', () => {
    expect(inWords({ kind: 'code', word: 0x002b8100 })).toBe('executes hvcl 256 (0x002b8100)');
    expect(inWords({ kind: 'csr', num: 0x41, value: 'f' })).toBe('CSR TCFG of the guest = 0xf');
  });
});
