/** Behind the wall: works in the folder that is named, by way of the thread outside. Prints what it has seen. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openClientFiles, openShares } from '../../src/cli/file-service.ts';
import { enterSandbox } from '../../src/cli/sandbox.ts';
import { P9Reader, P9Writer } from '../../src/emu/devices/virtio/p9-message.ts';

/** Messages of 9P2000.L. */
const T = {
  create: 14,
  symlink: 16,
  readlink: 22,
  setattr: 26,
  version: 100,
  attach: 104,
  walk: 110,
  read: 116,
  write: 118,
};
const READ_WRITE = 2;
const SET_MODE = 1;

const folder = process.argv[2]!;
const [server] = openShares([{ folder, tag: 'host', readOnly: false }], true);
const files = openClientFiles(folder, true);
enterSandbox({});

function call(type: number, fill: (w: P9Writer) => unknown): P9Reader {
  const w = new P9Writer();
  fill(w);
  const r = new P9Reader(server!.answer(w.message(type, 1), 1 << 16));
  r.u32();
  const kind = r.u8();
  r.u16();
  if (kind !== type + 1) throw new Error(`message ${type}: error ${r.u32()}`);
  return r;
}

/** What it is refused with. */
function refusal(body: () => unknown): unknown {
  try {
    body();
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

call(T.version, (w) => w.u32(1 << 16).text('9P2000.L'));
call(T.attach, (w) => w.u32(1).u32(0xffffffff).text('').text('').u32(0));
call(T.symlink, (w) => w.u32(1).text('link').text('/etc').u32(0));
call(T.walk, (w) => w.u32(1).u32(2).u16(0));
call(T.create, (w) => w.u32(2).text('file').u32(READ_WRITE).u32(0o600).u32(0));
call(T.write, (w) =>
  w
    .u32(2)
    .u64(0n)
    .data(6, (into) => Buffer.from('shared').copy(into)),
);
call(T.setattr, (w) => w.u32(2).u32(SET_MODE).u32(0o640).u32(0).u32(0).u64(0n).u64(0n).u64(0n).u64(0n).u64(0n));
call(T.walk, (w) => w.u32(1).u32(3).u16(1).text('link'));
const read = call(T.read, (w) => w.u32(2).u64(0n).u32(100));
const big = new Uint8Array(5 << 20).map((_, n) => n * 7);
files.write('big', big);
process.stdout.write(
  JSON.stringify({
    refused: refusal(() => readFileSync(join(folder, 'big'))),
    text: Buffer.from(read.raw(read.u32())).toString(),
    target: call(T.readlink, (w) => w.u32(3)).text(),
    big: Buffer.compare(files.read('big'), big) === 0,
    above: refusal(() => files.write('../above', big)),
  }),
);
