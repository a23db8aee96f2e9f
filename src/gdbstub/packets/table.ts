import type { Answer, Target } from '../target.ts';

/** A packet: the text it starts with, and its answer. */
export interface PacketRow {
  readonly name: string;
  /** What qSupported announces because this packet is served. */
  readonly supported?: readonly string[];
  handle(target: Target, rest: string): Answer;
}
