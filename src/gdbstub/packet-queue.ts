/** The packets of one connection: acknowledgements, packets that wait, long work in turns, and replies. */
import { Turns } from '../emu/debug/turns.ts';
import type { Runtime } from '../emu/runtime/runtime.ts';
import { encodePacket, type Frame, fromLatin1, PacketParser, toHex } from './framing.ts';
import type { Answer } from './target.ts';

/** How many milliseconds one client's packets are answered before other clients get their turn. */
const TURN_MS = 20;
/** The largest number of packets that wait while the machine runs. gdb sends only interrupts then. */
const MOST_WAITING = 1024;
/** The largest number of bytes between packets that do not belong to the protocol. gdb sends none. */
const MOST_NOISE = 4096;
/**
 * A Ctrl-C that comes when the machine has just stopped counts for a resume that follows so soon, in milliseconds: a long
 * `step` of gdb is many short resumes. It does not count for what the user types after the stop.
 */
const LATE_INTERRUPT_MS = 500;
const MONITOR = 'qRcmd,';
/** gdb gives a packet up after 2 s without an answer (`set remotetimeout`). */
const KEEP_WAITING_MS = 250;
/** Reverse execution. */
const BACKWARDS = /^b[cs]$/;
/** The longest text in one console packet, in characters. As UTF-8 in hex it is smaller than the packet size. */
const TEXT_PIECE = 16_000;

/** The connection to the client. */
export interface Line {
  /** Sends bytes to the client. */
  readonly send: (bytes: Uint8Array) => void;
  /** Receives one line for each packet, for --log gdb. */
  readonly log: (line: string) => void;
  /** A valid packet has arrived. @returns false when the client must get no answer */
  readonly heard?: () => boolean;
  /** The client continues to send bytes that do not belong to the protocol. */
  readonly strayed?: () => void;
  /** The queue is empty again, after {@link PacketQueue.receive} has returned false. */
  readonly drained?: () => void;
}

/** What answers the packets. */
export interface Answerer {
  readonly running: boolean;
  readonly detached: boolean;
  /** Does another client replay the past, or save the machine? */
  readonly inUse: boolean;
  /** @throws Error, which becomes an error reply */
  answer(payload: string): Answer;
  /** Ctrl-C. */
  interrupt(): void;
}

export class PacketQueue {
  private readonly line: Line;
  private readonly answerer: Answerer;
  private readonly runtime: Runtime;
  private readonly parser = new PacketParser();
  private readonly turns: Turns;
  /** Packets that wait, in order: while the machine runs, while work is in progress, and when their turn is over. */
  private queue: string[] = [];
  private turnEnds: number | undefined;
  private drainLater = false;
  private noAck = false;
  private lastSent: Uint8Array | undefined;
  private closed = false;
  /** Ends {@link keepWaiting}. */
  private quiet: () => void = () => {};
  /** The work is that of a monitor command. */
  private monitoring = false;
  /** gdb waits no more for the answer to the work: Ctrl-C has ended its waiting, which it does not tell. */
  private unheard = false;
  /** When the last Ctrl-C came that has stopped nothing. */
  private lateInterrupt = Number.NEGATIVE_INFINITY;

  constructor(line: Line, answerer: Answerer, runtime: Runtime) {
    this.line = line;
    this.answerer = answerer;
    this.runtime = runtime;
    this.turns = new Turns(runtime);
  }

  /**
   * Receives bytes from the client.
   * @returns whether more bytes may arrive at once. If not, {@link Line.drained} says when they may arrive again
   */
  receive(bytes: Uint8Array): boolean {
    if (!this.drainLater) this.turnEnds = undefined;
    for (const frame of this.parser.push(bytes)) if (!this.closed) this.frame(frame);
    this.drain();
    if (this.parser.noise > MOST_NOISE) this.line.strayed?.();
    return !this.drainLater;
  }

  /** From now on, all input is ignored. */
  close(): void {
    this.closed = true;
  }

  /** Is the client waiting for an answer? */
  get busy(): boolean {
    return this.answerer.running || this.turns.active || this.queue.length > 0;
  }

  /** Ends the work in progress without a result. */
  abandonWork(): void {
    this.quiet();
    this.monitoring = false;
    this.turns.abandon();
  }

  /** Drops all packets without an answer. @returns whether work was in progress */
  forget(): boolean {
    this.queue = [];
    const { active } = this.turns;
    this.abandonWork();
    return active;
  }

  /** Sends a packet. */
  reply(payload: string): void {
    this.line.log(`-> ${payload.slice(0, 200)}`);
    this.lastSent = encodePacket(payload);
    this.line.send(this.lastSent);
  }

  /** Text for the user's console. It is allowed only while a resume or a monitor command has no answer yet. */
  output(text: string): void {
    if (this.monitoring && this.unheard) return;
    for (const piece of pieces(text)) this.reply(`O${piece}`);
  }

