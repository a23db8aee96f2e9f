/**
 * Shared folders behind the wall: a thread outside it works on the files, and this side asks it. It answers the questions of
 * {@link P9Files} about the folders that it was started with, and no others.
 */
import { deserialize, serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { P9Error, type P9Files } from '../emu/devices/virtio/p9.ts';
import { UsageError } from './errors.ts';
import { openShare, type ShareSpec } from './share.ts';

/** What can be asked about a folder: all of it. */
const CALLS: Readonly<Record<keyof P9Files, true>> = {
  stat: true,
  list: true,
  read: true,
  write: true,
  create: true,
  makeFolder: true,
  link: true,
  symlink: true,
  readlink: true,
  rename: true,
  remove: true,
  change: true,
};
const NAMES = Object.keys(CALLS) as readonly (keyof P9Files)[];

/** What the thread is given. */
export interface FileThreadData {
  readonly shares: readonly ShareSpec[];
  readonly mailbox: Mailbox;
}

/** A question: a call about the folder with that number. */
export interface Question {
  readonly share: number;
  readonly call: string;
  readonly args: readonly unknown[];
}

/** `errno` is the guest's error, `usage` what is wrong with a folder, `error` anything else. */
export type Answer =
  | { readonly value: unknown }
  | { readonly errno: number }
  | { readonly usage: string }
  | { readonly error: string };

/** Bytes that a mailbox begins with, and the most that it grows to: the longest message of 9P is 512 KiB, a folder may have many files. */
const ROOM = { first: 1 << 16, most: 1 << 28 } as const;
/** Whose turn it is, and the length of the message. */
const [TURN, LENGTH] = [0, 1] as const;
const TURNS = { asker: 0, thread: 1 } as const;
/** The thread has so long to start, in milliseconds. */
const PATIENCE = 30_000;

/** Memory that two threads share, in which one message lies at a time. */
export interface Mailbox {
  readonly control: SharedArrayBuffer;
  readonly content: SharedArrayBuffer;
}

function newMailbox(): Mailbox {
  const control = new SharedArrayBuffer(8);
  // The thread speaks first: it says whether the folders could be opened.
  new Int32Array(control)[TURN] = TURNS.thread;
  return { control, content: new SharedArrayBuffer(ROOM.first, { maxByteLength: ROOM.most }) };
}

/** One side's hold of a mailbox. */
class Side {
  private readonly control: Int32Array;
  private readonly content: SharedArrayBuffer;
  private readonly theirs: number;

  constructor({ control, content }: Mailbox, mine: number) {
    this.control = new Int32Array(control);
    this.content = content;
    this.theirs = mine === TURNS.asker ? TURNS.thread : TURNS.asker;
  }

  send(message: unknown): void {
    const bytes = serialize(message);
    if (bytes.length > this.content.byteLength) this.content.grow(Math.min(ROOM.most, bytes.length * 2));
    new Uint8Array(this.content).set(bytes);
    this.control[LENGTH] = bytes.length;
    Atomics.store(this.control, TURN, this.theirs);
    Atomics.notify(this.control, TURN);
  }

  /** @returns undefined when nothing came in `patience` milliseconds */
  receive(patience?: number): unknown {
    if (Atomics.wait(this.control, TURN, this.theirs, patience) === 'timed-out') return undefined;
    return deserialize(new Uint8Array(this.content, 0, this.control[LENGTH]!).slice());
  }
}

const THREAD = new URL(import.meta.url.endsWith('.ts') ? './file-thread.ts' : './file-thread.js', import.meta.url);

/** Starts the thread. @returns the folders, in the order given @throws UsageError when one cannot be opened */
export function openSharesOutside(shares: readonly ShareSpec[]): P9Files[] {
  const mailbox = newMailbox();
  // No options: it has none of Node's permission model, which has no symbolic links and no changes of modes.
  new Worker(THREAD, { execArgv: [], workerData: { shares, mailbox } satisfies FileThreadData }).unref();
  const side = new Side(mailbox, TURNS.asker);
  const answered = (answer: Answer | undefined): unknown => {
    if (answer === undefined) throw new Error('the thread that works on shared folders does not start');
    if ('value' in answer) return answer.value;
    if ('errno' in answer) throw new P9Error(answer.errno);
    throw 'usage' in answer ? new UsageError(answer.usage) : new Error(answer.error);
  };
  answered(side.receive(PATIENCE) as Answer | undefined);
  return shares.map((_, share) => {
    const ask =
      (call: string) =>
      (...args: readonly unknown[]): unknown => {
        side.send({ share, call, args } satisfies Question);
        return answered(side.receive() as Answer);
      };
    return Object.fromEntries(NAMES.map((call) => [call, ask(call)])) as unknown as P9Files;
  });
}

/** The folders for a machine: by way of the thread where a wall will stand, else directly. @throws UsageError when one cannot be opened */
export const openShares = (shares: readonly ShareSpec[], behindWall: boolean): P9Files[] =>
  shares.length > 0 && behindWall ? openSharesOutside(shares) : shares.map(openShare);

/** Is this a path of names, none of which leads elsewhere? */
const isPath = (path: readonly unknown[]): boolean =>
  path.every((name) => typeof name === 'string' && name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name));

function answerTo(folders: readonly P9Files[], { share, call, args }: Question): Answer {
  const known = NAMES.find((name) => name === call);
  const folder = folders[share];
  // The device has checked names before; here they are checked for the case that it is the device which has the mistake.
  if (!known || !folder || !Array.isArray(args[0]) || !args.every((a) => !Array.isArray(a) || isPath(a)))
    return { error: `no answer to '${call}'` };
  const work = folder[known] as (...args: unknown[]) => unknown;
  return { value: work.apply(folder, [...args]) };
}

/** What went wrong, as an answer. */
function failureOf(error: unknown): Answer {
  if (error instanceof P9Error) return { errno: error.errno };
  if (error instanceof UsageError) return { usage: error.message };
  return { error: error instanceof Error ? error.message : String(error) };
}

/** The thread's life: opens the folders, says how that went, then answers until the program ends. */
export function serveFiles({ shares, mailbox }: FileThreadData): void {
  const side = new Side(mailbox, TURNS.thread);
  let folders: readonly P9Files[];
  try {
    folders = shares.map(openShare);
  } catch (error) {
    side.send(failureOf(error));
    return;
  }
  side.send({ value: true } satisfies Answer);
  for (;;) {
    const question = side.receive() as Question;
    try {
      side.send(answerTo(folders, question));
    } catch (error) {
      side.send(failureOf(error));
    }
  }
}
