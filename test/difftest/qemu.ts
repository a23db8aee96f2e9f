/** The oracle's side of a differential run: QEMU, driven through its gdb server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { execa } from 'execa';
import {
  AT,
  BUFFER_SIZE,
  END,
  FRAME,
  finished,
  logSize,
  type Outcome,
  type Program,
  STATE_BLOCK,
  type Target,
} from './program.ts';

/** Bytes of memory a packet carries: QEMU takes 4096 characters. */
const CHUNK = 1984;
/** gdb's number of PC: behind the general registers and orig_a0. */
const PC = 0x21;
/** Longest wait for an answer, in milliseconds: a program runs for a few. */
const PATIENCE = 10_000;

const checksum = (text: string): string => {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (sum + text.charCodeAt(i)) & 0xff;
  return sum.toString(16).padStart(2, '0');
};
const hex = (data: Uint8Array): string => Buffer.from(data.buffer, data.byteOffset, data.length).toString('hex');

type Running = ReturnType<typeof start>;
const start = (command: string, args: readonly string[]) => execa(command, args, { reject: false });

export class Qemu implements Target {
  readonly name: string;
  private readonly process: Running;
  private readonly socket: Socket;
  private readonly folder: string;
  private received = '';
  private waiting: { resolve: (packet: string) => void; reject: (e: Error) => void } | undefined;

  private constructor(name: string, process: Running, socket: Socket, folder: string) {
    this.name = name;
    this.process = process;
    this.socket = socket;
    this.folder = folder;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.received += text;
      this.deliver();
    });
    socket.on('close', () => this.waiting?.reject(new Error(`${name} has gone away`)));
  }

  /**
   * Starts `program` (a command with arguments) on an empty machine.
   * @throws Error when it does not start or speak
   */
  static async start(program: string): Promise<Qemu> {
    const [command, ...args] = program.split(' ');
    const version = (await execa(command!, [...args, '--version'])).stdout.split('\n')[0]!;
    const folder = mkdtempSync(join(tmpdir(), 'loongscope-difftest-'));
    const path = join(folder, 'gdb');
    const process = start(
      command!,
      // biome-ignore format: options and their values
      [
        ...args, '-M', 'virt', '-cpu', 'max', '-m', '256M', '-display', 'none', '-serial', 'none', '-monitor', 'none',
        '-nic', 'none', '-S', '-chardev', `socket,path=${path},server=on,wait=off,id=gdb`, '-gdb', 'chardev:gdb',
      ],
    );
    for (let tries = 0; ; tries++) {
      await sleep(50);
      const socket = await new Promise<Socket | undefined>((resolve) => {
        const s = connect(path, () => resolve(s));
        s.on('error', () => resolve(undefined));
      });
      if (socket) {
        const qemu = new Qemu(version, process, socket, folder);
        await qemu.prepare();
        return qemu;
      }
      if (tries > 200) {
        process.kill('SIGKILL');
        throw new Error(`${version} does not open its gdb server: ${(await process).stderr}`);
      }
    }
  }

  private async prepare(): Promise<void> {
    await this.ask('qSupported');
    await this.ask('QStartNoAckMode');
    this.socket.write('+');
    for (const [address, code] of FRAME) await this.write(address, new Uint8Array(code.buffer));
    await this.ask(`Z0,${END.toString(16)},4`);
  }

  private deliver(): void {
    const start = this.received.indexOf('$');
    const end = this.received.indexOf('#', start);
    if (start < 0 || end < 0 || this.received.length < end + 3) return;
    const packet = this.received.slice(start + 1, end);
    this.received = this.received.slice(end + 3);
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(packet);
  }

  private ask(packet: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.name} does not answer '${packet.slice(0, 40)}' within ${PATIENCE} ms`)),
        PATIENCE,
      );
      const settle =
        <T>(f: (x: T) => void) =>
        (x: T): void => {
          clearTimeout(timer);
          f(x);
        };
      this.waiting = { resolve: settle(resolve), reject: settle(reject) };
      this.socket.write(`$${packet}#${checksum(packet)}`, 'latin1');
    });
  }

  private async write(address: number, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += CHUNK) {
      const part = data.subarray(at, at + CHUNK);
      const answer = await this.ask(`M${(address + at).toString(16)},${part.length.toString(16)}:${hex(part)}`);
      if (answer !== 'OK') throw new Error(`${this.name} refuses to write memory: ${answer}`);
    }
  }

  private async read(address: number, size: number): Promise<Uint8Array> {
    const out = new Uint8Array(size);
    for (let at = 0; at < size; at += CHUNK) {
      const n = Math.min(CHUNK, size - at);
      out.set(Buffer.from(await this.ask(`m${(address + at).toString(16)},${n.toString(16)}`), 'hex'), at);
    }
    return out;
  }

  /** @throws Error when QEMU dies or stops anywhere but at the end */
  async run(program: Program): Promise<Outcome> {
    await this.write(AT.body, new Uint8Array(finished(program.body).buffer));
    await this.write(AT.state, program.state);
    await this.write(AT.buffer, program.buffer);
    const pc = Buffer.alloc(8);
    pc.writeBigUInt64LE(BigInt(AT.prologue));
    await this.ask(`P${PC.toString(16)}=${pc.toString('hex')}`);
    const stop = await this.ask('vCont;c');
    if (!/^[TS]05/.test(stop)) throw new Error(`${this.name} stopped with '${stop}'`);
    const state = await this.read(AT.state, STATE_BLOCK.size);
    return { state, buffer: await this.read(AT.buffer, BUFFER_SIZE), log: await this.read(AT.log, logSize(state)) };
  }

  async close(): Promise<void> {
    this.socket.destroy();
    this.process.kill('SIGKILL');
    await this.process;
    rmSync(this.folder, { recursive: true, force: true });
  }
}
