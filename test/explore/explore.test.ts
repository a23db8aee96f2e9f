/** `loongscope explore`: planted races are found, reduced and recorded; bad input is refused. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { Steering } from '../../src/cli/explore/coverage.ts';
import { ConsoleWatch, classOf, type Properties } from '../../src/cli/explore/properties.ts';
import { merge, reduce, type Test } from '../../src/cli/explore/reduce.ts';
import { gdbWithPython } from '../../src/cli/find-gdb.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { replayed } from '../../src/cli/recording/replay.ts';
import { u32At } from '../../src/emu/formats/little-endian.ts';
import { SLICE } from '../../src/emu/machine/machine.ts';
import { styleOf } from '../../src/emu/perturb/seeded.ts';
import { History } from '../../src/emu/replay/history.ts';

const race = (name: string): string => join('build/races', `${name}.elf`);

let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'loongscope-explore-'));
  if (!existsSync(join(PROJECT_ROOT, race('fenced/message'))))
    await execa('./scripts/build-races', { cwd: PROJECT_ROOT });
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Ended {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
}

const loongscope = async (...args: string[]): Promise<Ended> => {
  const flags = ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts'];
  const { stdout, stderr, exitCode } = await execa(process.execPath, [...flags, ...args], {
    cwd: PROJECT_ROOT,
    reject: false,
  });
  return { stdout, stderr, exitCode };
};

test('from another folder than the program’s', async () => {
  const flags = ['--disable-warning=ExperimentalWarning', join(PROJECT_ROOT, 'src/cli/main.ts')];
  const args = ['explore', join(PROJECT_ROOT, race('update')), '--smp', '2', '--runs', '1', '--jobs', '1'];
  const { stderr, exitCode } = await execa(process.execPath, [...flags, ...args], { cwd: folder, reject: false });
  expect([stderr.match(/1 runs in .*/)?.[0], exitCode]).toEqual([
    expect.stringContaining('0 classes of failures: explore/report.html'),
    0,
  ]);
});

test('Ctrl-C ends a campaign: what was found until then is told, and the reports are written', async () => {
  const output = join(folder, 'interrupted');
  const args = ['explore', race('ticket'), '--smp', '2', '--runs', '1000000', '--jobs', '1', '--output', output];
  const program = execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args], {
    cwd: PROJECT_ROOT,
    reject: false,
  });
  let told = '';
  program.stderr.on('data', (data: Buffer) => {
    told += data.toString('utf8');
    if (told.includes('run 2, seed') && !told.includes('no more runs')) program.kill('SIGINT');
  });
  const { stderr, exitCode } = await program;
  expect(stderr).toMatch(/no more runs begin[\s\S]*\d+ runs in .* 1 classes of failures/);
  expect(exitCode).toBe(1);
  const { runs, classes } = JSON.parse(readFileSync(join(output, 'report.json'), 'utf8')) as Json;
  expect(runs).toBeLessThan(1000);
  expect(classes[0]!.decisions.length).toBeLessThan(classes[0]!.of);
});

const explore = (name: string, ...more: string[]): Promise<Ended> =>
  loongscope('explore', race(name), '--smp', '2', '--output', join(folder, name), ...more);

interface Json {
  readonly runs: number;
  readonly classes: readonly {
    readonly finding: { readonly kind: string; readonly text: string };
    readonly after: number;
    readonly seeds: number[];
    readonly decisions: readonly { readonly dial: string; readonly position: number }[];
    readonly of: number;
    readonly recording: string;
    readonly open: string;
  }[];
}
const report = (name: string): Json => JSON.parse(readFileSync(join(folder, name, 'report.json'), 'utf8')) as Json;

