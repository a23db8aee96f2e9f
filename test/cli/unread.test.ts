/** Outputs without a reader, and endless input: the machine waits, memory does not grow, and the run can be ended. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { encodePacket } from '../../src/gdbstub/framing.ts';
import { elfOf } from '../support/images.ts';

const dir = mkdtempSync(join(tmpdir(), 'loongscope-unread-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const UART = ['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e0'];
const image = (name: string, content: Uint8Array): string => {
  const file = join(dir, name);
  writeFileSync(file, content);
  return file;
};
/** Sends letters for ever. */
const FLOOD = image('flood.elf', elfOf([...UART, 'addi.w $t1, $zero, 65', 'st.b $t1, $t0, 0', 'b -4']));
/** Takes a system call for ever: its handler, at 0x1000 behind the start, returns behind it. */
const CALLS = image(
  'calls.elf',
  elfOf([
    'lu12i.w $t0, 0x201',
    'csrwr $t0, 0xc',
    'syscall 0',
    'b -4',
    ...Array.from({ length: 1024 - 4 }, () => 'ori $zero, $zero, 0'),
    'csrrd $t1, 0x6',
    'addi.d $t1, $t1, 4',
    'csrwr $t1, 0x6',
    'ertn',
  ]),
);
/** Sends one letter, and turns in a circle. */
const LOOP = image('loop.elf', elfOf([...UART, 'addi.w $t1, $zero, 65', 'st.b $t1, $t0, 0', 'b 0']));

const COMMAND = [join(PROJECT_ROOT, 'src', 'cli', 'main.ts'), 'run', '--no-code-cache'];

