/** `m`, `x`, `M`, `X`, `qSearch:memory`, `qCRC`: memory in the context of the selected thread. */
import { readVirtual, writeVirtual } from '../../emu/debug/debug-memory.ts';
import { walk } from '../../emu/debug/walk.ts';
import { readWindow, type Window, windowOf, writeWindow } from '../../emu/debug/windows.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import { byteSearch } from '../byte-search.ts';
import { escapeBinary, fromHex, fromLatin1, latin1, PACKET_SIZE, parseHex, toHex, unescapeBinary } from '../framing.ts';
import type { Target } from '../target.ts';
import type { PacketRow } from './table.ts';

/** Largest read in one answer; hex digits double its length. */
const MAX_READ = PACKET_SIZE / 2 - 16;

/** `ADDR,LEN`; undefined when malformed. */
function range(text: string): { address: bigint; length: number } | undefined {
  const [a, l, more] = text.split(',');
  const address = parseHex(a);
  const length = parseHex(l);
  if (address === undefined || length === undefined || more !== undefined || length > 0xffffffffn) return undefined;
  return { address, length: Number(length) };
}

function read(s: Target, text: string): Uint8Array | string {
  const r = range(text);
  if (!r) return 'E.address and length expected, in hex';
  s.noteRead(r.address, r.length);
  const length = Math.min(r.length, MAX_READ);
  let bytes = readMemory(s, r.address, length);
  if (bytes.length === 0 && length > 0) bytes = readDevice(s, r.address, length);
  if (bytes.length === 0 && !s.physicalMemory) bytes = s.unknownCode.wordFor(s.context, r.address, r.length) ?? bytes;
  return bytes.length > 0 || r.length === 0 ? bytes : 'E14';
}

/** The address space of an address, if it is not the virtual memory of the selected thread. */
const spaceOf = (s: Target, address: bigint): Window | undefined =>
  s.physicalMemory ? { space: 'physical', address } : windowOf(s.context, address);

/** Memory of the selected thread, or of the space that a window selects. */
function readMemory(s: Target, address: bigint, length: number): Uint8Array {
  const ctx = s.context;
  const w = spaceOf(s, address);
  return w ? readWindow(s.machine, ctx, s.guestContext, w, length) : readVirtual(s.machine, ctx, address, length);
}

/** Device registers, only when `monitor mmio-read on` allows the read, and without side effects. */
function readDevice(s: Target, address: bigint, length: number): Uint8Array {
  if (!s.mmioRead) return new Uint8Array(0);
  const { address: pa } = walk(s.context, s.machine.ram, address);
  const out = new Uint8Array(Math.min(length, 8));
  if (pa === undefined) return out.subarray(0, 0);
  for (let k = 0; k < out.length; k++) {
    if (!s.machine.bus.read(Number(pa) + k, 1, true)) return out.subarray(0, k);
    out[k] = s.machine.bus.lo & 0xff;
  }
  return out;
}

function write(s: Target, address: bigint, data: Uint8Array): string {
  if (data.length === 0) return 'OK';
  s.control.history.disturb();
  const ctx = s.context;
  const w = spaceOf(s, address);
  const done = w ? writeWindow(s.machine, ctx, s.guestContext, w, data) : writeVirtual(s.machine, ctx, address, data);
  return done || (!w && writeDevice(s, address, data)) ? 'OK' : refusal(s);
}

const refusal = (s: Target): string =>
  s.mmioWrite
    ? 'E.no memory and no device register is here'
    : "E.address is not writable memory; for device registers: 'monitor mmio-write on'";

/** A device register, in one access of 1, 2, 4 or 8 bytes, as a store of the CPU would reach it. */
function writeDevice(s: Target, address: bigint, data: Uint8Array): boolean {
  const { length } = data;
  if (!s.mmioWrite || ![1, 2, 4, 8].includes(length)) return false;
  const { address: pa } = walk(s.context, s.machine.ram, address);
  if (pa === undefined || Number(pa) % length !== 0 || !s.machine.bus.at(Number(pa))) return false;
  const halves = new DataView(new ArrayBuffer(8));
  new Uint8Array(halves.buffer).set(data);
  return s.machine.bus.write(Number(pa), length, halves.getInt32(0, true), halves.getInt32(4, true));
}

/** `ADDR,LEN:` and the rest behind the colon. */
function header(text: string): { address: bigint; length: number; body: string } | undefined {
  const colon = text.indexOf(':');
  const r = colon < 0 ? undefined : range(text.slice(0, colon));
  return r && { ...r, body: text.slice(colon + 1) };
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n << 24;
  for (let k = 0; k < 8; k++) c = c & 0x80000000 ? (c << 1) ^ 0x04c11db7 : c << 1;
  return c;
});

