/**
 * Files of machines: bytes as they come, or a whole description in which an input replaces values. What has been loaded runs a little
 * and is switched off and on.
 */

import { nodeRuntime } from '../../../src/cli/node-runtime.ts';
import { openShare, parseShare } from '../../../src/cli/share.ts';
import { featuresOf } from '../../../src/emu/cpu/features.ts';
import { VirtioConsole } from '../../../src/emu/devices/virtio/console.ts';
import { VirtioEntropy } from '../../../src/emu/devices/virtio/entropy.ts';
import { VirtioNet } from '../../../src/emu/devices/virtio/net.ts';
import { P9Session, VirtioP9 } from '../../../src/emu/devices/virtio/p9.ts';
import { ImageError } from '../../../src/emu/formats/image-error.ts';
import { Machine } from '../../../src/emu/machine/machine.ts';
import { applySnapshot, takeSnapshot } from '../../../src/emu/replay/machine-snapshot.ts';
import { decodeSnapshot, encodeSnapshot, SnapshotError } from '../../../src/emu/replay/snapshot-file.ts';
import { Input, Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import { sharedFolder } from '../virtio-side.ts';

const PROGRAM = 'fuzz';
const RAM_SIZE = 2 << 20;
const HEADER_BYTES = 16;
const INSTRUCTIONS = 2000;
const MOST_PATCHES = 8;
const PROBES = [
  0x10000000, 0x10000020, 0x100d0120, 0x1c000000, 0x1d000000, 0x1e020000, 0x1fe001e0, 0x20008000, 0x2ff00000,
];

const machine = new Machine({
  runtime: nodeRuntime,
  ramSize: RAM_SIZE,
  cpus: 1,
  features: featuresOf('max', {}),
  seed: 1,
  engine: 'interpreter',
  console: () => {},
  cards: [
    new VirtioConsole(() => {}),
    new VirtioEntropy(1),
    new VirtioNet([2, 0, 0, 0, 0, 1], { send: () => {}, connect: () => {} }),
    new VirtioP9('host', new P9Session(openShare(parseShare(`${sharedFolder()},readonly`)))),
  ],
});
// `addi.w $r4, $r4, 1`, and back: the machine runs.
const code = new Uint8Array(Uint32Array.of(0x02800484, 0x53ffffff).buffer);
machine.load({
  image: { entry: 0x10000n, segments: [{ paddr: 0x10000n, vaddr: 0x10000n, memsz: 8, data: code }] },
  commandLine: '',
  extra: [],
});
const { files } = takeSnapshot(machine, PROGRAM);
const begin = machine.save();
/** Without the RAM: it may hold anything anyway. */
const good = encodeSnapshot({ ...takeSnapshot(machine, PROGRAM), state: { ...begin, ram: new Map() } });
const textBytes = new DataView(good.buffer).getUint32(12, true);
const text = new TextDecoder().decode(good.subarray(HEADER_BYTES, HEADER_BYTES + textBytes));
const blobs = good.subarray(Math.ceil((HEADER_BYTES + textBytes) / 8) * 8);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Place = { readonly at: Json[] | { [key: string]: Json }; readonly key: string };

/** Every value of a description, by where it is. */
function places(of: Json, out: Place[] = []): Place[] {
  if (of === null || typeof of !== 'object') return out;
  for (const key of Object.keys(of)) {
    out.push({ at: of, key });
    places((of as { [key: string]: Json })[key]!, out);
  }
  return out;
}

const TYPES = [
  'Uint8Array',
  'Uint16Array',
  'Uint32Array',
  'Int16Array',
  'Int32Array',
  'Float64Array',
  'BigUint64Array',
  'constructor',
];

/** A value that is out of place. */
function value(input: Input): Json | undefined {
  switch (input.u8() % 16) {
    case 0:
      return undefined;
    case 1:
      return null;
    case 2:
      return true;
    case 3:
      return input.i32();
    case 4:
      return input.u8() / 2 - 4;
    case 5:
      return 'text';
    case 6:
      return [];
    case 7:
      return {};
    case 8:
      return { $number: ['NaN', 'Infinity', '-Infinity', '-0', 'x'][input.u8() % 5]! };
    case 9:
      return { $bigint: `${input.i32()}` };
    case 10:
      return { $map: [[input.u8(), input.u8()]] };
    case 11:
      return { $undefined: true };
    case 12:
      return { $bytes: [TYPES[input.u8() % TYPES.length]!, input.u16(), input.u16()] };
    case 13:
      return Array.from({ length: input.u8() }, () => 0);
    case 14:
      return 2 ** (input.u8() % 64);
    default:
      return { $map: [[input.u8(), { $bytes: ['Uint8Array', 0, input.u16()] }]] };
  }
}

/** The file with values replaced. */
function patched(input: Input): Uint8Array {
  const description = JSON.parse(text) as Json;
  for (let n = 0; n < MOST_PATCHES && input.more; n++) {
    const all = places(description);
    if (all.length === 0) break;
    const { at, key } = all[input.u16() % all.length]!;
    const v = value(input);
    if (v === undefined) Reflect.deleteProperty(at, key);
    else Reflect.set(at, key, v);
  }
  const bytes = new TextEncoder().encode(JSON.stringify(description));
  const first = Math.ceil((HEADER_BYTES + bytes.length) / 8) * 8;
  const out = new Uint8Array(first + blobs.length);
  out.set(good.subarray(0, HEADER_BYTES));
  new DataView(out.buffer).setUint32(12, bytes.length, true);
  out.set(bytes, HEADER_BYTES);
  out.set(blobs, first);
  return out;
}

export const fuzz: Target = guarded({
  ours: [SnapshotError, ImageError],
  run: (data) => {
    const file = data[0] === 0 ? data.subarray(1) : patched(new Input(data.subarray(1)));
    const snapshot = decodeSnapshot(file, PROGRAM);
    try {
      applySnapshot(machine, snapshot);
      machine.run(INSTRUCTIONS);
      for (const pa of PROBES) machine.bus.read(pa, 4);
      machine.save();
      machine.reset();
    } finally {
      machine.load(files);
      machine.restore(begin);
    }
  },
});

export const seeds = (): Uint8Array[] => [
  Uint8Array.from([0, ...good.subarray(0, 64)]),
  new Output().u8(1).finish(),
  ...Array.from({ length: 16 }, (_, kind) => {
    const out = new Output().u8(1);
    for (let n = 0; n < 4; n++) out.u16(kind * 24 + n * 7).u8(kind, n, 1, 0, 8);
    return out.finish();
  }),
];

export const dictionary: readonly (string | Uint8Array)[] = [
  'LSCOPESN',
  '{"$bytes":["Uint8Array",0,8]}',
  '$bigint',
  '$map',
  '$number',
];
