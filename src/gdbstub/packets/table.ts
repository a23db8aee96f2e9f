import type { Session } from '../session.ts';

/** A packet: the text it starts with, and its answer (undefined: no reply now). */
export interface PacketRow {
  readonly name: string;
  handle(session: Session, rest: string): string | undefined;
}
