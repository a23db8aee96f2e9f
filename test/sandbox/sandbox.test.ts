/** The wall around a running machine: a hole is planted in a device, and what the guest orders through it is refused. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { sandboxFlags } from '../../src/cli/sandbox.ts';
import { PLATFORM } from '../../src/emu/memory/physical-map.ts';
import { elfOf } from '../support/images.ts';
import { NbdServer } from '../support/nbd-server.ts';

const dir = mkdtempSync(join(tmpdir(), 'loongscope-sandbox-'));
// As in a checkout: the program finds its version two folders above.
const [bundle, shared, secret] = [join(dir, 'build', 'cli'), join(dir, 'shared'), join(dir, 'secret')];
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const HOLE = fileURLToPath(new URL('./hole.ts', import.meta.url));
const SEND = 'this.backend.send(byte);';

/** The program as scripts/loongscope bundles it, with a hole in the UART. */
beforeAll(async () => {
  mkdirSync(shared);
  copyFileSync(join(PROJECT_ROOT, 'package.json'), join(dir, 'package.json'));
  writeFileSync(secret, 'secret');
  symlinkSync(secret, join(shared, 'link'));
  writeFileSync(join(shared, 'named'), 'named');
  await build({
    input: ['main', 'cpu-worker', 'explore-worker', 'file-thread', 'nbd-thread'].map((name) =>
      join(PROJECT_ROOT, 'src', 'cli', `${name}.ts`),
    ),
    platform: 'node',
    logLevel: 'silent',
    output: { dir: bundle, format: 'esm' },
    plugins: [
      {
        name: 'hole',
        transform(code, id) {
          if (!id.endsWith('/uart16550.ts')) return null;
          if (!code.includes(SEND)) throw new Error('the place for the hole is not there any more');
          const planted = code.replace(SEND, 'hole(byte, (b) => this.backend.send(b));');
          return `import { hole } from ${JSON.stringify(HOLE)};\n${planted}`;
        },
      },
    ],
  });
  cpSync(join(PROJECT_ROOT, 'src', 'hv', 'awareness', 'descriptors'), join(bundle, 'descriptors'), { recursive: true });
});

const UART = PLATFORM.uarts[0]!.base;
const { base: GED, sleepControl, powerOffValue } = PLATFORM.ged;
const START = 0x200000;

/** A guest that sends a text to the console and switches the machine off. */
function sender(text: string): Uint8Array {
  const load = (register: string, value: number): string[] => [
    `lu12i.w ${register}, ${value >>> 12}`,
    `ori ${register}, ${register}, ${value & 0xfff}`,
  ];
  const code = (end: number): string[] => [
    ...load('$a0', START + end),
    ...load('$a1', UART),
    'ld.bu $a2, $a0, 0',
    'beqz $a2, 16',
    'st.b $a2, $a1, 0',
    'addi.d $a0, $a0, 1',
    'b -16',
    ...load('$a1', GED + sleepControl),
    `addi.w $a2, $zero, ${powerOffValue}`,
    'st.b $a2, $a1, 0',
    'b 0',
  ];
  const bytes = Buffer.alloc(Math.ceil((text.length + 1) / 4) * 4);
  bytes.write(text, 'latin1');
  const words = Array.from({ length: bytes.length / 4 }, (_, n) => `.word ${bytes.readUInt32LE(4 * n)}`);
  return elfOf([...code(4 * code(0).length), ...words]);
}

interface Outcome {
  readonly code: number;
  readonly lines: readonly string[];
  readonly err: string;
}

/** What the hole uses is experimental in part; the program says nothing of the kind. */
const NODE = ['--disable-warning=ExperimentalWarning'];

/** Runs orders through the hole, one a line. */
async function through(orders: readonly string[], ...options: string[]): Promise<Outcome> {
  const image = join(shared, 'guest.elf');
  writeFileSync(image, sender(orders.map((o) => `${o}\n`).join('')));
  const r = await execa(
    process.execPath,
    [...NODE, join(bundle, 'main.js'), 'run', image, '--no-code-cache', ...options],
    {
      reject: false,
      stdin: 'ignore',
      timeout: 60_000,
      cwd: shared,
    },
  );
  return { code: r.exitCode ?? -1, lines: r.stdout.split('\n'), err: r.stderr };
}

