/** `loongscope lab` on the command line: starting, checking, reports for teachers, and what goes wrong. */
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { lookForRust } from '../../src/cli/labs/rustc.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const base = mkdtempSync(join(tmpdir(), 'loongscope-lab-command-'));
afterAll(() => rmSync(base, { recursive: true }));

interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
}

const haveRust = !('missing' in (await lookForRust()));

const labWith = async (env: Record<string, string>, ...args: string[]): Promise<Ran> => {
  const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
  const { stdout, stderr, exitCode } = await execa(process.execPath, [program, 'lab', ...args], {
    ...{ cwd: base, reject: false, stdin: 'ignore', env },
  });
  return { stdout, stderr, exitCode };
};
const lab = (...args: string[]): Promise<Ran> => labWith({}, ...args);
const solution = (name: string, file: string): string => join(PROJECT_ROOT, 'labs', name, 'solution', file);

describe('a student', () => {
  test('starts a lab, fails, solves it, and the list says so', async () => {
    expect((await lab()).stdout).toMatch(/^h2 {2}.* not started here$/m);
    expect(await lab('h2', '--start', 'h2')).toMatchObject({ exitCode: 0 });
    expect(readdirSync(join(base, 'h2'))).toEqual(
      expect.arrayContaining(['README.md', 'README.zh-CN.md', 'guest.S', 'main.c']),
    );
    expect((await lab()).stdout).toMatch(/^h2 {2}.* h2: started$/m);
    // The copy here is meant when no folder is named.
    const failed = await lab('h2');
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toMatch(/^h2: FAILED, h2$/m);
    expect(failed.stdout).toMatch(/^ {2}not filled {2}hole 1 \(main\.c\), 2 /m);
    expect((await lab()).stdout).toMatch(/^h2 {2}.* h2: failed$/m);
    copyFileSync(solution('h2', 'main.c'), join(base, 'h2', 'main.c'));
    expect((await lab()).stdout).toMatch(/^h2 {2}.* h2: changed since its check$/m);
    expect(await lab('h2', 'h2')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^h2: passed/) });
    expect((await lab()).stdout).toMatch(/^h2 {2}.* h2: passed$/m);
  });

  test('reads the compiler’s message as it is, with the names of their files', async () => {
    await lab('h3', '--start', 'broken');
    appendFileSync(join(base, 'broken', 'main.c'), 'int oops(void) { return nothing; }\n');
    const { stdout, stderr, exitCode } = await lab('h3', 'broken');
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(
      /^h3: FAILED, broken does not build\n {2}main\.c:\d+:\d+: error: use of undeclared identifier 'nothing'/,
    );
  });

  test('reads the linker’s message', async () => {
    await lab('h3', '--start', 'unlinked');
    writeFileSync(join(base, 'unlinked', 'main.c'), 'void other(void);\nvoid lab_main(void) { other(); }\n');
    expect((await lab('h3', 'unlinked')).stdout).toMatch(/undefined symbol: other/);
  });

  test('is told of an endless loop, in the host and in the guest', async () => {
    await lab('h2', '--start', 'spins');
    const main = join(base, 'spins', 'main.c');
    writeFileSync(
      main,
      readFileSync(solution('h2', 'main.c'), 'utf8').replace('  host_mode();\n', '  host_mode();\n  for (;;)\n    ;\n'),
    );
    const host = await lab('h2', 'spins');
    expect(host.exitCode).toBe(1);
    expect(host.stdout).toMatch(/^ {2}(limit|loop) .*lab_main/m);
    copyFileSync(solution('h2', 'main.c'), main);
    writeFileSync(join(base, 'spins', 'guest.S'), '  .section .guest, "ax"\n1:\n  addi.d $t0, $t0, 1\n  b 1b\n');
    const guest = await lab('h2', 'spins');
    expect(guest.exitCode).toBe(1);
    expect(guest.stdout).toMatch(/^ {2}(limit|loop) .*VM 1/m);
  });

  test('is told of a program that is larger than the machine', async () => {
    await lab('h2', '--start', 'large');
    appendFileSync(join(base, 'large', 'main.c'), 'char large[1ul << 29];\n');
    const { stdout, stderr, exitCode } = await lab('h2', 'large');
    expect([exitCode, stderr]).toEqual([1, '']);
    expect(stdout).toMatch(
      /^h2: FAILED, large does not build\n {2}segment .* is not in RAM: the machine of the labs has 128 MiB/,
    );
  });

  test('who only prints the right lines is refused', async () => {
    await lab('h6', '--start', 'cheat');
    const lines = 'h6: the guest reads 0x600d\\nh6: at its physical address is 0x600d\\nh6: end\\n';
    writeFileSync(
      join(base, 'cheat', 'main.c'),
      `#include "lab.h"\nvoid lab_main(void) { print("${lines}"); power_off(); }\n`,
    );
    const { stdout, exitCode } = await lab('h6', 'cheat');
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^ {2}entry +no guest was entered$/m);
  });

  test('debugs a lab with gdb', async () => {
    const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    const child = execa(process.execPath, [program, 'lab', 'h1', '--solution', '--gdb', '0'], {
      cwd: base,
      reject: false,
      stdin: 'ignore',
    });
    const port = await new Promise<number>((resolve) => {
      let text = '';
      child.stderr!.on('data', (bytes: Buffer) => {
        text += bytes.toString();
        const found = /the machine on 127\.0\.0\.1:(\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
    });
    const commands = ['set confirm off', `target extended-remote :${port}`, 'break enter_guest', 'continue', 'kill'];
    const image = join(PROJECT_ROOT, 'build', 'labs', 'h1-solution.elf');
    const gdb = ['-nx', '-q', '-batch', image, ...commands.flatMap((c) => ['-ex', c])];
    expect((await execa(await findGdb(), gdb, { stdin: 'ignore' })).stdout).toMatch(/Breakpoint 1, enter_guest/);
    await child;
  });
});

describe('a teacher', () => {
  test('gets every lab as JSON and as JUnit', async () => {
    await lab('h4', '--start', 'class/h4');
    await lab('h5', '--start', 'class/h5');
    await lab('h6', '--start', 'class/h6');
    rmSync(join(base, 'class', 'h6', 'main.c'));
    copyFileSync(solution('h5', 'main.c'), join(base, 'class', 'h5', 'main.c'));
    const { stdout, exitCode } = await lab('--all', 'class', '--json', '--junit', 'results.xml');
    expect(exitCode).toBe(1);
    const results = JSON.parse(stdout) as { lab: string; passed: boolean; hint?: { step: number } }[];
    expect(results.map((r) => [r.lab, r.passed, r.hint?.step])).toEqual([
      ['h4', false, 7],
      ['h5', true, undefined],
      ['h6', false, undefined],
    ]);
    const xml = readFileSync(join(base, 'results.xml'), 'utf8');
    expect(xml).toMatch(/<testsuites tests="3" failures="2">/);
    expect(xml).toMatch(/<testcase classname="loongscope\.labs" name="h5"\/>/);
    expect(xml).toMatch(/name="h4">\n *<failure message="line 1 must be 'h4: the guest says hi' and is/);
    expect(xml).toMatch(/class\/h6 has no main\.c that can be read/);
    expect(xml).not.toMatch(/&(?!amp;|lt;|gt;|quot;)/);
  });
});

describe.skipIf(!haveRust)('a student who writes Rust', () => {
  test('starts a lab, fails, solves it, and the list says so', async () => {
    expect(await lab('h2', '--rust', '--start', 'crab')).toMatchObject({ exitCode: 0 });
    expect(readdirSync(join(base, 'crab')).sort()).toEqual([
      ...['.loongscope-lab.json', 'README.md', 'README.zh-CN.md', 'guest.S', 'main.rs'],
    ]);
    // A folder says itself what it is in.
    const failed = await lab('h2', 'crab');
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toMatch(/^ {2}hint .*hole 1 of main\.rs/m);
    expect(failed.stdout).toMatch(/^ {2}not filled {2}hole 1 \(main\.rs\), 2 /m);
    expect((await lab()).stdout).toMatch(/^h2 {2}.*crab: failed/m);
    copyFileSync(solution('h2', join('rust', 'main.rs')), join(base, 'crab', 'main.rs'));
    expect((await lab()).stdout).toMatch(/^h2 {2}.*crab: changed since its check/m);
    expect(await lab('h2', 'crab')).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/^h2: passed/) });
    expect((await lab()).stdout).toMatch(/^h2 {2}.*crab: passed/m);
    // A module beside the program counts.
    writeFileSync(join(base, 'crab', 'more.rs'), '');
    expect((await lab()).stdout).toMatch(/^h2 {2}.*crab: changed since its check/m);
  });

  test('reads the compiler’s message, and where a panic is', async () => {
    await lab('h3', '--rust', '--start', 'panics');
    const main = join(base, 'panics', 'main.rs');
    const text = readFileSync(solution('h3', join('rust', 'main.rs')), 'utf8');
    writeFileSync(main, `${text}\nfn oops() -> u32 {\n    nothing\n}\n`);
    const broken = await lab('h3', 'panics');
    expect([broken.exitCode, broken.stderr]).toEqual([1, '']);
    expect(broken.stdout).toMatch(
      /^h3: FAILED, panics does not build\n {2}error.*cannot find value `nothing`.*\n +--> main\.rs:\d+:5/,
    );
    writeFileSync(main, text.replace('    start_tick();\n', '    vcpu.pc -= 1 << 40;\n'));
    expect((await lab('h3', 'panics')).stdout).toMatch(
      /must be 'h3: tick' and is 'host: panic at main\.rs:\d+: attempt to subtract with overflow'/,
    );
  });

  test('every lab of a class in its own language', async () => {
    await lab('h1', '--start', 'mixed/h1');
    await lab('h2', '--rust', '--start', 'mixed/h2');
    copyFileSync(solution('h2', join('rust', 'main.rs')), join(base, 'mixed', 'h2', 'main.rs'));
    const { stdout } = await lab('--all', 'mixed');
    expect(stdout).toMatch(/^h1: FAILED, mixed\/h1\n[\s\S]*main\.c[\s\S]*^h2: passed/m);
  });

  test('debugs a lab with gdb, which knows the structures of Rust', async () => {
    const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    const child = execa(process.execPath, [program, 'lab', 'h1', '--solution', '--rust', '--gdb', '0'], {
      ...{ cwd: base, reject: false, stdin: 'ignore' },
    });
    const [port, image] = await new Promise<[number, string]>((resolve) => {
      let text = '';
      const look = (bytes: Buffer): void => {
        text += bytes.toString();
        const port = /the machine on 127\.0\.0\.1:(\d+)/.exec(text)?.[1];
        const image = /gdb-multiarch (\S+),/.exec(text)?.[1];
        if (port && image) resolve([Number(port), image]);
      };
      child.stderr!.on('data', look);
      child.stdout!.on('data', look);
    });
    const commands = [
      ...['set confirm off', `target extended-remote :${port}`, 'break main::hypercall', 'continue'],
      ...['print/x v.pc', 'monitor info vcpus', 'kill'],
    ];
    const gdb = ['-nx', '-q', '-batch', image, ...commands.flatMap((c) => ['-ex', c])];
    const { all } = await execa(await findGdb(), gdb, { stdin: 'ignore', all: true });
    expect(all).toMatch(/Breakpoint 1, main::hypercall \(v=0x\w+\) at .*solution\/rust\/main\.rs:\d+/);
    expect(all).toMatch(/\$1 = 0x200000$/m);
    // The descriptor finds the registers of the vCPU.
    expect(all).toMatch(/^VM 1 vcpu 0: parked, last on cpu0 at 0x200000 \(lab's context\)/m);
    await child;
  });
});

describe('without Rust', () => {
  test('a lab in Rust says what is missing, and what mends it; one in C is checked', async () => {
    const env = { LS_RUSTC: '/nowhere/rustc' };
    const { stderr, stdout, exitCode } = await labWith(env, 'h1', '--solution', '--rust');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(
      /^loongscope: there is no rustc, and labs in Rust are built by rustc 1\.85 or newer with the core library of loongarch64-unknown-linux-gnu: .*install/,
    );
    expect(stderr.trim().split('\n')).toHaveLength(1);
    expect((await labWith(env, 'h1', '--solution')).exitCode).toBe(0);
  });

  test('a rustc that does not serve says why', async () => {
    const rustc = join(base, 'old-rustc');
    writeFileSync(rustc, '#!/bin/sh\necho "error[E0463]: can\'t find crate for core" >&2\nexit 1\n', { mode: 0o755 });
    const { stderr, exitCode } = await labWith({ LS_RUSTC: rustc }, 'h1', '--rust');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/a rustc that does not serve \(error\[E0463\]: can't find crate for core\), and labs in/);
  });

  test('nobody of a class has failed for it', async () => {
    mkdirSync(join(base, 'rusty', 'h2'), { recursive: true });
    writeFileSync(join(base, 'rusty', 'h2', 'main.rs'), '');
    const { stderr, stdout, exitCode } = await labWith({ LS_RUSTC: '/nowhere/rustc' }, '--all', 'rusty');
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(/there is no rustc/);
  });
});

describe('what cannot be done says why', () => {
  test.each([
    [['--rust'], /--rust without a lab/],
    [['h1', 'in-c', '--rust'], /in-c has no main\.rs that can be read.*loongscope lab h1 --rust --start DIR/],
    [['h9'], /there is no lab 'h9': the labs are h1, h2, h3, h4, h5, h6/],
    [['h1', 'nowhere'], /there is no folder nowhere: make it with loongscope lab h1 --start nowhere/],
    [['h1', '--start', '.'], /\. is there already and not empty/],
    [['h1', '--start', '/proc/nothing'], /\/proc\/nothing cannot be written \(E\w+\)/],
    [['--start', 'x'], /--start DIR without a lab: name one/],
    [['--solution'], /--solution without a lab/],
    [['--gdb', '1234'], /--gdb PORT without a lab/],
    [
      ['h1', '--solution', '--junit', '/proc/x/y.xml'],
      /--junit: cannot write \/proc\/x\/y\.xml \(E\w+\): check the path/,
    ],
    [['--all', 'empty-folder'], /there is no folder empty-folder/],
    [['h1', 'x', '--solution'], /--solution checks the project’s solution: leave the folder out/],
    [['h1', '--start', 'x', '--json'], /--start copies a skeleton: leave everything else out/],
  ])('lab %s', async (args, message) => {
    mkdirSync(join(base, 'in-c'), { recursive: true });
    const { stderr, stdout, exitCode } = await lab(...args);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  test('a folder that is not a lab’s', async () => {
    await lab('h1', '--start', 'partly');
    rmSync(join(base, 'partly', 'switch.S'));
    const { stderr, exitCode } = await lab('h1', 'partly');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/partly has no switch\.S that can be read, which lab h1 needs/);
    expect(existsSync(join(base, 'partly', '.loongscope-lab.json'))).toBe(true);
  });
});
