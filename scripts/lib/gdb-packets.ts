/** A client of the gdb server that measures how long answers take. */
import { PacketClient, text } from '../../test/support/packet-client.ts';

export interface Answer {
  /** The answer with the console text before it. */
  readonly text: string;
  /** Milliseconds to the answer. */
  readonly took: number;
}

export class GdbPackets {
  private readonly client: PacketClient;

  constructor(port: number) {
    this.client = new PacketClient(port);
  }

  /** Sends a packet and waits for its answer. @throws Error with an error that the server reports */
  async ask(packet: string): Promise<Answer> {
    const began = performance.now();
    this.client.send(packet);
    return this.answer(packet, began);
  }

  private async answer(packet: string, began: number): Promise<Answer> {
    let said = '';
    for (;;) {
      const reply = await this.client.reply();
      said += text(reply);
      if (/^O[0-9a-f]/.test(reply)) continue;
      if (/^E\./.test(reply)) throw new Error(`${packet.slice(0, 60)}: ${reply}`);
      return { text: said, took: performance.now() - began };
    }
  }

  /** Lets the machine run. */
  resume(): void {
    this.client.send('vCont;c:p1.-1');
  }

  /** Ctrl-C. @returns milliseconds to the stop */
  async interrupt(): Promise<number> {
    const began = performance.now();
    this.client.bytes('\x03');
    return (await this.answer('Ctrl-C', began)).took;
  }

  close(): void {
    this.client.socket.destroy();
  }
}
