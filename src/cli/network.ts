/** The other end of the network card (`--net`). */
import { openSync } from 'node:fs';
import type { Network } from '../emu/devices/virtio/net.ts';
import { UsageError } from './errors.ts';
import { GrowingFile } from './growing-file.ts';

export type NetSpec =
  | { readonly kind: 'none' }
  | { readonly kind: 'loopback' }
  /** Drops all packets. */
  | { readonly kind: 'isolated' }
  /** Writes packets to a file only. */
  | { readonly kind: 'dump'; readonly file: string };

/** @throws UsageError */
export function parseNet(text: string): NetSpec {
  if (text === 'none' || text === 'loopback' || text === 'isolated') return { kind: text };
  if (text.startsWith('dump:') && text.length > 5) return { kind: 'dump', file: text.slice(5) };
  if (text === 'user')
    throw new UsageError('--net: user is not available in this version: use none, isolated, loopback or dump:FILE');
  throw new UsageError(`--net: '${text}' is unknown: use none, isolated, loopback or dump:FILE`);
}

/** Length of an Ethernet header: receiver, sender, type. A frame cannot be shorter. */
const HEADER_BYTES = 14;

/** Returns every packet with sender and receiver exchanged, like an echo station. */
class Loopback implements Network {
  private receive: (frame: Uint8Array) => void = () => {};

  connect(receive: (frame: Uint8Array) => void): void {
    this.receive = receive;
  }

  send(frame: Uint8Array): void {
    if (frame.length < HEADER_BYTES) return;
    const back = frame.slice();
    back.set(frame.subarray(6, 12), 0);
    back.set(frame.subarray(0, 6), 6);
    this.receive(back);
  }
}

const PCAP = { magic: 0xa1b2c3d4, major: 2, minor: 4, snapLength: 65535, ethernet: 1 } as const;

/** Writes packets in the format of libpcap. */
class Dump implements Network {
  private readonly file: GrowingFile;

  constructor(file: string) {
    let fd: number;
    try {
      fd = openSync(file, 'w');
    } catch (error) {
      throw new UsageError(`--net: cannot write ${file} (${(error as NodeJS.ErrnoException).code}): check the path`);
    }
    const header = new DataView(new ArrayBuffer(24));
    header.setUint32(0, PCAP.magic, true);
    header.setUint16(4, PCAP.major, true);
    header.setUint16(6, PCAP.minor, true);
    header.setUint32(16, PCAP.snapLength, true);
    header.setUint32(20, PCAP.ethernet, true);
    this.file = new GrowingFile(fd, `--net: ${file}`);
    this.file.write(new Uint8Array(header.buffer));
    process.once('exit', () => this.file.close());
  }

  connect(): void {}

  send(frame: Uint8Array): void {
    const now = Date.now();
    const record = new Uint8Array(16 + frame.length);
    const header = new DataView(record.buffer);
    header.setUint32(0, Math.floor(now / 1000), true);
    header.setUint32(4, (now % 1000) * 1000, true);
    header.setUint32(8, frame.length, true);
    header.setUint32(12, frame.length, true);
    record.set(frame, 16);
    this.file.write(record);
  }
}

/** The other end; undefined: there is no network card. @throws UsageError when the file cannot be written */
export function openNet(spec: NetSpec): Network | undefined {
  if (spec.kind === 'none') return undefined;
  if (spec.kind === 'isolated') return { connect: () => {}, send: () => {} };
  return spec.kind === 'loopback' ? new Loopback() : new Dump(spec.file);
}
