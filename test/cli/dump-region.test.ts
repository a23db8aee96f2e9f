/** `--dump-region` as a user runs it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import wabt from 'wabt';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { elfOf } from '../support/images.ts';

const dir = mkdtempSync(join(tmpdir(), 'loongscope-dump-'));
const image = join(dir, 'count.elf');
beforeAll(() => writeFileSync(image, elfOf(['addi.d $a0, $a0, 1', 'st.d $a0, $sp, 8', 'b -8'])));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; err: string }> {
  return runImage(image, ...args);
}

async function runImage(file: string, ...args: string[]): Promise<{ code: number; err: string }> {
  const main = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
  const all = [main, 'run', file, '--serial', 'null', '--no-code-cache', '--max-instructions', '2000000', ...args];
  const r = await execa(process.execPath, all, { reject: false, stdin: 'ignore', timeout: 60_000 });
  return { code: r.exitCode ?? -1, err: r.stderr };
}

test.each(['auto', 'jit'])('--engine %s: guest code, WebAssembly text and sizes', async (engine) => {
  const { code, err } = await run('--engine', engine, '--dump-region', '0x200004');
  expect(code).toBe(124);
  const sizes = /^region at 0x200000: 3 instructions, blocks: 1, bytes of WebAssembly: (\d+)$/m.exec(err);
  expect(Number(sizes?.[1])).toBeGreaterThan(50);
  expect(err).toContain('  0x200004  29c02064  st.d $a0, $sp, 8\n');
  const text = err.slice(err.indexOf('(module'), err.indexOf('\n)\n') + 3);
  const features = { simd: true, tail_call: true };
  const module = (await wabt()).parseWat('region.wat', text, features);
  module.validate();
  module.destroy();
});

test('a region that begins in another page', async () => {
  const caller = join(dir, 'caller.elf');
  const loop = ['addi.d $a0, $a0, 1', 'bl 4092', 'b -8', ...Array<string>(1021).fill('andi $zero, $zero, 0')];
  writeFileSync(caller, elfOf([...loop, 'addi.d $a1, $a1, 1', 'jirl $zero, $ra, 0']));
  const { err } = await runImage(caller, '--engine', 'jit', '--dump-region', '0x201000');
  expect(err).toMatch(/^region at 0x200008: 5 instructions/m);
  expect(err).toMatch(/^ {2}0x201000 {2}\w+ {2}addi.d \$a1, \$a1, 1$/m);
});

test('code that is never translated is said', async () => {
  const { err } = await run('--dump-region', '0x200100');
  expect(err).toContain('loongscope: --dump-region: no code with 0x200100 was translated');
  expect(err).not.toContain('(module');
});

test.each([
  [
    ['--engine', 'interpreter', '--dump-region', '0x200000'],
    /--engine interpreter translates nothing: use auto or jit/,
  ],
  [['--dump-region', 'main'], /'main' is no address of an instruction: write it as 0x/],
  [['--dump-region', '0x200002'], /'0x200002' is no address of an instruction/],
  [['--clock', 'host', '--threads', '--dump-region', '0x200000'], /leave --dump-region or --threads out/],
])('%j is refused with one line', async (args, message) => {
  const { code, err } = await run(...args);
  expect(err).toMatch(message);
  expect(err).toMatch(/^loongscope: /);
  expect(err.split('\n')).toHaveLength(1);
  expect(code).toBe(2);
});
