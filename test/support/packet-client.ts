/** A minimal client of the gdb server: sends payloads, waits for replies. */
import { connect, type Socket } from 'node:net';
import { encodePacket, fromLatin1, latin1, PacketParser } from '../../src/gdbstub/framing.ts';

/** An `O` packet; an empty one only keeps gdb waiting. */
export const CONSOLE_TEXT = /^O([0-9a-f]|$)/;

/** What an `O` packet says. */
export const text = (payload: string): string =>
  payload.startsWith('O') ? Buffer.from(payload.slice(1), 'hex').toString() : payload;

/** What the last packet of the answer to a monitor command says. */
export const monitorText = (answer: string): string =>
  answer === 'OK' ? '' : /^([0-9a-f]{2})+$/.test(answer) ? Buffer.from(answer, 'hex').toString() : answer;

export class PacketClient {
  readonly socket: Socket;
  private readonly parser = new PacketParser();
  private readonly packets: string[] = [];
  private readonly waiting: ((payload: string) => void)[] = [];
  raw = '';

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (data: Buffer) => {
      this.raw += latin1(data);
      for (const f of this.parser.push(data)) {
        // An empty text keeps gdb waiting.
        if (f.kind !== 'packet' || f.payload === 'O') continue;
        const next = this.waiting.shift();
        if (next) next(f.payload);
        else this.packets.push(f.payload);
      }
    });
    this.socket.on('error', () => {});
  }

  reply(): Promise<string> {
    const ready = this.packets.shift();
    if (ready !== undefined) return Promise.resolve(ready);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no reply')), 10_000);
      this.waiting.push((p) => {
        clearTimeout(timer);
        resolve(p);
      });
    });
  }

  send(payload: string): void {
    this.socket.write(encodePacket(payload));
  }

  ask(payload: string): Promise<string> {
    this.send(payload);
    return this.reply();
  }

  bytes(text: string): void {
    this.socket.write(fromLatin1(text));
  }

  get pending(): number {
    return this.packets.length;
  }
}
