/** Runs a batch of commands in a real gdb against a machine in this process. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { findGdb } from '../../src/cli/find-gdb.ts';
import { DEFAULT_MACHINE, type GuestPort, type GuestSpec, type MachineCli } from '../../src/cli/options.ts';
import { HYPERVISOR, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { type Running, start } from '../../src/cli/run.ts';

/** The gdbs that every session runs with: the newest found, and the oldest that is served, where it could be brought. */
const OLDEST = join(PROJECT_ROOT, '.tools', 'bin', 'gdb-oldest');
export const GDBS: readonly (readonly [name: string, gdb: string])[] = [
  ['the newest gdb', await findGdb()],
  ...(existsSync(OLDEST) ? [['gdb 16', OLDEST] as const] : []),
];
if (!existsSync(OLDEST)) process.stderr.write('no gdb 16: its sessions are skipped\n');

export const guestSpec = (name: string, alias = name, append = '', vcpus = 1): GuestSpec => ({
  file: name,
  name: alias,
  memory: 16 << 20,
  append,
  vcpus,
});

/** A failed command would end the batch. This runs a command so that its message is printed instead. */
export const refused = (command: string): string =>
  `python exec("try:\\n  gdb.execute('${command}')\\nexcept gdb.error as e:\\n  print('refused:', e)")`;

/** Commands that show a process (16 + GID, or 2: the host world) as inferior `number`, with the symbols of a file. */
export const attachCommands = (pid: number, elf: string, number = 2): string[] => [
  `add-inferior -exec ${elf}`,
  `inferior ${number}`,
  `attach ${pid}`,
];

export const machineCli = (guests: readonly GuestSpec[], more: Partial<MachineCli> = {}): MachineCli => ({
  ...DEFAULT_MACHINE,
  guest: [...guests],
  serial: { kind: 'null' },
  gdb: { host: '127.0.0.1', port: 0 },
  wait: true,
  timeout: 60,
  quiet: true,
  ...more,
});

export interface Session {
  /** The output of gdb, with each command before its answer. */
  readonly output: string;
  /** The guest's console. */
  readonly console: string;
}

export interface SessionOptions {
  /** Guests of the reference hypervisor, or an image to boot instead. */
  readonly guests?: readonly GuestSpec[];
  readonly image?: Uint8Array;
  readonly ports?: readonly GuestPort[];
  /** Which port gdb connects to: 0 is the machine, then the guests' ports. */
  readonly port?: number;
  readonly symbols?: readonly string[];
  readonly commands: readonly string[];
  /** Called while gdb runs. */
  readonly meanwhile?: (running: Running, interrupt: () => void) => void;
  readonly more?: Partial<MachineCli>;
  /** The gdb to use; the newest found unless given. */
  readonly gdb?: string;
}

/** Runs gdb in batch mode. It fails when gdb aborts or prints a warning. */
export async function gdbSession(options: SessionOptions): Promise<Session> {
  const bytes: number[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-gdb-'));
  const image = options.image && join(folder, 'image.elf');
  if (image) writeFileSync(image, options.image);
  const { guest, ...bare } = machineCli(options.guests ?? [], {
    ...(options.ports && { gdbGuest: [...options.ports] }),
    ...options.more,
  });
  const running = await start(
    image,
    image || bare.snapshot ? bare : { ...bare, guest: guest! },
    (b) => void bytes.push(...b),
  );
  try {
    const script = join(folder, 'batch.gdb');
    const lines = [
      'set pagination off',
      'set confirm off',
      'set width 0',
      'set style enabled off',
      `file ${image ?? HYPERVISOR}`,
    ];
    lines.push(`target extended-remote 127.0.0.1:${running.ports[options.port ?? 0]}`);
    for (const s of options.symbols ?? []) lines.push(`add-symbol-file build/guests/${s}.elf`);
    for (const c of options.commands) lines.push(`echo (gdb) ${c.replace(/[\\$]/g, (x) => `\\${x}`)}\\n`, c);
    writeFileSync(script, `${lines.join('\n')}\n`);
    // One pipe for stdout and stderr: gdb prints the output of the target on stderr, and with two pipes their order would be lost.
    const program = options.gdb ?? (await findGdb());
    const child = execa('sh', ['-c', 'exec "$0" "$@" 2>&1', program, '-nx', '-q', '-batch', '-x', script], {
      cwd: PROJECT_ROOT,
      reject: false,
      all: true,
      timeout: 60_000,
      stdin: 'ignore',
    });
    options.meanwhile?.(running, () => child.kill('SIGINT'));
    const { all } = await child;
    const output = all ?? '';
    if (/internal-error|rejected target-supplied|^warning:.*(description|register)/im.test(output))
      throw new Error(`gdb is not content:\n${output}`);
    return { output, console: String.fromCharCode(...bytes) };
  } finally {
    running.control.quit();
    await running.done;
    rmSync(folder, { recursive: true, force: true });
  }
}
