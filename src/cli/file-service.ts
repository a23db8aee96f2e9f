/**
 * Folders that are used while the machine runs: shared folders, and folders for files that a gdb names. In the sandbox no
 * file can be opened, so a thread outside the sandbox does the work on request. The thread handles only the folders that it
 * was started with, and only the calls that are listed here.
 */
import { deserialize, serialize } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { type P9Server, P9Session } from '../emu/devices/virtio/p9.ts';
import { ClientFiles } from './client-files.ts';
import { openShare, type ShareSpec } from './share.ts';

/** Files by name, whole. */
export type NamedFiles = Pick<ClientFiles, 'read' | 'mayWrite' | 'write'>;

/** How a kind of folder is opened, and the list of all its calls. */
interface Kind<Spec, Folder> {
  readonly open: (spec: Spec) => Folder;
  readonly calls: Readonly<Record<keyof Folder, true>>;
}

/** The 9P protocol is handled outside the sandbox. Only the messages of the guest and the answers cross its border. */
const share: Kind<ShareSpec, P9Server> = {
  open: (spec) => new P9Session(openShare(spec)),
  calls: { answer: true, reset: true, save: true, restore: true },
};

const named: Kind<string, NamedFiles> = {
  open: (folder) => new ClientFiles(folder),
  calls: { read: true, mayWrite: true, write: true },
};

const KINDS = { share, named } as const;

/** The data of the thread: folders of a kind, and the memory for messages. */
export interface FileThreadData {
  readonly kind: keyof typeof KINDS;
  readonly specs: readonly unknown[];
  readonly mailbox: SharedArrayBuffer;
}

/** A call about the folder with that number. */
interface Question {
  readonly folder: number;
  readonly call: string;
  readonly args: readonly unknown[];
}

type Answer = { readonly value: unknown } | { readonly error: string };

/** Bytes of a message that are passed at a time: the longest of 9P in one piece. */
const PIECE = 1 << 20;
/** Words: whose turn it is, bytes of this piece, bytes that remain. */
const [TURN, LENGTH, LEFT] = [0, 1, 2] as const;
const TURNS = { asker: 0, thread: 1 } as const;
const HEADER_BYTES = 16;

/** One end of the shared memory through which two threads exchange messages. */
class Side {
  private readonly header: Int32Array;
  private readonly piece: Uint8Array;
  private readonly theirs: number;

  constructor(mailbox: SharedArrayBuffer, mine: number) {
    this.header = new Int32Array(mailbox, 0, HEADER_BYTES / 4);
    this.piece = new Uint8Array(mailbox, HEADER_BYTES);
    this.theirs = mine === TURNS.asker ? TURNS.thread : TURNS.asker;
  }

  private pass(): void {
    Atomics.store(this.header, TURN, this.theirs);
    Atomics.notify(this.header, TURN);
  }

  private await(): void {
    Atomics.wait(this.header, TURN, this.theirs);
  }

  send(message: Question | Answer): void {
    const bytes = serialize(message);
    for (let at = 0; ; ) {
      const part = bytes.subarray(at, at + PIECE);
      this.piece.set(part);
      at += part.length;
      this.header[LENGTH] = part.length;
      this.header[LEFT] = bytes.length - at;
      this.pass();
      if (at === bytes.length) return;
      this.await();
    }
  }

  receive(): unknown {
    const parts: Uint8Array[] = [];
    for (;;) {
      this.await();
      parts.push(this.piece.slice(0, this.header[LENGTH]!));
      if (this.header[LEFT] === 0) return deserialize(parts.length === 1 ? parts[0]! : Buffer.concat(parts));
      this.pass();
    }
  }
}

const THREAD = new URL(import.meta.url.endsWith('.ts') ? './file-thread.ts' : './file-thread.js', import.meta.url);

/** The thread, and folders whose calls go to it. */
function openOutside<Spec, Folder>(
  kind: keyof typeof KINDS,
  { open, calls }: Kind<Spec, Folder>,
  specs: readonly Spec[],
): Folder[] {
  // Problems of a folder are reported here at once, without the thread.
  for (const spec of specs) open(spec);
  const mailbox = new SharedArrayBuffer(HEADER_BYTES + PIECE);
  // No options: Node's permission model must be off in the thread, because it forbids symbolic links and changes of modes.
  new Worker(THREAD, { execArgv: [], workerData: { kind, specs, mailbox } satisfies FileThreadData }).unref();
  const side = new Side(mailbox, TURNS.asker);
  const ask =
    (folder: number, call: string) =>
    (...args: readonly unknown[]): unknown => {
      side.send({ folder, call, args });
      const answer = side.receive() as Answer;
      if ('value' in answer) return answer.value;
      throw new Error(answer.error);
    };
  return specs.map((_, n) => Object.fromEntries(Object.keys(calls).map((c) => [c, ask(n, c)])) as unknown as Folder);
}

/**
 * Shared folders, in the order given.
 * @param inSandbox whether the machine will run in a sandbox: then the thread works on the files
 * @throws UsageError when one cannot be opened
 */
export const openShares = (specs: readonly ShareSpec[], inSandbox: boolean): P9Server[] =>
  specs.length > 0 && inSandbox ? openOutside('share', share, specs) : specs.map(share.open);

/** The folder for files that a gdb names; like {@link openShares}. */
export const openClientFiles = (folder: string, inSandbox: boolean): NamedFiles =>
  inSandbox ? openOutside('named', named, [folder])[0]! : named.open(folder);

function answerTo(
  folders: readonly unknown[],
  { calls }: Kind<never, unknown>,
  { folder, call, args }: Question,
): Answer {
  const target = folders[folder] as Readonly<Record<string, (...args: readonly unknown[]) => unknown>> | undefined;
  if (!target || !Object.hasOwn(calls, call)) return { error: `no answer to '${call}'` };
  return { value: target[call]!(...args) };
}

/** Runs a request. An error becomes the answer. */
function attempt(body: () => Answer): Answer {
  try {
    return body();
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** The main function of the thread: opens the folders, then answers until the program ends. */
export function serveFiles({ kind, specs, mailbox }: FileThreadData): void {
  const side = new Side(mailbox, TURNS.thread);
  const of = KINDS[kind] as Kind<never, unknown>;
  const folders: unknown[] = [];
  const opened = attempt(() => ({ value: folders.push(...specs.map((spec) => of.open(spec as never))) }));
  for (;;) {
    const question = side.receive() as Question;
    side.send('value' in opened ? attempt(() => answerTo(folders, of, question)) : opened);
  }
}
