/** `loongscope test`: programs with a status, judged by how they end and by their console; TAP, JUnit, JSON, exit codes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { PROGRAM, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { type Outcome, tapLines } from '../../src/cli/testing/report.ts';
import { problemOf } from '../../src/cli/testing/verdict.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-test-command-'));
afterAll(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]) =>
  execa(process.execPath, [PROGRAM, 'test', ...args], { cwd: PROJECT_ROOT, reject: false, stdin: 'ignore' });

const GOOD = 'build/conformance/bits.elf';
const CRASH = 'build/guests/crash.elf';

describe('the verdict', () => {
  const judged = (console: string, code = 0, said = '', expected: string[] = [], forbid: string[] = []) =>
    problemOf({ code, console, said }, { expect: expected, forbid });

  test.each([
    ['it switched itself off', '', undefined],
    ['TAP', '1..2\r\nok 1\r\nok 2 - two\r\n', undefined],
    ['a check that failed', 'ok 1\nnot ok 2 - stage 2\nnot ok 3\n', 'not ok 2 - stage 2 (and 1 more)'],
    ['known failures', 'not ok 1 # TODO later\nnot ok 2 # SKIP no LBT\n', undefined],
    ['checks that never came', '1..3\nok 1\n', 'the plan has 3 checks, and 1 were reported'],
    ['a program that gives up', 'ok 1\nBail out! no LVZ\n', 'Bail out! no LVZ'],
    ['a good status', 'exit status: 0\n', undefined],
    ['a bad status', 'hello\nvm 1 stopped with status 3\n', 'vm 1 stopped with status 3'],
    ['a negative status', 'status -1\n', 'status -1'],
    ['the word elsewhere', 'status 3 is expected here\n', undefined],
  ])('%s', (_, console, problem) => expect(judged(console)).toBe(problem));

  test('what the console must and must not show', () => {
    expect(judged('all done', 0, '', ['all done'])).toBeUndefined();
    expect(judged('', 0, '', ['all done'])).toBe("the console does not show 'all done'");
    expect(judged('panic', 0, '', [], ['panic'])).toBe("the console shows 'panic'");
  });

  test('a run that did not end by itself', () => {
    const said =
      'loongscope: warning: x\nloongscope: time limit reached (--timeout 5): the machine was still running\n';
    expect(judged('ok 1\n', 124, said)).toBe('time limit reached (--timeout 5): the machine was still running');
    expect(judged('not ok 1\n', 124, said)).toBe('not ok 1');
    const killed = { code: undefined, console: '', said: '' };
    expect(problemOf(killed, { expect: [], forbid: [] })).toBe('the emulator was killed');
    expect(judged('', 1)).toBe('it ended without a word');
  });
});

test('a name with # is no directive of TAP', () => {
  const outcome: Outcome = {
    image: 'a#todo.elf',
    problem: 'x',
    seconds: 1,
    console: '\x1b[31mred',
    said: '',
    recording: undefined,
  };
  expect(tapLines(outcome, 1)).toEqual(['not ok 1 - a\\#todo.elf', '# x', '#   console: [31mred', '#   said: ']);
});

describe('the command', () => {
  test('TAP, a recording of what failed, JUnit, and exit code 1', async () => {
    const [keep, xml] = [join(folder, 'kept'), join(folder, 'results.xml')];
    const { stdout, stderr, exitCode } = await run(
      GOOD,
      CRASH,
      '--jobs',
      '2',
      '--keep',
      keep,
      '--junit',
      xml,
      '--',
      '--smp',
      '2',
    );
    expect(exitCode).toBe(1);
    expect(stdout.split('\n').slice(0, 4)).toEqual(['TAP version 13', '1..2', `ok 1 - ${GOOD}`, `not ok 2 - ${CRASH}`]);
    expect(stdout).toMatch(/^# the machine died: the host loops in exceptions on cpu0/m);
    expect(stdout).toMatch(/^# {3}said: {3}cause {7}the host never wrote eentry/m);
    expect(stderr).toBe('loongscope: 1 of 2 failed');
    expect(readdirSync(keep)).toEqual(['2-crash.recording']);
    const replayed = await execa(process.execPath, [PROGRAM, 'replay', join(keep, '2-crash.recording')], {
      reject: false,
    });
    expect(replayed.stdout).toContain('EENTRY was never set');
    const report = readFileSync(xml, 'utf8');
    expect(report).toMatch(/<testsuites tests="2" failures="1">/);
    expect(report).toMatch(new RegExp(`<testcase classname="loongscope.test" name="${GOOD}" time="[\\d.]+"/>`));
    expect(report).toMatch(/<failure message="the machine died: the host loops/);
  });

  test('JSON, and exit code 0 when all have passed', async () => {
    const { stdout, exitCode } = await run('--json', '--forbid', 'not ok', GOOD);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([
      { image: GOOD, passed: true, problem: null, console: expect.stringMatching(/^ok - /m) },
    ]);
  });

  test('a program that never ends is ended, and a mistake in the options of run is told', async () => {
    const endless = join(folder, 'endless.bin');
    // addi.d $t0, $t0, 1; b -4
    writeFileSync(endless, Buffer.from([0x8c, 0x05, 0xc0, 0x02, 0xff, 0xff, 0xff, 0x53]));
    const { stdout, exitCode } = await run(
      endless,
      '--timeout',
      '1',
      '--',
      '--on-loop',
      'report',
      '--load',
      '0x200000',
    );
    expect([exitCode, /^# (.*)$/m.exec(stdout)?.[1]]).toEqual([
      1,
      'time limit reached (--timeout 1): the machine was still running',
    ]);
    expect((await run(GOOD, '--', '--smp', 'x')).stdout).toMatch(/^# --smp: 'x' is not a whole number/m);
  });

  test.each([
    [['none.elf'], 'test: none.elf is not a file: give ELF programs, and options of run after --'],
    [[], "missing required argument 'image': see loongscope --help"],
    [[GOOD, '--junit', '/nonexistent/x.xml'], '--junit: cannot write /nonexistent/x.xml (ENOENT): check the path'],
    [[GOOD, '--keep', '/proc/x/y'], '--keep: cannot make /proc/x/y (ENOENT): choose another folder'],
  ])('%j is refused', async (args, message) => {
    const { stderr, exitCode } = await run(...args);
    expect([exitCode, stderr]).toEqual([2, `loongscope: ${message}`]);
  });
});
