/** A client of the gdb server that measures how long answers take. */
import { CONSOLE_TEXT, monitorText, PacketClient, text } from '../../test/support/packet-client.ts';

/** Milliseconds that something took: on the clock, and on the processors in this process. */
export interface Took {
  readonly wall: number;
  readonly cpu: number;
}

/** @returns a function that says what has passed since */
function stopwatch(): () => Took {
  const began = performance.now();
  const used = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(used);
    return { wall: performance.now() - began, cpu: (user + system) / 1000 };
  };
}

export interface Answer {
  /** The answer with the console text before it. */
  readonly text: string;
  readonly took: Took;
}

export class GdbPackets {
  private readonly client: PacketClient;

  constructor(port: number) {
    this.client = new PacketClient(port);
  }

  /** Sends a packet and waits for its answer, which may be an error. */
  async ask(packet: string): Promise<Answer> {
    const took = stopwatch();
    this.client.send(packet);
    return this.answer(took);
  }

  private async answer(took: () => Took): Promise<Answer> {
    let said = '';
    for (;;) {
      const reply = await this.client.reply();
      const isOver = !CONSOLE_TEXT.test(reply);
      said += isOver ? monitorText(reply) : text(reply);
      if (!isOver) continue;
      return { text: said, took: took() };
    }
  }

  /** Lets the machine run. */
  resume(): void {
    this.client.send('vCont;c:p1.-1');
  }

  /** Ctrl-C. @returns the time to the stop */
  async interrupt(): Promise<Took> {
    const took = stopwatch();
    this.client.bytes('\x03');
    return (await this.answer(took)).took;
  }

  close(): void {
    this.client.socket.destroy();
  }
}
