/**
 * A disk on an NBD server. The machine asks and waits, as with a file; a thread speaks with the server meanwhile. So the guest sees
 * an operation happen at one instruction, however long the server takes, and runs repeat.
 */
import { Worker } from 'node:worker_threads';
import type { Disk } from '../../emu/devices/virtio/block.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import { programFlags } from '../sandbox.ts';
import { isNear, type NbdAddress } from './address.ts';
import type { Patience } from './client.ts';
import { Mailbox, type NbdThreadData, type Order, type Outcome } from './mailbox.ts';
import type { ExportInfo } from './protocol.ts';

const SECTOR = 512;
const PATIENCE: Patience = { open: 10_000, reply: 30_000 };
/** The thread must start before it can be patient. */
const START_MS = 10_000;
/** How long {@link NbdDisk.ready} waits for an answer, before the program looks at its other inputs. */
const LOOK_MS = 20;
/** How long the program's end waits for a farewell. */
const FAREWELL_MS = 100;

const THREAD = new URL(import.meta.url.endsWith('.ts') ? '../nbd-thread.ts' : './nbd-thread.js', import.meta.url);

/** From Node 25 on, connections need a permission. */
const NETWORK = '--allow-net';

type Call = 'read' | 'write' | 'flush';

/** An operation that has begun. */
interface Begun {
  readonly number: number;
  readonly call: Call;
  readonly offset: number;
  readonly data: SharedArrayBuffer;
}

/** Has an operation begun with these data? Between two questions the machine may have gone back and changed. */
const same = ({ data }: Begun, wanted: Uint8Array | undefined): boolean =>
  wanted === undefined || Buffer.compare(new Uint8Array(data), wanted) === 0;

export interface NbdDiskOptions {
  /** The drive as the user has written it. */
  readonly name: string;
  readonly readOnly: boolean;
  /** Will the machine run in a sandbox? Then the thread may use the network and nothing else. */
  readonly inSandbox: boolean;
  readonly patience?: Patience;
}

export class NbdDisk implements Disk {
  readonly size: number;
  readonly readOnly: boolean;
  private readonly name: string;
  private readonly worker: Worker;
  private readonly mailbox = new Mailbox();
  private readonly mostMs: number;
  private begun: Begun | undefined;
  private last = 0;
  /** Why the server cannot be used any more. */
  private dead: string | undefined;

  /** @throws UsageError when the export cannot be used */
  constructor(address: NbdAddress, { name, readOnly, inSandbox, patience = PATIENCE }: NbdDiskOptions) {
    this.name = name;
    this.mostMs = patience.reply * 2;
    const allowed = process.allowedNodeEnvironmentFlags.has(NETWORK) ? [NETWORK] : [];
    this.worker = new Worker(THREAD, {
      workerData: { address, patience, mailbox: this.mailbox.memory } satisfies NbdThreadData,
      execArgv: inSandbox ? [...programFlags(), ...allowed] : [],
    });
    this.worker.unref();
    // A defect of the thread is a server that does not answer.
    this.worker.on('error', (error) => this.die(error.message));
    const info = this.open(address, START_MS + patience.open);
    this.size = info.size;
    this.readOnly = readOnly;
    const bad =
      info.size === 0
        ? 'is empty: give an export with data'
        : info.size % SECTOR !== 0
          ? `has ${info.size} bytes, which is not a whole number of sectors: make it larger`
          : info.readOnly && !readOnly
            ? 'may only be read: add readonly or copy-on-write'
            : undefined;
    if (bad) {
      void this.worker.terminate();
      throw new UsageError(`--drive: ${name} ${bad}`);
    }
    if (!isNear(address))
      say(`warning: --drive: ${name}: what is read and written passes the network as it is, without encryption`);
    process.once('exit', () => this.close());
  }

  /** @throws UsageError */
  private open(address: NbdAddress, ms: number): ExportInfo {
    const { kind, text } = this.mailbox.wait(this.send('open', 0, new SharedArrayBuffer(0)), ms) ?? {
      kind: 'dead',
      text: 'its thread does not start',
    };
    if (kind === 'done') return JSON.parse(text) as ExportInfo;
    void this.worker.terminate();
    const start =
      'path' in address.server
        ? `qemu-nbd -t -k ${address.server.path} FILE`
        : `qemu-nbd -t -p ${address.server.port} FILE`;
    const hint = /ENOENT|ECONNREFUSED/.test(text) ? `start it first, as ${start}` : 'check the address and the server';
    throw new UsageError(`--drive: the server of ${this.name} cannot be used (${text}): ${hint}`);
  }

  private send(call: Order['call'], offset: number, data: SharedArrayBuffer): number {
    this.last = (this.last + 1) | 0;
    this.worker.postMessage({ number: this.last, call, offset, data } satisfies Order);
    return this.last;
  }

  private die(why: string): void {
    if (this.dead !== undefined) return;
    this.dead = why;
    say(
      `warning: --drive: ${this.name} is lost (${why}): the guest gets I/O errors; the machine goes on, start it again with the server`,
    );
  }

  private begin(call: Call, offset: number, length: number, data?: Uint8Array): Begun {
    const { begun } = this;
    if (
      begun &&
      begun.call === call &&
      begun.offset === offset &&
      begun.data.byteLength === length &&
      same(begun, data)
    )
      return begun;
    // A machine that was set back in time does not ask for the rest of what it has begun.
    if (begun) this.end(begun, this.mostMs);
    const memory = new SharedArrayBuffer(length);
    if (data) new Uint8Array(memory).set(data);
    return (this.begun = { number: this.send(call, offset, memory), call, offset, data: memory });
  }

  /** Waits until an operation is over. @returns undefined when it is not over in this time */
  private end({ number }: Begun, ms: number): Outcome | undefined {
    const outcome = this.mailbox.wait(number, ms);
    if (outcome?.kind === 'dead') this.die(outcome.text);
    return outcome;
  }

  ready(call: Call, offset: number, length: number, data?: Uint8Array): boolean {
    return this.dead !== undefined || this.end(this.begin(call, offset, length, data), LOOK_MS) !== undefined;
  }

  /** @throws Error when the server refuses or is lost */
  private do(call: Call, offset: number, length: number, data?: Uint8Array): Uint8Array {
    if (this.dead !== undefined) throw new Error(this.dead);
    const begun = this.begin(call, offset, length, data);
    const outcome = this.end(begun, this.mostMs);
    this.begun = undefined;
    if (outcome?.kind === 'done') return new Uint8Array(begun.data);
    if (!outcome) this.die('its thread does not answer');
    throw new Error(outcome?.text ?? this.dead);
  }

  read(offset: number, length: number): Uint8Array {
    return this.do('read', offset, length).slice();
  }

  write(offset: number, data: Uint8Array): void {
    this.do('write', offset, data.length, data);
  }

  flush(): void {
    this.do('flush', 0, 0);
  }

  /** Takes leave of the server. */
  close(): void {
    if (this.dead !== undefined) return;
    this.dead = 'it is closed';
    this.mailbox.wait(this.send('close', 0, new SharedArrayBuffer(0)), FAREWELL_MS);
  }
}