describe('planted races', () => {
  /** Runs within which it must be found; its finding; decisions that may be left. One thread does the same runs each time. */
  test.each([
    ['deadline', 1, 'deadline', 2],
    ['sleep', 36, 'deadline', 1],
    ['flags', 5, 'expected', 3],
    ['update', 5, 'expected', 4],
  ] as const)('%s: not in a usual run; found within %i runs, and reduced', async (name, runs, kind, most) => {
    const usual = await loongscope('run', race(name), '--smp', '2');
    expect(usual.stdout).toContain('races: all is well');
    const found = await explore(
      name,
      ...['--runs', String(runs), '--expect', 'all is well', '--stop-at-first', '--jobs', '1', '--tries', '60'],
    );
    expect(found.exitCode).toBe(1);
    const [first] = report(name).classes;
    expect(first!.finding.kind).toBe(kind);
    expect(first!.of).toBeGreaterThan(most);
    expect(first!.decisions.length).toBeLessThanOrEqual(most);
    expect(first!.decisions.length).toBeGreaterThan(0);
    expect(readFileSync(join(folder, name, 'report.html'), 'utf8')).toContain(first!.open);
    expect(first!.open).toBe(
      `loongscope replay ${first!.recording} --at ${Math.min(...first!.decisions.map((d) => d.position))} --gdb 1234`,
    );
    // The seed alone fails, too.
    const seed = String(first!.seeds[0]);
    const alone = await loongscope('run', race(name), '--smp', '2', '--explore', seed, '--max-instructions', '9000000');
    expect(alone.stdout).not.toContain('all is well');
  });

  /** Without the dial no run shows it: they are hunted longer by scripts/explore-races. */
  const LOST_TABLE = [
    ...['--hypervisor', race('reference-lost-table'), '--guest', 'two,name=a,append=a', '--after', 'round 3 intact'],
    ...['--expect', 'stopped with status 0', '--tries', '0'],
  ];
  test.each([
    ['order', 'order', 1, [race('order'), '--virtio', 'mmio', '--expect', 'all is well', '--tries', '20']],
    ['reference-lost-table', 'age', 2, LOST_TABLE],
    ['dekker', 'store', 26, [race('dekker'), '--expect', 'all is well', '--tries', '30']],
    ['message', 'store', 24, [race('message'), '--expect', 'all is well', '--tries', '30']],
  ] as const)('%s is found by the dial %s, and by no other', async (name, dial, runs, args) => {
    const hunt = (...more: string[]): Promise<Ended> =>
      loongscope(
        ...['explore', ...args, '--smp', '2', '--jobs', '1', '--runs', String(runs), '--stop-at-first'],
        ...['--output', join(folder, name), ...more],
      );
    const found = await hunt();
    expect(found.exitCode).toBe(1);
    expect(report(name).classes[0]!.decisions.map((d) => d.dial)).toContain(dial);
    expect(report(name).classes[0]!.recording).toContain('class-1');
    const without = await hunt('--dials', `${dial}=off`, '--output', join(folder, 'without'));
    expect([without.stderr, without.exitCode]).toEqual([expect.stringContaining('0 classes of failures'), 0]);
  });

  test.each(['dekker', 'message'])('%s with its barriers is never wrong', async (name) => {
    const { stderr, exitCode } = await explore(
      `fenced/${name}`,
      ...['--expect', 'all is well', '--runs', '60', '--jobs', '1'],
    );
    expect([stderr, exitCode]).toEqual([expect.stringMatching(/60 runs in .*, 0 classes of failures/), 0]);
  });

  test('what waits in a recording is seen there, forwards and backwards', async () => {
    const [first] = report('message').classes;
    const { image, cli } = replayed(readRecording(first!.recording), { quiet: true });
    const { machine, symbols, named } = boot(image, { ...cli, codeCache: false }, () => {});
    await named;
    const word = (name: string, index = 0): number =>
      u32At(machine.ram.read(Number(symbols.address(name)! & 0xffffffffn) + 8 * index, 8))!;
    /** The newest entry of the log, and what it says. */
    const newest = (): [number, number] => [word('newest'), word('log', word('newest'))];
    const history = new History(machine, []);
    history.enable(true);
    const at = first!.decisions.find((d) => d.dial === 'store')!.position;
    const look = (position: number): [number, number] => {
      while (history.position < position) history.run(SLICE, position);
      return newest();
    };
    const [n, entry] = look(at);
    expect([n > 0, entry]).toEqual([true, 0]);
    // The other CPU has been there; the first one goes on, and the entry is there.
    expect(look(at + 100_000)).toEqual([expect.any(Number), word('newest')]);
    history.goto(at);
    expect(newest()).toEqual([n, 0]);
    history.goto(at - 1);
    expect(word('log', n)).toBe(word('newest') === n ? n : 0);
  });

  test('the recording of a class replays without a seed, and can be entered at the first decision', async () => {
    const [first] = report('update').classes;
    const again = await loongscope('replay', first!.recording);
    expect(again.stdout).toContain('races: WRONG');
    expect(again.exitCode).toBe(0);
    const there = await loongscope('replay', first!.recording, '--at', String(first!.decisions[0]!.position));
    expect(there.stderr).toContain(`instruction ${first!.decisions[0]!.position} of`);
  });

  test('--after boots once; --invariant compares memory at the end', async () => {
    const args = ['--guest', 'two,name=a,append=a', '--runs', '3', '--jobs', '1', '--output', join(folder, 'two')];
    const fine = await loongscope(
      ...['explore', ...args, '--after', 'round 2', '--expect', 'round 4', '--invariant', 'vm_count'],
    );
    expect(fine.stderr).toContain('3 runs in');
    expect(fine.exitCode).toBe(0);
    expect(existsSync(join(folder, 'two', 'start.snapshot'))).toBe(true);
    const wrong = await explore(
      'update',
      ...['--runs', '60', '--jobs', '2', '--invariant', 'counter', '--stop-at-first', '--tries', '0'],
    );
    expect(wrong.stderr).toMatch(/invariant: counter is 0x[0-9a-f]{16}, and 0x0000000000000078 without perturbation/);
  });
});