  /** The answer to a monitor command with this text: one packet where that is possible, so that Ctrl-C cannot come in the middle. */
  lastOutput(text: string): string {
    const all = pieces(text);
    if (!this.unheard) for (const piece of all.slice(0, -1)) this.reply(`O${piece}`);
    return all.at(-1) ?? 'OK';
  }

  /** Answers the packets that wait, as long as this client's turn lasts. */
  drain(): void {
    while (this.queue.length && !this.held && this.onTurn) this.handle(this.queue.shift()!);
    // When the work or the stop that this client waits for arrives, this method is called again.
    if (this.queue.length === 0 || this.waits || this.drainLater) return;
    this.drainLater = true;
    this.runtime.soon(() => {
      this.drainLater = false;
      this.turnEnds = undefined;
      this.drain();
      if (!this.drainLater) this.line.drained?.();
    });
  }

  private frame(frame: Frame): void {
    switch (frame.kind) {
      case 'interrupt':
        if (this.turns.active) this.turns.cancel();
        else if (this.answerer.running) this.answerer.interrupt();
        else this.lateInterrupt = this.runtime.now();
        return;
      case 'ack':
        return;
      case 'nack':
        if (!this.noAck && this.lastSent) this.line.send(this.lastSent);
        return;
      case 'bad-checksum':
        this.line.log('bad checksum, packet discarded');
        if (!this.noAck) this.line.send(fromLatin1('-'));
        return;
      case 'too-long':
        if (!this.noAck) this.line.send(fromLatin1('+'));
        this.reply('E.packet too long');
        return;
      case 'packet':
        if (this.line.heard?.() === false) return;
        if (!this.noAck) this.line.send(fromLatin1('+'));
        if (this.monitoring) {
          this.unheard = true;
          this.turns.cancel();
        }
        if (this.held && this.queue.length >= MOST_WAITING) this.reply('E.too many packets while the machine runs');
        else if (this.queue.length === 0 && !this.held && this.onTurn) this.handle(frame.payload);
        else this.queue.push(frame.payload);
    }
  }

  /** Do packets wait for a stop, or for work that this client has asked for? */
  private get waits(): boolean {
    return (this.answerer.running || this.turns.active) && !this.answerer.detached;
  }

  /** The same, or for another client's replay of the past or snapshot? */
  private get held(): boolean {
    return this.waits || this.answerer.inUse;
  }

  /** Is there time left in this client's turn? */
  private get onTurn(): boolean {
    const now = this.runtime.now();
    this.turnEnds ??= now + TURN_MS;
    return now < this.turnEnds;
  }

  /** The machine is resumed. Has a Ctrl-C just come, too late for the last stop? */
  private interruptedLate(): boolean {
    const late = this.runtime.now() - this.lateInterrupt < LATE_INTERRUPT_MS;
    this.lateInterrupt = Number.NEGATIVE_INFINITY;
    return late;
  }

  private handle(payload: string): void {
    this.line.log(`<- ${payload.slice(0, 200)}`);
    if (payload === 'QStartNoAckMode') {
      this.reply('OK');
      this.noAck = true;
      return;
    }
    let answer: Answer;
    try {
      answer = this.answerer.answer(payload);
    } catch (error) {
      this.reply(failure(error));
      return;
    }
    if (typeof answer === 'object') {
      this.work(payload, answer);
      return;
    }
    if (answer !== undefined) this.reply(answer);
    if (this.answerer.running && !this.answerer.detached && this.interruptedLate()) this.answerer.interrupt();
  }

  /** An answer that may take several turns. */
  private work(payload: string, steps: Exclude<Answer, string | undefined>): void {
    this.unheard = false;
    this.monitoring = payload.startsWith(MONITOR);
    if (this.monitoring) this.keepWaiting();
    const over = (reply: string | undefined): void => {
      this.quiet();
      this.monitoring = false;
      if (reply !== undefined && !this.unheard) this.reply(reply);
      this.drain();
    };
    const late = BACKWARDS.test(payload) && this.interruptedLate();
    this.turns.run(steps, over, (error) => over(failure(error)), late);
  }

  /** gdb waits for the answer to a monitor command as long as it is told something, and an empty text shows nothing. */
  private keepWaiting(): void {
    this.quiet = this.runtime.after(KEEP_WAITING_MS, () => {
      if (!this.unheard) this.reply('O');
      this.keepWaiting();
    });
  }
}

/** A text as hex digits, in pieces that fit into a packet. */
function pieces(text: string): string[] {
  const out: string[] = [];
  for (let at = 0; at < text.length; at += TEXT_PIECE)
    out.push(toHex(new TextEncoder().encode(text.slice(at, at + TEXT_PIECE))));
  return out;
}

const failure = (error: unknown): string => `E.${error instanceof Error ? error.message : String(error)}`;
