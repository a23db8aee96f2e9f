import type { Dispatch } from '../target.ts';
import { BREAKPOINT_PACKETS } from './breakpoints.ts';
import { CATCHPOINT_PACKETS } from './catchpoints.ts';
import { EXECUTION_PACKETS } from './execution.ts';
import { GENERAL } from './general.ts';
import { MEMORY_PACKETS } from './memory.ts';
import { REGISTER_PACKETS } from './registers.ts';
import { supported } from './supported.ts';
import type { PacketRow } from './table.ts';
import { XFER_PACKETS } from './xfer.ts';

const ROWS: readonly PacketRow[] = [
  ...GENERAL,
  ...REGISTER_PACKETS,
  ...MEMORY_PACKETS,
  ...BREAKPOINT_PACKETS,
  ...CATCHPOINT_PACKETS,
  ...EXECUTION_PACKETS,
  ...XFER_PACKETS,
];

/** Every packet the server knows, the longest names first: `vCont?` before `v…`. */
export const PACKETS: readonly PacketRow[] = [supported(ROWS), ...ROWS].sort((a, b) => b.name.length - a.name.length);

/** One-letter packets take their arguments at once; a longer word is another packet, unknown unless listed. */
const WORD = /^[qQv][A-Za-z]/;

/** Answers a payload; unknown packets get the empty reply that the protocol prescribes. */
export const dispatch: Dispatch = (session, payload) => {
  for (const row of PACKETS) {
    if (!payload.startsWith(row.name)) continue;
    if (row.name.length === 1 && WORD.test(payload)) continue;
    return row.handle(session, payload.slice(row.name.length));
  }
  return '';
};