describe('a property of the user', () => {
  const property = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text);
    return file;
  };

  test('says what is wrong, and is reduced as any other', async () => {
    const file = property(
      'counter.ts',
      `interface Run { console: string; poweredOff: boolean; word(name: string): bigint | undefined }
       export default (run: Run): string | undefined =>
         run.poweredOff && run.console.includes('races') && run.word('nothing') === undefined && run.word('counter') !== 120n
           ? \`the counter is \${run.word('counter')}\` : undefined;`,
    );
    const options = ['--runs', '5', '--jobs', '1', '--stop-at-first', '--tries', '40'];
    const { stderr, exitCode } = await explore('update', ...options, '--property', file);
    expect([stderr, exitCode]).toEqual([expect.stringMatching(/run 5, seed 3: property: the counter is \d+\n/), 1]);
    expect(report('update').classes[0]!.decisions.length).toBeLessThan(report('update').classes[0]!.of);
  });

  test.each([
    ['export const a = 1;', /--property: the file exports no function: write export default/],
    ['export default (', /--property: the file (is no TypeScript|cannot be loaded) \(/],
    ["import 'node:fs/nothing'; export default () => {};", /--property: the file cannot be loaded \(/],
    ['export default () => 5;', /--property: the function must return a text/],
    ["export default () => { throw new Error('oh'); };", /--property: the function has failed \(oh\)/],
    ["export default () => 'always';", /without perturbation the run fails already \(property: always\)/],
  ])('%j is told in a line', async (text, message) => {
    const { stderr, exitCode } = await explore('update', '--runs', '1', '--property', property('bad.ts', text));
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(exitCode).toBeGreaterThan(0);
  });

  test('a file that is not there', async () => {
    const { stderr, exitCode } = await explore('update', '--property', join(folder, 'nowhere.ts'));
    expect([stderr, exitCode]).toEqual([expect.stringMatching(/^loongscope: cannot read .*nowhere.ts \(ENOENT\)/), 2]);
  });
});

describe('a property in the Python of gdb', () => {
  const ask = (name: string, text: string, ...more: string[]): Promise<Ended> => {
    const file = join(folder, `${name}.py`);
    writeFileSync(file, text);
    return explore('update', '--jobs', '1', '--tries', '0', '--property', file, ...more);
  };
  const COUNTER = `import gdb
def property():
    count = int(gdb.parse_and_eval('counter'))
    return None if count == 120 else f'the counter is {count}, {len(gdb.selected_inferior().threads())} CPUs'
`;

  test('is asked at the end of each run', async () => {
    const { stderr, exitCode } = await ask('counter', COUNTER, '--runs', '5', '--stop-at-first');
    expect([stderr, exitCode]).toEqual([
      expect.stringMatching(/run 5, seed 3: property: the counter is \d+, 2 CPUs\n/),
      1,
    ]);
    expect(report('update').classes[0]!.recording).toContain('class-1');
  });

  test.each([
    ['def property(:', /--property: SyntaxError: .*: mend the file/],
    ['x = 1', /--property: the file defines no function property\(\): mend the file/],
    ['def property():\n    return 5', /--property: property\(\) must return a text, or None/],
    [
      'import gdb\ndef property():\n    gdb.parse_and_eval("no_symbol")',
      /--property: error in line 3: No symbol "no_symbol"/,
    ],
    ['import gdb\ndef property():\n    gdb.execute("quit")', /--property: gdb has not asked the file|error in line 3/],
  ])('%j is told in a line', async (text, message) => {
    const { stderr, exitCode } = await ask('bad', text, '--runs', '1');
    expect([stderr.trim().split('\n').length, stderr, exitCode]).toEqual([1, expect.stringMatching(message), 2]);
  });

  test('not with a queue: other machines run no programs of the user', async () => {
    const { stderr, exitCode } = await ask('counter', COUNTER, '--queue', 'redis://127.0.0.1:1');
    expect([stderr, exitCode]).toEqual([expect.stringContaining('--property with gdb is for runs on this machine'), 2]);
  });

  test('without a gdb that can do it', () => {
    const gdb = { program: 'gdb', version: '16.3', hasLoongArch: true, hasPython: true };
    expect(gdbWithPython([{ ...gdb, program: 'old', version: '15.1' }, gdb], '--property')).toBe('gdb');
    expect(() => gdbWithPython([{ ...gdb, hasPython: false }], '--property')).toThrow(
      '--property: gdb has no Python: install a gdb that was built with it',
    );
    expect(() => gdbWithPython([{ ...gdb, hasLoongArch: false }], '--property')).toThrow(/no gdb 16 or newer/);
  });
});

