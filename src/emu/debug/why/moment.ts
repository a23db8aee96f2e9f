/** The state at an event: what an explanation is about. The machine stands before the instruction that raised it. */
import type { Cpu } from '../../cpu/cpu.ts';
import type { EventRecord } from '../../cpu/event-ring.ts';
import { exceptionByCode } from '../../cpu/exception-table.ts';
import { hex } from '../../formats/hex.ts';
import type { Machine } from '../../machine/machine.ts';
import type { DebugContext } from '../context.ts';
import type { Loop } from '../loops.ts';
import type { Symbolizer } from '../symbolizer.ts';
import type { Vms } from '../vms.ts';
import type { Stretch } from './stretch.ts';

export interface Moment {
  readonly machine: Machine;
  readonly cpu: Cpu;
  /** The event that is explained: the first of its chain. */
  readonly r: EventRecord;
  /** The event that its handler raised, if the chain went on. */
  readonly then: EventRecord | undefined;
  /** The world of the event; its registers as they were. */
  readonly ctx: DebugContext;
  /** The instructions before it. */
  readonly past: Stretch;
  /** The same, and those behind it that have been looked at. */
  readonly whole: Stretch;
  /** The loop in which it began, if it did. */
  readonly loop: Loop | undefined;
  /** Has the machine been switched off since? */
  readonly ended: boolean;
  readonly vms: Vms;
  readonly name: Symbolizer;
}

export const causeOf = (r: EventRecord): string => exceptionByCode(r.ecode, r.esub)?.name ?? `Ecode ${hex(r.ecode)}`;

/** An address with its name. */
export function place({ name }: Moment, world: number, at: bigint): string {
  const symbol = name(world, at);
  return symbol ? `${hex(at)} <${symbol}>` : hex(at);
}

/** Did the fetch of an instruction fail? */
export const isFetchFault = (r: EventRecord): boolean => r.hasBadv && r.va === r.pc;
