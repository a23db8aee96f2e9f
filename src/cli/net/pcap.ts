/** Packets in a file in the format of libpcap (pcap-savefile(5)), for Wireshark and tcpdump. */
import { openSync } from 'node:fs';
import { GrowingFile } from '../growing-file.ts';
import { unwritable } from '../unwritable.ts';

const PCAP = { magic: 0xa1b2c3d4, major: 2, minor: 4, snapLength: 262144, ethernet: 1 } as const;
const HEADER_BYTES = 24;
const RECORD_BYTES = 16;

export class PacketFile {
  private readonly file: GrowingFile;

  /** @throws UsageError when the file cannot be written */
  constructor(file: string) {
    let fd: number;
    try {
      fd = openSync(file, 'w');
    } catch (error) {
      throw unwritable(`--net: cannot write ${file}`, error);
    }
    const header = new DataView(new ArrayBuffer(HEADER_BYTES));
    header.setUint32(0, PCAP.magic, true);
    header.setUint16(4, PCAP.major, true);
    header.setUint16(6, PCAP.minor, true);
    header.setUint32(16, PCAP.snapLength, true);
    header.setUint32(20, PCAP.ethernet, true);
    this.file = new GrowingFile(fd, `--net: ${file}`);
    this.file.write(new Uint8Array(header.buffer));
    process.once('exit', () => this.file.close());
  }

  /** Appends a frame with the present time of day. */
  write(frame: Uint8Array): void {
    const now = Date.now();
    const record = new Uint8Array(RECORD_BYTES + frame.length);
    const header = new DataView(record.buffer);
    header.setUint32(0, Math.floor(now / 1000), true);
    header.setUint32(4, (now % 1000) * 1000, true);
    header.setUint32(8, frame.length, true);
    header.setUint32(12, frame.length, true);
    record.set(frame, RECORD_BYTES);
    this.file.write(record);
  }
}
