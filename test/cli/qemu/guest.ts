/** Small guests for command lines, and the program that runs them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';
import { PROJECT_ROOT } from '../../../src/cli/paths.ts';
import { elfOf } from '../../support/images.ts';
import { until } from '../../support/wait.ts';

const UART = ['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e0'];
const letter = (c: string): string[] => [`addi.w $a1, $zero, ${c.charCodeAt(0)}`, 'st.b $a1, $t0, 0'];
const POWER_OFF = ['lu12i.w $t0, 0x100e0', 'addi.w $a1, $zero, 0x34', 'st.b $a1, $t0, 0x1c', 'b 0'];

/** Instructions that write a text to the serial line. */
export const saying = (text: string): string[] => [...UART, ...[...text].flatMap(letter)];
/** Says a text and switches the machine off. */
export const greeter = (text: string): Uint8Array => elfOf([...saying(text), ...POWER_OFF]);
/** The same without an ELF around it; it runs at any address. */
export const rawGreeter = (text: string): Uint8Array => greeter(text).slice(120);
/** Says a text, and runs for ever. */
export const runner = (text: string): Uint8Array => elfOf([...saying(text), 'b 0']);
/** Sends back every byte that it receives, and switches the machine off at a full stop. */
export const echo = (text: string): Uint8Array =>
  elfOf([
    ...saying(text),
    // The line status says whether a byte is there.
    'ld.bu $t1, $t0, 5',
    'andi $t1, $t1, 1',
    'beq $t1, $zero, -8',
    'ld.bu $a1, $t0, 0',
    'st.b $a1, $t0, 0',
    'addi.w $t1, $a1, -46',
    'bne $t1, $zero, -24',
    ...POWER_OFF,
  ]);

/** As much of a PE image as makes firmware believe that it is one. */
export function peStub(): Uint8Array {
  const bytes = new Uint8Array(0x200);
  bytes.set([0x4d, 0x5a]);
  new DataView(bytes.buffer).setUint32(0x3c, 0x80, true);
  bytes.set([0x50, 0x45, 0, 0, 0x64, 0x62], 0x80);
  return bytes;
}

/** A disk of 64 KiB. */
export const disk = (): Uint8Array => new Uint8Array(0x10000);

/** A folder with these files, which is gone after the test. */
export function folder(files: Readonly<Record<string, Uint8Array | string>> = {}): string {
  const dir = mkdtempSync(join(tmpdir(), 'loongscope-qemu-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
  return dir;
}

const MAIN = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');

/** Runs `loongscope qemu` to its end. */
export async function qemu(
  cwd: string,
  args: readonly string[],
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const r = await execa(process.execPath, [MAIN, 'qemu', ...args], {
    cwd,
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { XDG_CACHE_HOME: cwd },
  });
  return { code: r.exitCode ?? -1, out: r.stdout, err: r.stderr };
}

/** Starts `loongscope qemu`; it is ended with the test. */
export function launch(cwd: string, args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, 'qemu', ...args], { cwd, env: { ...process.env, XDG_CACHE_HOME: cwd } });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Connects to a socket, as soon as a server listens there. */
export async function openSocket(path: string): Promise<Socket> {
  let connected: Socket | undefined;
  let trying = false;
  await until(() => {
    if (!connected && !trying) {
      trying = true;
      const socket = connect(path);
      socket.once('error', () => {
        trying = false;
      });
      socket.once('connect', () => {
        connected = socket;
      });
    }
    return connected !== undefined;
  });
  const socket = connected!;
  onTestFinished(() => void socket.destroy());
  return socket;
}
