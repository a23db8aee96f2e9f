/** How the program behaves at a shell and on a terminal. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const PROGRAM = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
const run = (shell: string) =>
  execa('sh', ['-c', shell, process.execPath, PROGRAM], { reject: false, stdin: 'ignore', cwd: PROJECT_ROOT });

const TALKERS = ['--help', 'run --help', 'explain gstat', 'doctor --json', 'qemu -help'];

test.each(TALKERS)('%s: a reader that closes the pipe ends it in silence', async (command) => {
  // The reader has closed its end before the program writes.
  const { stderr } = await run(`{ sleep 0.1; "$0" "$1" ${command}; } | true`);
  expect(stderr).toBe('');
});

test.each(TALKERS)('%s: a full disk is one line, and no success', async (command) => {
  const { stderr, exitCode } = await run(`"$0" "$1" ${command} >/dev/full`);
  expect(stderr).toBe('loongscope: cannot write to standard output (ENOSPC): make room there, or send it elsewhere');
  expect(exitCode).toBe(1);
});

test('a console on a full disk is no success either', async () => {
  const { stderr, exitCode } = await run(`"$0" "$1" run build/examples/tiny-hv.elf >/dev/full`);
  expect(stderr).toMatch(/^loongscope: cannot write to standard output \(ENOSPC\)/m);
  expect(stderr).not.toMatch(/\n\s+at /);
  expect(exitCode).not.toBe(0);
});

test('--help shows defaults as one writes them', async () => {
  const { stdout } = await run('"$0" "$1" run --help');
  expect(stdout).toMatch(/--memory .*\(default: 256M\)/);
  expect(stdout.replace(/\s+/g, ' ')).toMatch(/unix:PATH\[,server\] \(default: stdio\)/);
  expect(stdout).not.toMatch(/default: [{[]|default: \d{6}/);
});

describe('on a terminal', () => {
  /** Runs a machine, which waits for a debugger, on a terminal; types `keys` as soon as the terminal shows the texts, one after the other. */
  const typed = (keys: readonly (readonly [seen: string, keys: string])[]): Promise<{ shown: string; code: number }> =>
    new Promise((resolve) => {
      const machine = `'${process.execPath}' '${PROGRAM}' run --guest hello --wait --gdb 0 --timeout 60`;
      const child = spawn('script', ['-qefc', machine, '/dev/null'], { stdio: 'pipe' });
      let shown = '';
      const left = [...keys];
      child.stdout.on('data', (bytes: Buffer) => {
        shown += bytes.toString();
        while (left.length > 0 && shown.includes(left[0]![0])) child.stdin.write(left.shift()![1]);
      });
      child.on('close', (code) => resolve({ shown, code: code! }));
    });

  test('the keys are announced once; Ctrl-A H shows them, Ctrl-A X ends the run', async () => {
    const { shown, code } = await typed([
      ['Ctrl-A H shows the keys', '\x01h'],
      ['Ctrl-A Ctrl-A sends', '\x01x'],
    ]);
    expect(shown.match(/Ctrl-A H shows the keys of this terminal/g)).toHaveLength(1);
    expect(shown).toMatch(/all other keys go to the guest/);
    expect(code).toBe(130);
  });
});

describe('a file that cannot be written is one line that says what to do', () => {
  const FULL = 'make room there, or give another place';
  test.each([
    ['run --guest hello --dump-dtb /dev/full', `cannot write /dev/full (ENOSPC): ${FULL}`],
    ['test build/conformance/bits.elf --junit /dev/full', `--junit: cannot write /dev/full (ENOSPC): ${FULL}`],
    ['lab h1 --solution --junit /dev/full', `--junit: cannot write /dev/full (ENOSPC): ${FULL}`],
    ['run --guest hello --record /dev/full', 'warning: the recording /dev/full ends here (ENOSPC)'],
    ['run --guest hello --log exit=/dev/full', 'warning: --log: /dev/full takes no more (ENOSPC)'],
    ['run --guest hello --serial file:/dev/full', 'warning: --serial: /dev/full takes no more (ENOSPC)'],
    ['run --guest hello --net isolated,pcap=/dev/full', 'warning: --net: /dev/full takes no more (ENOSPC)'],
    ['trace --guest hello --output /dev/full', 'warning: --output: /dev/full takes no more (ENOSPC)'],
    ['trace --guest hello --output build', '--output: cannot write build (EISDIR): it is a folder: give a file'],
    ['run --guest hello --record build', '--record: cannot write build (EISDIR): it is a folder: give a file'],
    ['lab h1 --start /proc/h1', '/proc/h1 cannot be written (ENOENT): give another folder'],
    ['explore --guest hello --runs 1 --output /proc/x', '--output: cannot make /proc/x (ENOENT): check the path'],
    ['explore --guest hello --runs 1 --output /dev/full', '--output: cannot make /dev/full (EEXIST): check the path'],
    ['qemu -M virt,dumpdtb=/dev/full', `qemu: -machine dumpdtb=: cannot write /dev/full (ENOSPC): ${FULL}`],
  ])('%s', async (command, line) => {
    const { stderr } = await run(`"$0" "$1" ${command} >/dev/null`);
    expect(stderr).toContain(`loongscope: ${line}`);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('no place for what is needed for a moment', async () => {
    const { stderr } = await run('TMPDIR=/dev/null "$0" "$1" demo; TMPDIR=/dev/null "$0" "$1" debug --guest hello');
    const line =
      'loongscope: cannot make a folder in /dev/null (ENOTDIR): set TMPDIR to a folder that you may write to';
    expect(stderr).toBe(`${line}\n${line}`);
  });
});
