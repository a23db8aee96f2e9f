/**
 * A client of the gdb stub in the same program: what the web page and the tour without gdb do goes through the packets that a real gdb sends, so that all mean the
 * same by a step.
 */
import { encodePacket, fromHex, PacketParser, toHex } from './framing.ts';
import { dispatch } from './packets/index.ts';
import { Session, type SessionOptions } from './session.ts';

const INTERRUPT = Uint8Array.of(3);
/** What gdb shows while a command looks into the past. It is no part of the answer. */
const PROGRESS = /^[\w ]+, at instruction \d+\n$/;
const READ_PC = 'p21';
const SUPPORTED = 'qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+';

interface Waiting {
  readonly payload: string;
  readonly told: (text: string) => void;
  readonly answer: (payload: string) => void;
}

export class StubClient {
  private readonly session: Session;
  private readonly parser = new PacketParser();
  /** Packets without an answer, in order. */
  private readonly waiting: Waiting[] = [];
  /** Receives what the stub says beside its answers. */
  private readonly told: (text: string) => void;

  /** @param told receives the lines that gdb would print */
  constructor(machine: Pick<SessionOptions, 'control' | 'symbolize'>, told: (text: string) => void) {
    this.told = told;
    this.session = new Session({
      ...machine,
      view: { kind: 'machine' },
      dispatch,
      log: () => {},
      send: (bytes) => this.receive(bytes),
    });
  }

  /** What gdb does when it connects. */
  async connect(): Promise<void> {
    await this.ask(SUPPORTED);
    await this.ask('QStartNoAckMode');
    await this.ask('?');
  }

  /**
   * Sends a packet.
   * @param told receives text that comes before its answer
   * @returns the answer; for one that lets the machine run, its stop
   */
  ask(payload: string, told = this.told): Promise<string> {
    return new Promise((answer) => {
      this.waiting.push({ payload, told, answer });
      if (this.waiting.length === 1) this.send();
    });
  }

  /** `monitor LINE`. @returns its text */
  async monitor(line: string): Promise<string> {
    let text = '';
    const answer = await this.ask(`qRcmd,${toHex(new TextEncoder().encode(line))}`, (more) => {
      if (PROGRESS.test(more)) this.told(more);
      else text += more;
    });
    // It may have moved the machine, and the stub refuses a step from a place that its client does not know.
    await this.ask(READ_PC);
    // The last piece of the text is the answer itself.
    const last = fromHex(answer);
    return text + (last ? new TextDecoder().decode(last) : answer.startsWith('E.') ? `${answer.slice(2)}\n` : '');
  }

  /** Ctrl-C. Where nothing is in progress it would count for the next resume. */
  interrupt(): void {
    if (this.waiting.length > 0) this.session.receive(INTERRUPT);
  }

  /** Leaves the machine. Nothing may be in progress. */
  close(): void {
    this.session.close();
  }

  /** The next packet. It follows the answer to the one before it: one that came earlier would cancel a monitor command. */
  private send(): void {
    const [next] = this.waiting;
    if (next) this.session.receive(encodePacket(next.payload));
  }

  private receive(bytes: Uint8Array): void {
    for (const frame of this.parser.push(bytes)) if (frame.kind === 'packet') this.heard(frame.payload);
  }

  private heard(payload: string): void {
    const text = payload.startsWith('O') ? fromHex(payload.slice(1)) : undefined;
    if (text) (this.waiting[0]?.told ?? this.told)(new TextDecoder().decode(text));
    else {
      this.waiting.shift()?.answer(payload);
      this.send();
    }
  }
}
