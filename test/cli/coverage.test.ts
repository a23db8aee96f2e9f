/** `--coverage`: the lines that a run executes, as lcov reads them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, execaSync } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { lineRanges } from '../../src/hv/awareness/line-table.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-coverage-'));
afterAll(() => rmSync(folder, { recursive: true }));
const have = (program: string): boolean =>
  execaSync('sh', ['-c', `command -v ${program}`], { reject: false }).exitCode === 0;

const loongscope = (...args: string[]) =>
  execa(process.execPath, ['--disable-warning=ExperimentalWarning', 'src/cli/main.ts', ...args], {
    cwd: PROJECT_ROOT,
    reject: false,
  });

type Lines = ReadonlyMap<number, number>;
interface Covered {
  readonly text: string;
  readonly lines: (file: string) => Lines;
  readonly functions: ReadonlyMap<string, number>;
}
async function covered(name: string, command: string, ...args: string[]): Promise<Covered> {
  const file = join(folder, name);
  const { stderr, exitCode } = await loongscope(command, ...args, '--coverage', file);
  expect([stderr, exitCode]).toEqual([expect.stringMatching(/coverage: \d+ of \d+ lines, \d+ of \d+ functions: /), 0]);
  const text = readFileSync(file, 'utf8');
  return {
    text,
    functions: new Map([...text.matchAll(/^FNDA:(\d+),(.*)$/gm)].map((m) => [m[2]!, Number(m[1])])),
    lines: (source) => {
      const record = text.split('end_of_record').find((r) => r.includes(`SF:${join(PROJECT_ROOT, source)}\n`))!;
      return new Map([...record.matchAll(/^DA:(\d+),(\d+)$/gm)].map((m) => [Number(m[1]), Number(m[2])]));
    },
  };
}
/** The number of the line of a source that has a text. */
const lineWith = (source: string, text: string): number =>
  readFileSync(join(PROJECT_ROOT, source), 'utf8')
    .split('\n')
    .findIndex((l) => l.includes(text)) + 1;

describe('a run', () => {
  test('has the lines and functions that it executes, and the others as not executed', async () => {
    const { lines, functions } = await covered('hello.info', 'run', '--guest', 'hello');
    const hypercall = lines('src/hv/hypercall.c');
    expect(hypercall.get(lineWith('src/hv/hypercall.c', 'vm_console_putchar(v->vm, argument)'))).toBe(1);
    expect(hypercall.get(lineWith('src/hv/hypercall.c', 'stage2_protect(v->vm, argument'))).toBe(0);
    expect(lines('src/hv/exit.c').get(lineWith('src/hv/exit.c', 'console_printf("hv: guest %s died'))).toBe(0);
    expect(lines('src/hv/run_guest.S').get(lineWith('src/hv/run_guest.S', '  ertn  '))).toBe(1);
    expect(functions.get('handle_hypercall')).toBe(1);
    expect(functions.get('virtio_read')).toBe(0);
  });

  test('has the same lines with every engine that notes them', async () => {
    const auto = await covered('auto.info', 'run', '--guest', 'hello');
    const interpreter = await covered('interpreter.info', 'run', '--guest', 'hello', '--engine', 'interpreter');
    expect(auto.text).toBe(interpreter.text);
  });

  test('is what a longer run has, and more', async () => {
    const one = await covered('one.info', 'run', '--guest', 'hello');
    const two = await covered('two.info', 'run', '--guest', 'two,name=a,append=a', '--guest', 'two,name=b,append=b');
    const hits = ({ text }: Covered): number => [...text.matchAll(/^DA:\d+,1$/gm)].length;
    expect(hits(two)).toBeGreaterThan(hits(one));
  });

  test('of hostile guests together', async () => {
    const output = ['--output', join(folder, 'fuzz')];
    const { functions } = await covered('fuzz.info', 'fuzz', '--guest', 'hello', '--runs', '400', ...output);
    expect(functions.get('viocsr_read')).toBe(1);
    expect(functions.get('handle_gspr')).toBe(1);
    // Hostile guests come after the boot.
    expect(functions.get('vm_load_elf')).toBe(0);
  });

  test.skipIf(!have('genhtml'))('is read by genhtml', async () => {
    const { stdout } = await execa('genhtml', ['-o', join(folder, 'html'), join(folder, 'hello.info')]);
    expect(stdout).toMatch(/lines\.*: \d+\.\d% \(\d+ of \d+ lines\)/);
  });
});

describe('the table of lines', () => {
  test.skipIf(!have('llvm-dwarfdump-19'))('is that of llvm-dwarfdump', async () => {
    const file = join(PROJECT_ROOT, 'build', 'hv.elf');
    const { stdout } = await execa('llvm-dwarfdump-19', ['--debug-line', file], { maxBuffer: 2 ** 28 });
    const rows = [...stdout.matchAll(/^0x([0-9a-f]{16})\s+(\d+)\s+\d+\s+\d+\s+\d+\s+\d+\s+\d+(.*)$/gm)];
    const expected: string[] = [];
    for (const [n, [, address, line, flags]] of rows.entries()) {
      const next = rows[n + 1];
      if (flags!.includes('end_sequence') || !next || next[1] === address || line === '0') continue;
      expected.push(`${BigInt(`0x${address}`)} ${BigInt(`0x${next[1]}`)} ${line}`);
    }
    expect(expected.length).toBeGreaterThan(1000);
    expect(lineRanges(readFileSync(file)).map((r) => `${r.from} ${r.to} ${r.line}`)).toEqual(expected);
  });

  test('of a file that is cut short ends there', () => {
    const bytes = readFileSync(join(PROJECT_ROOT, 'build', 'hv.elf'));
    for (const part of [0, 10, 0x56000, 0x57000]) expect(() => lineRanges(bytes.subarray(0, part))).not.toThrow();
  });
});

describe('bad input', () => {
  test.each([
    [['run', 'build/guests/hello.elf', '--coverage', '/nowhere/x.info'], /--coverage: cannot write/],
    [
      ['run', '--guest', 'hello', '--coverage', '/nowhere/x.info'],
      /--coverage: cannot write \/nowhere\/x.info \(ENOENT\)/,
    ],
    [['run', '--guest', 'hello', '--engine', 'jit', '--coverage', 'x'], /--coverage notes code when it runs first/],
    [['run', '--threads', '--clock', 'host', '--coverage', 'x'], /--coverage is for runs in one thread/],
  ])('%j', async (args, message) => {
    const { stderr, exitCode } = await loongscope(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect([exitCode, existsSync(join(PROJECT_ROOT, 'x'))]).toEqual([2, false]);
  });

  test('an image without lines', async () => {
    const stripped = join(folder, 'stripped.elf');
    await execa('llvm-objcopy-19', ['--strip-debug', join(PROJECT_ROOT, 'build', 'hv.elf'), stripped]);
    const { stderr, exitCode } = await loongscope(
      'run',
      '--hypervisor',
      stripped,
      '--coverage',
      join(folder, 'no.info'),
    );
    expect(stderr).toBe(
      'loongscope: --coverage: the image has no lines of sources: compile it with -g, or name a file that has them with --symbols',
    );
    expect([exitCode, existsSync(join(folder, 'no.info'))]).toEqual([2, false]);
    const named = await loongscope(
      ...['run', '--hypervisor', stripped, '--symbols', 'build/hv.elf', '--coverage', join(folder, 'named.info')],
    );
    expect(named.stderr).toMatch(/coverage: 4\d\d of \d+ lines/);
  });
});
