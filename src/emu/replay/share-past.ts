/**
 * A shared folder in the past of its machine: a machine that repeats its past gets the answers that it got. The folder itself cannot
 * go back, so a machine goes on from a moment of the past only if it has not asked the folder for anything since.
 */
import type { P9Server, P9State } from '../devices/virtio/p9.ts';
import type { OutsidePast } from './outside-past.ts';

/** Numbers of answers differ by this much from one past to the next one, so that a state tells which past it is of. */
const PASTS = 2 ** 32;

interface Answer {
  readonly position: number;
  readonly bytes: Uint8Array;
}

export class SharePast implements P9Server, OutsidePast {
  private readonly below: P9Server;
  private position: (() => number) | undefined;
  /** The answers of this past, and the number of the first of them. */
  private answers: Answer[] = [];
  private first = 0;
  /** The number of the next answer. */
  private next = 0;
  bytes = 0;

  constructor(below: P9Server) {
    this.below = below;
  }

  begin(position: (() => number) | undefined): void {
    this.position = position;
    this.answers = [];
    this.bytes = 0;
    this.first = PASTS * (Math.floor(this.first / PASTS) + 1);
    this.next = this.first;
  }

  /** The number behind the last answer. */
  private get end(): number {
    return this.first + this.answers.length;
  }

  answer(message: Uint8Array, room: number): Uint8Array {
    if (this.next < this.end) return this.answers[this.next++ - this.first]!.bytes;
    const answered = this.below.answer(message, room);
    if (!this.position) return answered;
    const bytes = answered.slice();
    this.answers.push({ position: this.position(), bytes });
    this.bytes += bytes.length;
    this.next++;
    return bytes;
  }

  get obstacle(): string | undefined {
    return this.next === this.end
      ? undefined
      : 'the machine has used a shared folder after this moment, and the folder cannot go back: look at the past here, and change the machine after the last use';
  }

  fork(): void {}

  forgetBefore(position: number): void {
    const kept = this.answers.findIndex((a) => a.position >= position);
    const gone = this.answers.splice(0, kept < 0 ? this.answers.length : kept);
    for (const { bytes } of gone) this.bytes -= bytes.length;
    this.first += gone.length;
  }

  /** A reset of the device is part of the run: it happens to the folder once. */
  reset(): void {
    if (this.next === this.end) this.below.reset();
  }

  save(): P9State {
    return { ...this.below.save(), answered: this.next };
  }

  restore(state: P9State): void {
    const { answered } = state;
    if (this.position && answered !== undefined && answered >= this.first && answered <= this.end) this.next = answered;
    else this.below.restore(state);
  }
}