describe('bad input', () => {
  test.each([
    [['--jobs', '0'], /--jobs: '0' is not a whole number from 1 to 1024/],
    [['--runs', '0'], /--runs: '0' is not a whole number/],
    [['--dials', 'speed=on'], /--dials: unknown dial 'speed': use quantum/],
    [['--dials', 'tlb=on,tlb=off'], /--dials: tlb is both on and off/],
    [['--expect', 'well', '--forbid', 'we'], /'well' is both expected and forbidden/],
    [['--from', 'a', '--after', 'b'], /--from and --after both say where runs begin/],
    [['--record', 'a'], /each class is recorded by itself: leave --record out/],
    [['--gdb', '0'], /a debugger changes what happens: leave --gdb out/],
    [['--clock', 'host'], /runs in real time do not repeat/],
    [['--explore', '1'], /the seeds are chosen: use --first-seed/],
    [['--invariant', 'nothing', '--runs', '1'], /the image has no symbol 'nothing'/],
    [['--after', 'nothing'], /--after: the console does not show 'nothing'/],
    [['--from', 'missing.snapshot'], /leave the image, --guest, --load and --initrd out|cannot read missing.snapshot/],
  ])('%j', async (args, message) => {
    const { stderr, exitCode } = await explore('update', ...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect(exitCode).toBe(2);
  });

  test('an image that fails without perturbation is told first', async () => {
    const { stderr, exitCode } = await explore('update', '--forbid', 'all is well', '--runs', '1');
    expect(stderr).toContain(
      'without perturbation the run fails already (forbidden: races: all is well): mend that first',
    );
    expect(exitCode).toBe(1);
  });

  test('run --explore with threads or real time', async () => {
    for (const more of [
      ['--clock', 'host'],
      ['--threads', '--clock', 'host'],
    ]) {
      const { stderr, exitCode } = await loongscope('run', race('update'), '--smp', '2', '--explore', '1', ...more);
      expect(stderr).toMatch(/--explore: runs in real time do not repeat/);
      expect(exitCode).toBe(2);
    }
  });
});

describe('parts', () => {
  const one =
    <T>(does: (list: readonly T[]) => boolean): Test<T> =>
    (lists) =>
      Promise.resolve(lists.map(does));

  test('reduce finds what is needed, and nothing else', async () => {
    const all = Array.from({ length: 200 }, (_, n) => n);
    const needs = (list: readonly number[]): boolean => [3, 77, 150].every((n) => list.includes(n));
    expect(await reduce(all, one(needs), 10_000)).toEqual([3, 77, 150]);
    expect(
      await reduce(
        all,
        one(() => true),
        10_000,
      ),
    ).toEqual([]);
    let tries = 0;
    const counted = (list: readonly number[]): boolean => ++tries > 0 && needs(list);
    const left = await reduce(all, one(counted), 8);
    expect(needs(left)).toBe(true);
    expect(tries).toBeLessThan(20);
  });

  test('merge makes two into one where that does it, too', async () => {
    const sum = (list: readonly number[]): boolean => list.reduce((a, b) => a + b, 0) === 10;
    expect(await merge([1, 2, 3, 4], (a, b) => [a + b], one(sum), 1000)).toEqual([10]);
    expect(await merge([1, 2, 3, 4], () => [], one(sum), 1000)).toEqual([1, 2, 3, 4]);
  });

  test('a class does not depend on numbers; a forbidden text is told with its line', () => {
    const properties: Properties = { expect: [], forbid: ['panic'], deadline: 1, invariant: [] };
    const watch = new ConsoleWatch(properties);
    const found = [...'fine\nhv: panic: ERA 0x9000\nrest'].map((c) => watch.put(c.charCodeAt(0))).find(Boolean);
    expect(found).toEqual({ kind: 'forbidden', text: 'hv: panic: ERA 0x9000' });
    expect(classOf(found!)).toBe(classOf({ kind: 'forbidden', text: 'hv: panic: ERA 0x9004' }));
    expect(classOf(found!)).not.toBe(classOf({ kind: 'died', text: 'hv: panic: ERA 0x9000' }));
  });

  test('seeds of the style that has tried new pairs come more often, and none comes twice', () => {
    const steering = new Steering(1);
    const good = styleOf(1);
    const seeds = Array.from({ length: 60 }, (_, n) => {
      const seed = steering.seed();
      steering.ran(seed, styleOf(seed) === good ? [`pair ${n}`] : [], false);
      return seed;
    });
    expect(new Set(seeds).size).toBe(60);
    expect(seeds.filter((s) => styleOf(s) === good).length).toBeGreaterThan(30);
  });
});