function launch(...args: string[]): ChildProcess {
  const child = spawn(process.execPath, [...COMMAND, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** Jiffies of processor time of a process. */
function spent(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
const resident = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))![1]) / 1024;

/** Waits until a process that has begun to work works no more. */
async function standsStill(pid: number): Promise<void> {
  for (let before = -1, still = 0; still < 5; ) {
    await setTimeout(100);
    const now = spent(pid);
    still = now - before <= 1 && now > 30 ? still + 1 : 0;
    before = now;
  }
}

/** Ends a process by a signal. @returns milliseconds that it took, and its exit code */
async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<{ took: number; code: number | null }> {
  const began = performance.now();
  const gone = once(child, 'exit');
  child.kill(signal);
  await gone;
  return { took: performance.now() - began, code: child.exitCode };
}

async function obeys(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const { took, code } = await end(child, signal);
  expect(code).toBe(130);
  expect(took).toBeLessThan(1000);
}

/** Waits until a process has worked for half a second more. */
async function works(pid: number): Promise<void> {
  for (const before = spent(pid); spent(pid) < before + 50; ) await setTimeout(20);
}

/** The second is meant for a machine that has nothing else to do: one that is busy gets another try. */
const TRIES = { retry: 2, timeout: 60_000 };

describe.each(['SIGTERM', 'SIGINT'] as const)('%s is obeyed within a second', TRIES, (signal) => {
  test('in a tight loop', async () => {
    const child = launch(LOOP);
    await once(child.stdout!, 'data');
    await works(child.pid!);
    await obeys(child, signal);
  });

  test('while a pipe with the console is not read: the machine waits, and memory stays', async () => {
    const child = launch(FLOOD);
    await standsStill(child.pid!);
    expect(resident(child.pid!)).toBeLessThan(300);
    await obeys(child, signal);
  });

  test('while nobody reads the log on stderr', async () => {
    const child = launch('--log', 'exit,exception', CALLS);
    await standsStill(child.pid!);
    await obeys(child, signal);
  });
});

describe('SIGTERM is obeyed within a second', TRIES, () => {
  test.each([
    ['the log', (fifo: string) => ['--log', `exception=${fifo}`, CALLS]],
    ['the console', (fifo: string) => ['--serial', `file:${fifo}`, FLOOD]],
  ])('while %s goes to a FIFO that nobody reads', async (_, args) => {
    const fifo = join(dir, 'fifo');
    rmSync(fifo, { force: true });
    execFileSync('mkfifo', [fifo]);
    const child = launch(...args(fifo));
    await standsStill(child.pid!);
    await obeys(child);
  });

  test('while a terminal does not go on', async () => {
    const pidFile = join(dir, 'pid');
    const command = `echo $$ > '${pidFile}'; exec '${process.execPath}' ${[...COMMAND, FLOOD].map((w) => `'${w}'`).join(' ')}`;
    // `script` gives it a terminal, and stops reading it when its own output is not read.
    const terminal = spawn('script', ['-qefc', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void terminal.kill('SIGKILL'));
    while (!existsSync(pidFile) || readFileSync(pidFile, 'utf8') === '') await setTimeout(20);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    await standsStill(pid);
    const began = performance.now();
    process.kill(pid, 'SIGTERM');
    const gone = (): boolean =>
      !existsSync(`/proc/${pid}`) || /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    while (!gone() && performance.now() - began < 5000) await setTimeout(10);
    expect(performance.now() - began).toBeLessThan(1000);
  });

  test('while a gdb floods packets that take long, and reads nothing', async () => {
    const socket = join(dir, 'gdb');
    const child = launch('--gdb', `unix:${socket}`, '--wait', '--serial', 'null', LOOP);
    while (!existsSync(socket)) await setTimeout(20);
    const client = connect(socket);
    client.on('error', () => {});
    client.pause();
    const flood = Buffer.concat(
      Array.from({ length: 2000 }, () => encodePacket('qSearch:memory:200000;2000000;nowhere')),
    );
    client.write(flood);
    await works(child.pid!);
    await obeys(child);
    client.destroy();
  });
});

/** Touches 200 MiB, so that copies of the machine take long and are far apart, and then loops. */
const WIDE = image(
  'wide.elf',
  elfOf([
    'lu12i.w $t0, 0x1000', // 16 MiB
    'lu12i.w $t1, 0x100',
    'addi.w $t2, $zero, 200',
    'st.d $t1, $t0, 0',
    'add.d $t0, $t0, $t1',
    'addi.d $t2, $t2, -1',
    'bne $t2, $zero, -12',
    'b 0',
  ]),
);

describe('a search of a long past', TRIES, () => {
  const packet = (payload: string): Uint8Array => encodePacket(payload);

  /** A machine whose past is searched for what never was. */
  async function searching(): Promise<{ child: ChildProcess; client: Socket; heard: () => string }> {
    const socket = join(mkdtempSync(join(dir, 'past-')), 'gdb');
    const child = launch('--gdb', `unix:${socket}`, '--wait', '--serial', 'null', WIDE);
    while (!existsSync(socket)) await setTimeout(20);
    const client = connect(socket);
    client.on('error', () => {});
    let heard = '';
    client.on('data', (d: Buffer) => {
      heard += d.toString('latin1');
    });
    for (const p of ['QStartNoAckMode', 'Z2,300000,8', 'vCont;c']) client.write(packet(p));
    const before = spent(child.pid!);
    while (spent(child.pid!) < before + 300) await setTimeout(50);
    client.write(Uint8Array.of(3));
    while (!heard.includes('$T02')) await setTimeout(10);
    heard = '';
    client.write(packet('bc'));
    const idle = spent(child.pid!);
    while (spent(child.pid!) < idle + 30) await setTimeout(10);
    expect(heard).toBe('');
    return { child, client, heard: () => heard };
  }

  test('ends within a second of Ctrl-C, and other clients are answered', async () => {
    const { child, client, heard } = await searching();
    const began = performance.now();
    client.write(Uint8Array.of(3));
    while (!heard().includes('$T02')) await setTimeout(5);
    expect(performance.now() - began).toBeLessThan(1000);
    client.destroy();
    await obeys(child);
  }, 120_000);

  test('ends within a second of SIGTERM', async () => {
    const { child, client } = await searching();
    await obeys(child);
    client.destroy();
  }, 120_000);
});

test('a machine with threads waits for its reader, too, and obeys', TRIES, async () => {
  const child = launch('--clock', 'host', '--threads', FLOOD);
  await standsStill(child.pid!);
  expect(resident(child.pid!)).toBeLessThan(400);
  await obeys(child);
});

test('with --timeout the run ends though nobody reads', async () => {
  const child = launch('--timeout', '1', FLOOD);
  const [code] = (await once(child, 'exit')) as [number | null];
  expect(code).toBe(124);
});

test('a reader that goes away ends the run, without a stack trace', async () => {
  const child = launch(FLOOD);
  let said = '';
  child.stderr!.on('data', (d: Buffer) => {
    said += d.toString();
  });
  child.stdout!.once('data', () => child.stdout!.destroy());
  const [code] = (await once(child, 'close')) as [number | null];
  expect(code).toBe(130);
  expect(said).toBe('');
});

test('what is read late is there to the last byte', async () => {
  const bytes = 3_000_000;
  const some = image(
    'some.elf',
    elfOf([
      ...UART,
      'addi.w $t1, $zero, 66',
      `lu12i.w $t2, ${bytes >>> 12}`,
      `ori $t2, $t2, ${bytes & 0xfff}`,
      'st.b $t1, $t0, 0',
      'addi.d $t2, $t2, -1',
      'bne $t2, $zero, -8',
      // Power off.
      'lu12i.w $t0, 0x100d0',
      'ori $t0, $t0, 0x14',
      'addi.w $t1, $zero, 0x3c00',
      'lu12i.w $t1, 3',
      'ori $t1, $t1, 0xc00',
      'st.w $t1, $t0, 0',
      'b 0',
    ]),
  );
  const child = launch(some);
  await standsStill(child.pid!);
  let got = 0;
  child.stdout!.on('data', (d: Buffer) => {
    got += d.length;
  });
  while (got < bytes) await setTimeout(20);
  await setTimeout(200);
  expect(got).toBe(bytes);
});

test('input without end waits outside until the guest takes it', TRIES, async () => {
  const child = launch(LOOP);
  child.stdin!.on('error', () => {});
  const chunk = Buffer.alloc(1 << 20, 'y');
  let taken = 0;
  const pour = (): void => {
    while (taken < 300 && child.stdin!.write(chunk)) taken++;
  };
  child.stdin!.on('drain', () => {
    taken++;
    pour();
  });
  pour();
  await once(child.stdout!, 'data');
  await works(child.pid!);
  await setTimeout(500);
  // 300 MiB are offered; a pipe and the bound hold far less than one of them.
  expect(taken).toBeLessThan(4);
  await obeys(child);
});