/**
 * gdb's CRC of `compare-sections`: polynomial 0x04c11db7, most significant bit first, start 0xffffffff.
 * @param before the CRC of the bytes before
 */
export function gdbCrc(data: Uint8Array, before = 0xffffffff): number {
  let crc = before;
  for (let n = 0; n < data.length; n++) crc = (crc << 8) ^ CRC_TABLE[((crc >>> 24) ^ data[n]!) & 0xff]!;
  return crc >>> 0;
}

/** Most memory that one packet can read, and how much of it is read between two checks of the clock. */
const MOST_LOOKED_THROUGH = 0x2000000;
const PIECE = 0x10000;

/** `qCRC:ADDR,LEN`. */
function* crc(s: Target, text: string): Steps<string> {
  const r = range(text);
  if (!r) return 'E.qCRC takes ADDR,LEN';
  if (r.length > MOST_LOOKED_THROUGH) return `E.qCRC takes at most 0x${MOST_LOOKED_THROUGH.toString(16)} bytes`;
  let sum = 0xffffffff;
  for (let done = 0; done < r.length; ) {
    const n = Math.min(PIECE, r.length - done);
    const bytes = readMemory(s, r.address + BigInt(done), n);
    if (bytes.length !== n) return 'E14';
    sum = gdbCrc(bytes, sum);
    done += n;
    yield;
  }
  return `C${sum.toString(16)}`;
}

/** `qSearch:memory:ADDR;LEN;PATTERN`. */
function* search(s: Target, text: string): Steps<string> {
  const m = /^([0-9a-f]{1,16});([0-9a-f]+);([\s\S]+)$/i.exec(text);
  if (!m) return 'E.qSearch takes ADDR;LEN;PATTERN';
  const address = BigInt(`0x${m[1]}`);
  const pattern = unescapeBinary(fromLatin1(m[3]!));
  if (pattern.length === 0) return 'E.qSearch takes ADDR;LEN;PATTERN';
  const find = byteSearch(pattern);
  const length = Number.parseInt(m[2]!, 16);
  if (length > MOST_LOOKED_THROUGH) return `E.qSearch takes at most 0x${MOST_LOOKED_THROUGH.toString(16)} bytes`;
  // Pieces overlap, so that a match across two of them is found.
  for (let done = 0; done < length; done += PIECE) {
    const n = Math.min(PIECE + pattern.length - 1, length - done);
    const bytes = readMemory(s, address + BigInt(done), n);
    const found = find(bytes);
    if (found >= 0) return `1,${(address + BigInt(done + found)).toString(16)}`;
    if (bytes.length < n) return '0';
    yield;
  }
  return '0';
}

export const MEMORY_PACKETS: readonly PacketRow[] = [
  { name: 'qqemu.PhyMemMode', handle: (s) => (s.physicalMemory ? '1' : '0') },
  {
    name: 'Qqemu.PhyMemMode:',
    handle: (s, rest) => {
      if (rest !== '0' && rest !== '1') return 'E.Qqemu.PhyMemMode takes 0 or 1';
      s.physicalMemory = rest === '1';
      return 'OK';
    },
  },
  {
    name: 'm',
    handle: (s, rest) => {
      const bytes = read(s, rest);
      return typeof bytes === 'string' ? bytes : toHex(bytes);
    },
  },
  {
    name: 'x',
    supported: ['binary-upload+'],
    handle: (s, rest) => {
      const bytes = read(s, rest);
      return typeof bytes === 'string' ? bytes : `b${latin1(escapeBinary(bytes))}`;
    },
  },
  {
    name: 'M',
    handle: (s, rest) => {
      const h = header(rest);
      const data = h && fromHex(h.body);
      return h && data && data.length === h.length ? write(s, h.address, data) : 'E.M takes ADDR,LEN:HEX';
    },
  },
  {
    name: 'X',
    handle: (s, rest) => {
      const h = header(rest);
      const data = h && unescapeBinary(fromLatin1(h.body));
      return h && data && data.length === h.length ? write(s, h.address, data) : 'E.X takes ADDR,LEN:DATA';
    },
  },
  { name: 'qSearch:memory:', handle: (s, rest) => search(s, rest) },
  { name: 'qCRC:', handle: (s, rest) => crc(s, rest) },
];
