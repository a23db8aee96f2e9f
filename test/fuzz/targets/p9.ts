/**
 * 9P messages into the device with a real folder behind it. Beside the folder is what the guest must not reach: it may not
 * change, and what is in it may not appear in an answer.
 */
import { readdirSync } from 'node:fs';
import { saveFields } from '../../../src/emu/state/fields.ts';
import { fits } from '../../../src/emu/state/state-check.ts';
import { Canary } from '../canary.ts';
import { Input, Output } from '../input.ts';
import { Fault, guarded, type Target } from '../oracle.ts';
import { P9Driver } from '../p9-driver.ts';

/** Room for an answer, at most. */
const ANSWER_BYTES = 0x8000;
const MOST_MESSAGES = 60;
/** Executions between looks at the open files, and how many more there may be than at first: other parts of the program open some. */
const FILES_EVERY = 64;
const MORE_FILES = 8;

const canary = new Canary();
const drivers = [new P9Driver(canary.share), new P9Driver(`${canary.share},readonly`)] as const;

const openFiles = (): number => readdirSync('/proc/self/fd').length;
let firstFiles: number | undefined;
let executions = 0;

function check(): void {
  canary.check();
  if (++executions % FILES_EVERY !== 0) return;
  firstFiles ??= openFiles();
  if (openFiles() > firstFiles + MORE_FILES) throw new Fault(`${openFiles()} files are open, ${firstFiles} were`);
}

/**
 * The input: a byte (1: read-only, 2: less room), then messages, each as a length of one byte or (from 0xf0 on) two, and its content from
 * the type on: size and tag are put in front.
 */
function run(data: Uint8Array): void {
  const input = new Input(data);
  const how = input.u8();
  const driver = drivers[how & 1 ? 1 : 0];
  const room = how & 2 ? 64 + (how >> 2) : ANSWER_BYTES;
  driver.setUp();
  try {
    for (let n = 0; n < MOST_MESSAGES && input.more; n++) {
      const short = input.u8();
      const body = input.bytes(short < 0xf0 ? short : ((short & 15) << 8) | input.u8());
      const message = new Uint8Array(Math.max(body.length, 1) + 6);
      new DataView(message.buffer).setUint32(0, message.length, true);
      message[4] = body[0] ?? 0;
      message[5] = n;
      message.set(body.subarray(1), 7);
      const answer = driver.exchange(message, room);
      if (canary.reveals(answer)) throw new Fault(`the answer to message ${n} has a secret of the host in it`);
    }
    // A snapshot of this state can be loaded again.
    for (const part of driver.device.parts())
      if (!fits(part, saveFields(part))) throw new Fault(`${part.constructor.name} does not know its own state again`);
  } finally {
    driver.device.reset();
  }
  check();
}

export const fuzz: Target = guarded({ run });

/** One message: its type, then what `body` writes. */
const message = (type: number, body: (o: Output) => Output): ((out: Output) => Output) => {
  const bytes = body(new Output().u8(type)).finish();
  return (out) =>
    (bytes.length < 0xf0 ? out.u8(bytes.length) : out.u8(0xf0 | (bytes.length >> 8), bytes.length)).raw(bytes);
};
const text = (o: Output, s: string): Output => o.u16(s.length).raw(Buffer.from(s, 'latin1'));
const VERSION = message(100, (o) => text(o.u32(8192), '9P2000.L'));
const ATTACH = message(104, (o) => text(text(o.u32(0, 0xffffffff), 'root'), '').u32(0));
const walk = (from: number, to: number, ...names: string[]): ((out: Output) => Output) =>
  message(110, (o) => names.reduce(text, o.u32(from, to).u16(names.length)));
const open = (fid: number, flags: number): ((out: Output) => Output) => message(12, (o) => o.u32(fid, flags));
const read = (fid: number): ((out: Output) => Output) => message(116, (o) => o.u32(fid, 0, 0, 4096));

