/** Exceptions of the hypervisor itself. Most hypervisors have few, and always at the same places. */
import type { Cpu } from '../../../emu/cpu/cpu.ts';
import type { EventRecord } from '../../../emu/cpu/event-ring.ts';
import { exceptionByCode } from '../../../emu/cpu/exception-table.ts';
import type { Machine } from '../../../emu/machine/machine.ts';

/** What is ordinary anywhere: interrupts, system calls, TLB refills. */
const ORDINARY: ReadonlySet<string> = new Set(['INT', 'SYS', 'TLBR']);
const PLV = 3;
type Name = (pc: bigint) => string | undefined;

/** An exception, and the function that it is in. */
export function nameOf({ ecode, esub, pc }: EventRecord, name: Name): string {
  const where = name(pc)?.replace(/\+.*/, '') ?? `0x${pc.toString(16)}`;
  return `${exceptionByCode(ecode, esub)?.name ?? ecode} in ${where}`;
}

export class HostExceptions {
  private readonly seen = new Map<string, EventRecord>();
  private readonly each: (cpu: Cpu, record: EventRecord) => void;

  /** @param each called for an exception that is not ordinary */
  constructor(each: (cpu: Cpu, record: EventRecord) => void) {
    this.each = each;
  }

  watch(machine: Machine): void {
    for (const cpu of machine.cpus)
      cpu.observe({
        exception: (c) => {
          if (c.vm || c.events.lastIsExit) return;
          const record = c.events.at(0)!;
          const { name } = exceptionByCode(record.ecode, record.esub) ?? { name: String(record.ecode) };
          if (record.world >= 0 || (record.crmd & PLV) !== 0 || ORDINARY.has(name)) return;
          this.seen.set(`${name} ${record.pc}`, record);
          this.each(c, record);
        },
      });
  }

  names(name: Name): string[] {
    return [...new Set([...this.seen.values()].map((record) => nameOf(record, name)))];
  }
}