/** Orders that nothing on the command line allows. `out`: a folder for what is written. */
const orders = (out: string): readonly string[] => [
  'read /etc/passwd',
  'readBytes /etc/passwd',
  `read ${secret}`,
  'read ../secret',
  `read ${join(shared, 'link')}`,
  `read ${join(shared, 'guest.elf')}`,
  `read /proc/self/root${secret}`,
  'read /proc/self/cwd/../secret',
  'read /proc/self/environ',
  `read ${bundle}/../secret`,
  'list /',
  `list ${dir}`,
  'stat /etc/passwd',
  `write ${join(out, 'new')}`,
  `write ${join(bundle, 'new.js')}`,
  `link ${secret}`,
  `copy ${secret}`,
  `symlink ${join(out, 'link')}`,
  'reopen ',
  'beside secret',
  'require /etc/hostname',
  `fork ${join(bundle, 'main.js')}`,
  'run /bin/true',
  'thread ',
  'hooks ',
  'binding fs',
  'binding spawn_sync',
  `load ${join(out, 'no.node')}`,
  'wasi /',
  'inspector ',
  'session ',
  `database ${join(out, 'base.db')}`,
  `report ${join(out, 'report.json')}`,
  `heap ${join(out, 'heap')}`,
  `environment ${secret}`,
  `remove ${join(shared, 'named')}`,
  // The last one: where it works the program is another one.
  'become /bin/true',
];

/** The machine has a disk that it may only read, and a folder. */
const MACHINE = ['--share', shared, '--drive', `${join(dir, 'disk')},readonly`] as const;
beforeAll(() => writeFileSync(join(dir, 'disk'), new Uint8Array(4096)));

describe('a hole in a device', () => {
  test('reaches nothing that the command line does not name, and the machine goes on', async () => {
    const out = join(dir, 'behind');
    mkdirSync(out);
    const wanted = orders(out);
    const before = readdirSync(bundle);
    const own = `read ${join(bundle, 'main.js')}`;
    const { code, lines, err } = await through([...wanted, own], ...MACHINE);
    expect(lines).toEqual([...wanted.map((o) => `${o} refused`), `${own} open`]);
    expect([code, err]).toEqual([0, '']);
    expect(readdirSync(out)).toEqual([]);
    expect(readdirSync(bundle)).toEqual(before);
    expect(readFileSync(join(shared, 'named'), 'utf8')).toBe('named');
  });

  test('is as wide as the account without the wall', async () => {
    const out = join(dir, 'beyond');
    mkdirSync(out);
    const { lines } = await through(orders(out), '--no-sandbox', ...MACHINE);
    expect(lines.filter((line) => line.endsWith(' refused'))).toEqual([]);
    expect(existsSync(join(out, 'new'))).toBe(true);
  });
});

/** What every way to run a machine comes with; `out` is a file that is named. */
const WAYS: readonly (readonly [string, readonly string[]])[] = [
  ['run', ['run', '--engine', 'check']],
  ['run --threads', ['run', '--clock', 'host', '--threads']],
  ['run --serial file:F', ['run', '--serial', 'file:OUT']],
  ['run --log F', ['run', '--log', 'exit,exception=OUT']],
  ['run --net dump:F', ['run', '--net', 'dump:OUT']],
  ['run --code-cache F', ['run', '--code-cache', 'OUT']],
  ['run --gdb', ['run', '--gdb', '0']],
  ['trace', ['trace', '--output', 'OUT']],
  ['qemu', ['qemu', '-nographic', '-kernel']],
];

