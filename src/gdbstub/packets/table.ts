import type { Answer, Session } from '../session.ts';

/** A packet: the text it starts with, and its answer. */
export interface PacketRow {
  readonly name: string;
  handle(session: Session, rest: string): Answer;
}
