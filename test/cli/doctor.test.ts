/** `loongscope doctor`: each thing that can be missing has its own words, and a command that mends it. */
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { diagnose, report, type Surroundings } from '../../src/cli/doctor.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const GOOD: Surroundings = {
  node: 'v24.21.0',
  sandbox: true,
  gdbs: [{ program: 'gdb-multiarch', version: '18.1', hasLoongArch: true, hasPython: true }],
  guests: true,
  programs: { passt: true, 'qemu-nbd': true },
  rustMissing: undefined,
  folders: [{ path: '/home/me', writable: true, free: 2 ** 30 }],
  system: 'debian',
};
const lines = (s: Partial<Surroundings>): string[] => report(diagnose({ ...GOOD, ...s })).split('\n');

describe('doctor', () => {
  test('all is there', () => {
    expect(report(diagnose(GOOD))).toBe(
      [
        'ok       Node        v24.21.0',
        'ok       hypervisor  the reference hypervisor and its guests',
        'ok       sandbox     Node can give up its rights',
        'ok       gdb         gdb-multiarch 18.1, with LoongArch and Python',
        'ok       passt       is there',
        'ok       qemu-nbd    is there',
        'ok       Rust        rustc, with the core library for LoongArch',
        'ok       folder      /home/me: 1024 MiB free',
        'All is there.',
        '',
      ].join('\n'),
    );
  });

  test.each([
    ['an old Node', { node: 'v20.1.0' }, ['WRONG    Node        v20.1.0', 'everything', 'install Node 24 or newer']],
    [
      'no gdb',
      { gdbs: [] },
      ['missing  gdb         none', 'debug, the whole of demo, and gdb on', 'apt-get install gdb-multiarch'],
    ],
    [
      'a gdb for another processor',
      { gdbs: [{ program: 'gdb', version: '13.1', hasLoongArch: false, hasPython: true }], system: 'darwin' },
      ['missing  gdb         gdb 13.1, which does not know LoongArch', 'debug', 'brew install gdb'],
    ],
    [
      'an old gdb',
      { gdbs: [{ program: 'gdb', version: '13.1', hasLoongArch: true, hasPython: true }], system: 'arch' },
      ['missing  gdb         gdb 13.1, older than 16', 'debug', 'gdb-multiarch of the AUR'],
    ],
    [
      'a gdb without Python',
      { gdbs: [{ program: 'gdb', version: '16.3', hasLoongArch: true, hasPython: false }] },
      ['missing  gdb         gdb 16.3, with LoongArch, without Python', 'the helper', 'gdb-multiarch'],
    ],
    ['no guests', { guests: false }, ['missing  hypervisor  not built', 'run --guest', './scripts/build-guests']],
    ['no rights to give up', { sandbox: false }, ['missing  sandbox', 'run without --no-sandbox', 'Node 24.18']],
    [
      'no Rust',
      { rustMissing: 'no rustc' },
      ['missing  Rust        no rustc', 'the labs in Rust', 'add --rust to ./scripts/loongscope lab'],
    ],
    [
      'no Rust on another system',
      { rustMissing: 'no rustc', system: 'darwin' },
      ['missing  Rust        no rustc', 'the labs in Rust', 'install rustc 1.85 or newer of your system'],
    ],
    [
      'no passt',
      { programs: { passt: false, 'qemu-nbd': true }, system: 'fedora' },
      ['missing  passt       none', '--net user', 'install the package passt of your system'],
    ],
    [
      'a read-only folder',
      { folders: [{ path: '/mnt', writable: false, free: 0 }] },
      ['missing  folder      /mnt: not writable', 'snapshots', 'a folder that you may write to'],
    ],
    [
      'a full disk',
      { folders: [{ path: '/mnt', writable: true, free: 3 * 2 ** 20 }] },
      ['missing  folder      /mnt: 3 MiB free', 'snapshots', 'make room'],
    ],
  ] as const)('%s', (_, surroundings, expected) => {
    const all = lines(surroundings as Partial<Surroundings>);
    const at = all.findIndex((line) => !line.startsWith('ok'));
    for (const [n, part] of expected.entries()) expect(all[at + n]).toContain(part);
    expect(all.at(-2)).toBe('1 of 8 are not right; the rest works.');
  });

  test('the command, as text and as JSON', async () => {
    const run = (...args: string[]): Promise<{ stdout: string; exitCode?: number | undefined }> =>
      execa(process.execPath, ['src/cli/main.ts', 'doctor', ...args], { cwd: PROJECT_ROOT, reject: false });
    const { stdout, exitCode } = await run();
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ok {7}Node {8}v\d+/m);
    const findings = JSON.parse((await run('--json')).stdout) as { name: string; needed: boolean }[];
    expect(findings.filter((f) => f.needed).map((f) => f.name)).toEqual(['Node']);
  });
});