describe('behind the wall', () => {
  const image = join(dir, 'order.elf');
  beforeAll(() => writeFileSync(image, sender(`read ${secret}\n`)));
  const program = (
    args: readonly string[],
    input = '',
  ): Promise<{ stdout: string; stderr: string; exitCode?: number }> =>
    execa(process.execPath, [...NODE, join(bundle, 'main.js'), ...args], {
      reject: false,
      input,
      timeout: 60_000,
      cwd: dir,
      env: { XDG_CACHE_HOME: dir },
    });

  test.each(WAYS)('%s works', async (_, way) => {
    const out = join(dir, 'out');
    rmSync(out, { force: true });
    const args = way.map((a) => a.replace('OUT', out));
    const { stdout, exitCode } = await program([...args, image]);
    const named = args.some((a) => a.includes(out));
    expect(existsSync(out)).toBe(named);
    expect(way.includes('file:OUT') ? readFileSync(out, 'utf8') : stdout).toContain(`read ${secret} refused`);
    expect(exitCode).toBe(0);
  });

  test('a disk on a server, and a network to another machine', async () => {
    const socket = join(dir, 'disk.sock');
    const server = new NbdServer({ path: socket, size: 1 << 20 });
    await server.listen();
    let joined = 0;
    const peer = createServer((s) => {
      joined++;
      s.resume();
      s.on('error', () => {});
    });
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve));
    const { port } = peer.address() as { port: number };
    const net = ['--drive', `nbd:unix:${socket}`, '--net', `stream,connect=${port}`];
    const { stdout, stderr, exitCode } = await program(['run', ...net, image]);
    expect([stdout.trim(), stderr, exitCode]).toEqual([`read ${secret} refused`, '', 0]);
    expect([joined, server.farewells]).toEqual([1, 1]);
    server.close();
    peer.close();
  });

  test('debug works, saves a snapshot below --files, and --snapshot goes on from it', async () => {
    const files = join(dir, 'files');
    mkdirSync(files);
    const commands = ['monitor snapshot save one', 'monitor snapshot save ../two', 'continue', ''].join('\n');
    const first = await program(['debug', '--files', files, image], commands);
    expect(first.stdout).toContain(`read ${secret} refused`);
    expect(readdirSync(files)).toEqual(['one']);
    expect(existsSync(join(dir, 'two'))).toBe(false);
    const second = await program(['run', '--snapshot', join(files, 'one')]);
    expect([second.stdout.trim(), second.exitCode]).toEqual([`read ${secret} refused`, 0]);
  });
});

describe('the program', () => {
  test('starts with the options that scripts/loongscope passes, and not twice', async () => {
    const list = '$' + '{LS_SANDBOX_FLAGS[@]}';
    const script = `set -eu; . scripts/lib/prepare.sh; ensure_node; printf '%s\\n' "${list}"`;
    const { stdout } = await execa('bash', ['-c', script], { cwd: PROJECT_ROOT });
    const general = (flags: readonly string[]): string[] =>
      flags.map((f) => f.replace(/(--allow-fs-read=).*\*$/, '$1PROGRAM')).sort();
    expect([...new Set(general(stdout.split('\n')))]).toEqual([...new Set(general(sandboxFlags()))]);
  });

  test('refuses to start without the wall unless it is told to', async () => {
    const { exitCode, stderr } = await execa(
      process.execPath,
      [
        ...NODE,
        '--permission',
        '--allow-fs-read=*',
        '--allow-fs-write=*',
        join(bundle, 'main.js'),
        'run',
        join(shared, 'guest.elf'),
      ],
      { reject: false },
    );
    expect([exitCode, stderr]).toEqual([
      2,
      'loongscope: this process may read all files, so there is no sandbox: leave --allow-fs-read=* out, or add --no-sandbox',
    ]);
  });
});

describe('folders that are worked in outside the wall', () => {
  test('a shared folder has links, modes and all its files; one of --files takes names below it', async () => {
    const folder = join(dir, 'outside');
    mkdirSync(folder);
    const program = fileURLToPath(new URL('./outside.ts', import.meta.url));
    const { stdout } = await execa(process.execPath, [
      ...sandboxFlags(),
      `--allow-fs-read=${PROJECT_ROOT}`,
      program,
      folder,
    ]);
    expect(JSON.parse(stdout)).toEqual({
      refused: 'ERR_ACCESS_DENIED',
      text: 'shared',
      target: '/etc',
      big: true,
      above: expect.stringMatching(/\.\./) as string,
    });
    expect(readlinkSync(join(folder, 'link'))).toBe('/etc');
    expect(statSync(join(folder, 'file')).mode & 0o777).toBe(0o640);
    expect(readFileSync(join(folder, 'big'))).toHaveLength(5 << 20);
  });
});
