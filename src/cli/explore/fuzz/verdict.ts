/** What a hypervisor has done wrong in one run with a hostile guest. */
import type { Cpu } from '../../../emu/cpu/cpu.ts';
import type { EventRecord } from '../../../emu/cpu/event-ring.ts';
import type { Machine } from '../../../emu/machine/machine.ts';
import { ConsoleWatch, type Finding } from '../properties.ts';
import { nameOf } from './host-exceptions.ts';
import type { InputJob } from './input.ts';

/** Entries into guests after which the run ends: the hypervisor has come back often enough. */
const ENTRIES = 24;
/** Ticks that may pass without an instruction, all the same. */
const SLACK = 1000;

export class Verdict {
  finding: Finding | undefined;
  private entries = 0;
  /** Instructions of the machine, and its time in ticks, at the last entry or exit. */
  private switched = 0;
  private switchedAt = 0;
  private readonly watch: ConsoleWatch;
  private readonly job: InputJob;
  private readonly machine: Machine;
  private readonly symbolize: (pc: bigint) => string | undefined;
  private readonly end: () => void;

  /** @param end ends the run */
  constructor(job: InputJob, machine: Machine, symbolize: (pc: bigint) => string | undefined, end: () => void) {
    this.job = job;
    this.machine = machine;
    this.symbolize = symbolize;
    this.end = end;
    this.watch = new ConsoleWatch({ expect: [], forbid: job.forbid, deadline: 0, invariant: [] });
    this.switch();
  }

  private switch(): void {
    this.switched = this.position;
    this.switchedAt = this.machine.cpus[this.job.cpu]!.now;
  }

  /** Has the hypervisor done nothing but work since then? A tick is an instruction; more ticks have gone by while it waited, as its guest wanted it to. */
  private get worked(): boolean {
    const executed = this.position - this.switched;
    const passed = this.machine.cpus[this.job.cpu]!.now - this.switchedAt;
    return executed > this.job.longest && passed <= executed + SLACK;
  }

  private get position(): number {
    return this.machine.cpus.reduce((sum, c) => sum + c.position, 0);
  }

  found(finding: Finding | undefined): void {
    if (!finding || this.finding) return;
    this.finding = finding;
    this.end();
  }

  console(byte: number): void {
    this.found(this.watch.put(byte));
  }

  /** An exception in the hypervisor. */
  exception(record: EventRecord): void {
    const name = nameOf(record, this.symbolize);
    if (!this.job.known.includes(name)) this.found({ kind: 'exception', text: `exception in the hypervisor: ${name}` });
  }

  entered(): void {
    this.switch();
    if (++this.entries >= ENTRIES) this.end();
  }

  exited(): void {
    this.switch();
  }

  /** The run has ended. @param limit because it has had its instructions */
  ended(limit: boolean): void {
    const cpu = this.machine.cpus[this.job.cpu]!;
    this.found(this.watch.found());
    if (limit && inHost(cpu) && this.worked) {
      const where = this.symbolize(cpu.pc)?.replace(/\+.*/, '') ?? `0x${cpu.pc.toString(16)}`;
      this.found({ kind: 'hang', text: `the hypervisor does not come back to its guest: it is in ${where}` });
    }
  }
}

/** Does a CPU execute the hypervisor? */
export const inHost = (cpu: Cpu): boolean => !cpu.vm && !cpu.idle;
