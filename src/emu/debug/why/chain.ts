/** Chains of events: the event whose handler raised another one, as far back as that goes. */
import { CRMD } from '../../cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import { ecodeOf } from '../../cpu/exception-table.ts';
import { HOST_WORLD } from '../context.ts';
import type { Stretch } from './stretch.ts';
import { takerOf } from './vector-checks.ts';

/** Bytes from a vector on that count as its handler, and how many instructions and events it may take to get there. */
const HANDLER = 0x400n;
const SOON = 200;
const NEAR = 8;
const TLBR = ecodeOf('TLBR');
/** Exceptions whose handler usually returns. */
const ROUTINE: ReadonlySet<number> = new Set((['INT', 'SYS', 'TLBR'] as const).map(ecodeOf));
/** How far back a guest's own exception may be of which it died. */
const DYING = 2000;

/** The first event behind step `n`. */
export const next = (s: Stretch, n: number): EventRecord | undefined =>
  s.steps.slice(n + 1).flatMap((step) => step.events.filter((e) => e.kind !== 'entry'))[0];

/** The next event, when the handler of the event at step `n` raises it. */
export function handlerFault(s: Stretch, n: number, r: EventRecord): EventRecord | undefined {
  for (let k = n + 1; k < Math.min(s.length, n + SOON); k++) {
    if (s.row(k)?.name === 'ertn') return undefined;
    const e = s.steps[k]!.events.find((x) => x.kind !== 'entry');
    if (e?.ecode === TLBR && e.pc !== r.vector) continue;
    if (e) return takerOf(r) === e.world && e.kind === 'exception' && e.pc - r.vector < HANDLER ? e : undefined;
  }
  return undefined;
}

/** Does the handler of the exception at step `n` return? */
export function returnsFrom(s: Stretch, n: number, r: EventRecord): boolean {
  if (r.kind !== 'exception') return false;
  let inside = 1;
  for (let k = n + 1; k < s.length && inside > 0; k++) {
    const { world, events } = s.steps[k]!;
    if (events.some((e) => e.kind === 'exception' && e.world === r.world)) inside++;
    else if (world === r.world && s.row(k)?.name === 'ertn') inside--;
  }
  return inside === 0;
}

/** The event whose handler raised another one at step `n`, and its step. @param stuck the machine is in a loop */
export function ledTo(s: Stretch, n: number, r: EventRecord, stuck: boolean): Led {
  const refill = refillOf(s, n, r);
  if (refill[0]) return refill;
  let seen = 0;
  for (let k = n - 1; k >= 0 && k > n - SOON && seen < NEAR; k--) {
    for (const e of s.steps[k]!.events.toReversed()) {
      if (e.kind === 'entry') continue;
      const handler = e.kind === 'exit' ? 1n : HANDLER;
      if (takerOf(e) === r.world && r.pc >= e.vector && r.pc < e.vector + handler) return [e, k];
      seen++;
    }
  }
  const outer = stuck ? handledAt(s, n, r) : NOTHING;
  if (outer[0]) return outer;
  return r.kind === 'exit' && !r.stage2 ? diedOf(s, n, r) : NOTHING;
}

/** An event that led to another one, and its step. */
type Led = readonly [EventRecord | undefined, number];
const NOTHING: Led = [undefined, -1];

/** The fault of the same world whose handler has not returned yet at step `n`. */
function handledAt(s: Stretch, n: number, r: EventRecord): Led {
  if (r.kind !== 'exception' || ROUTINE.has(r.ecode)) return NOTHING;
  let returns = 0;
  for (let k = n - 1; k >= 0 && k > n - SOON; k--) {
    const step = s.steps[k]!;
    if (r.world === HOST_WORLD && step.events.some((e) => e.kind !== 'exception')) return NOTHING;
    const e = step.events.find((x) => x.kind === 'exception' && x.world === r.world);
    if (step.world === r.world && s.row(k)?.name === 'ertn') returns++;
    else if (e && returns > 0) returns--;
    else if (e) return ROUTINE.has(e.ecode) ? NOTHING : [e, k];
  }
  return NOTHING;
}

/** The refill whose context was never left, when an event comes at an address that needs paging. */
function refillOf(s: Stretch, n: number, r: EventRecord): Led {
  if (r.kind !== 'exception' || r.world !== HOST_WORLD || r.pc >> 48n === 0n || !(r.crmd & CRMD.DA)) return NOTHING;
  for (let k = n - 1; k >= 0 && k > n - DYING; k--) {
    const e = s.steps[k]!.events.find((x) => x.kind !== 'entry' && x.ecode === TLBR);
    if (e) return [e, k];
    if (s.row(k)?.name === 'ertn' && fieldNamed('TLBRERA', 'IsTLBR', s.csr(k, CSR.TLBRERA))) return NOTHING;
  }
  return NOTHING;
}

/** The guest's own fault whose handler calls the hypervisor, without a return in between: the guest reports its end. */
function diedOf(s: Stretch, n: number, r: EventRecord): Led {
  for (let k = n - 1; k >= 0 && k > n - DYING; k--) {
    if (s.steps[k]!.world !== r.world) continue;
    if (s.row(k)?.name === 'ertn') break;
    const e = s.steps[k]!.events.find((x) => x.kind === 'exception' && x.world === r.world);
    if (e) return ROUTINE.has(e.ecode) ? NOTHING : [e, k];
  }
  return NOTHING;
}