export const seeds = (): Uint8Array[] =>
  [
    [walk(0, 1, 'f'), open(1, 0), read(1), message(24, (o) => o.u32(1, 0xff, 0))],
    [
      walk(0, 1, 'd', 'g'),
      open(1, 2),
      message(118, (o) => o.u32(1, 5, 0, 4).raw([1, 2, 3, 4])),
      message(50, (o) => o.u32(1)),
    ],
    [walk(0, 1), open(1, 0), message(40, (o) => o.u32(1, 0, 0, 4096)), message(8, (o) => o.u32(1))],
    [walk(0, 1), message(14, (o) => text(o.u32(1), 'new').u32(2, 0o644, 0)), message(120, (o) => o.u32(1))],
    [message(72, (o) => text(o.u32(0), 'folder').u32(0o755, 0)), walk(0, 1, 'folder'), message(122, (o) => o.u32(1))],
    [
      message(16, (o) => text(text(o.u32(0), 'sym'), '../outside/file').u32(0)),
      walk(0, 1, 'sym'),
      message(22, (o) => o.u32(1)),
      open(1, 0),
      read(1),
    ],
    [walk(0, 1, 'outdir'), walk(1, 2, 'file'), open(2, 0), read(2), walk(0, 3, 'out'), open(3, 0), read(3)],
    [walk(0, 1, '..', 'outside', 'file'), open(1, 0), read(1)],
    [walk(0, 1, 'f'), message(70, (o) => text(o.u32(0, 1), 'linked')), message(76, (o) => text(o.u32(0), 'f').u32(0))],
    [
      message(74, (o) => text(text(o.u32(0), 'd').u32(0), 'moved')),
      walk(0, 1, 'moved'),
      message(20, (o) => text(o.u32(1, 0), 'd')),
    ],
    [
      walk(0, 1, 'f'),
      message(26, (o) => o.u32(1, 0x1ff, 0o600, 0, 0, 7, 0, 1, 0, 0, 0, 1, 0, 0, 0)),
      message(30, (o) => text(o.u32(1, 2), 'user.x')),
    ],
    [
      walk(0, 1, 'd'),
      message(54, (o) => text(o.u32(1).u8(0).u32(0, 0, 1, 0, 1), 'me')),
      message(52, (o) => text(o.u32(1).u8(0).u32(0, 0, 0, 1, 0, 1), 'me')),
    ],
    [walk(0, 1, 'd'), message(122, (o) => o.u32(1)), message(108, (o) => o.u16(1))],
    // A folder that is replaced by a link while a handle on it is open.
    [
      walk(0, 1, 'd'),
      walk(0, 4, 'd', 'e'),
      message(74, (o) => text(text(o.u32(0), 'd').u32(0), 'old')),
      message(16, (o) => text(text(o.u32(0), 'd'), '../outside').u32(0)),
      walk(1, 2, 'file'),
      open(2, 0),
      read(2),
      walk(4, 5, '..', 'file'),
    ],
  ].flatMap((messages) =>
    [0, 1].map((how) => [VERSION, ATTACH, ...messages].reduce((out, m) => m(out), new Output().u8(how)).finish()),
  );

export const dictionary: readonly (string | Uint8Array)[] = [
  ...[
    'f',
    'd',
    'e',
    'g',
    'h',
    'out',
    'outdir',
    'in',
    'indir',
    '..',
    '.',
    'file',
    'outside',
    '../outside/file',
    '/etc/passwd',
    '9P2000.L',
  ].map((name) => Uint8Array.from([name.length, 0, ...Buffer.from(name)])),
  ...[8, 12, 14, 16, 20, 22, 24, 26, 30, 40, 50, 52, 54, 70, 72, 74, 76, 100, 104, 108, 110, 116, 118, 120, 122].map(
    (t) => Uint8Array.of(t),
  ),
  Uint8Array.of(0xff, 0xff, 0xff, 0xff),
];
