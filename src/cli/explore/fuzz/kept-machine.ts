/**
 * A machine that begins with a snapshot again and again: only the pages that a run has changed are put back, so a run costs a few
 * milliseconds. Code stays decoded, so a run tells only of what no earlier one has reached.
 */
import { CodeCoverage } from '../../../emu/debug/code-coverage.ts';
import { VcpuStates } from '../../../emu/debug/context.ts';
import { Copies } from '../../../emu/replay/copies.ts';
import { boot } from '../../boot.ts';
import type { MachineCli } from '../../options.ts';
import type { Outcome } from '../one-run.ts';
import { HostExceptions } from './host-exceptions.ts';
import type { InputJob } from './input.ts';
import { apply, outcomeOf } from './one-input.ts';
import { Verdict } from './verdict.ts';

/** Bytes for the state to go back to. */
const ROOM = 2 ** 30;
/** Instructions of each CPU at a time. */
const SLICE = 1_000_000;

export class KeptMachine {
  private readonly machine: ReturnType<typeof boot>['machine'];
  private readonly symbolize: (pc: bigint) => string | undefined;
  private readonly named: Promise<void>;
  private readonly vcpuStates: VcpuStates;
  private readonly copies: Copies;
  private readonly coverage = { of: new CodeCoverage() };
  private verdict: Verdict | undefined;
  private over = false;

  /** @param from a snapshot @throws UsageError */
  constructor(cli: MachineCli, from: string) {
    const booted = boot(undefined, { ...cli, snapshot: from }, (byte) => this.verdict?.console(byte));
    const { machine } = booted;
    this.machine = machine;
    this.named = booted.named;
    this.symbolize = (pc) => booted.symbolize(-1, pc);
    this.vcpuStates = new VcpuStates(machine.ram);
    this.copies = new Copies(machine, [], { budget: ROOM, others: () => 0, lost: () => {} });
    this.copies.take(0);
    machine.uops.covered = (pa, words, guest) => {
      if (!guest) for (let n = 0; n < words; n++) this.coverage.of.add(pa + 4 * n);
    };
    new HostExceptions((_, record) => this.verdict?.exception(record)).watch(machine);
    for (const cpu of machine.cpus)
      cpu.observe({ entered: () => this.verdict?.entered(), exited: () => this.verdict?.exited() });
  }

  async run(job: InputJob): Promise<Outcome> {
    const { machine, copies } = this;
    await this.named;
    this.verdict = undefined;
    copies.restore(0);
    machine.clearStops();
    this.coverage.of = new CodeCoverage();
    this.over = false;
    apply(machine, this.vcpuStates, job.cpu, job.input);
    this.verdict = new Verdict(job, machine, this.symbolize, () => {
      this.over = true;
      for (const cpu of machine.cpus) cpu.requestStop();
    });
    let ended = false;
    while (!this.over && !ended && machine.instructions < job.limit) {
      const result = machine.run(SLICE, job.limit);
      ended = result === 'poweroff' || result === 'waiting' || result === 'asleep';
    }
    this.verdict.ended(!this.over && !ended);
    return outcomeOf(machine, this.verdict, this.coverage.of);
  }
}
