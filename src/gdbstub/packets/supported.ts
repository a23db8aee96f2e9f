/** `qSupported`: the features that packets announce, and those of the whole connection. */
import { PACKET_SIZE } from '../framing.ts';
import type { PacketRow } from './table.ts';

/** Features of the connection as a whole. */
const GENERAL = [`PacketSize=${PACKET_SIZE.toString(16)}`, 'error-message+'];

/** The row for a server that knows these packets. */
export function supported(rows: readonly PacketRow[]): PacketRow {
  const answer = [...GENERAL, ...rows.flatMap((r) => r.supported ?? [])].join(';');
  return {
    name: 'qSupported',
    handle: (target, rest) => {
      const theirs = rest.replace(/^:/, '').split(';');
      target.features = new Set(theirs.filter((f) => f.endsWith('+')).map((f) => f.slice(0, -1)));
      return answer;
    },
  };
}
