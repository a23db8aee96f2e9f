/** A machine under run control without a gdb. It runs from stop to stop. */
import { type Booted, boot } from '../../src/cli/boot.ts';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../../src/cli/options.ts';
import type { Scope } from '../../src/emu/debug/breakpoints.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Client, End, Stop } from '../../src/emu/debug/stop.ts';

export class Driven implements Client {
  readonly booted: Booted;
  readonly control: RunControl;
  readonly console: number[] = [];
  running = false;
  private wake: (what: Stop | End) => void = () => {};

  private constructor(booted: Booted, console: number[]) {
    this.booted = booted;
    this.console = console;
    this.control = new RunControl(booted.machine);
    this.control.history.enable(true);
    this.control.attach(this);
    void this.control.run();
  }

  /** Boots the reference hypervisor with guests, and loads its symbols. */
  static async boot(guests: readonly string[], more: Partial<MachineCli> = {}): Promise<Driven> {
    const output: number[] = [];
    let control: RunControl | undefined;
    const booted = boot(undefined, { ...DEFAULT_MACHINE, guest: guests.map(parseGuest), ...more }, (b) => {
      if (!control?.repeating) output.push(b);
    });
    await booted.named;
    const driven = new Driven(booted, output);
    control = driven.control;
    return driven;
  }

  stopped(stop: Stop): void {
    this.running = false;
    this.wake(stop);
  }

  ended(end: End): void {
    this.running = false;
    this.wake(end);
  }

  /** Lets the machine go on until it stops. */
  go(): Promise<Stop | End> {
    return new Promise((resolve) => {
      this.wake = resolve;
      this.running = true;
      this.control.kick();
    });
  }

  /** Runs to a function of the hypervisor, `times` times. */
  async to(name: string, times = 1, scope: Scope = 'host'): Promise<void> {
    const va = this.booted.symbols.address(name)!;
    for (let n = 0; n < times; n++) {
      for (const cpu of this.control.machine.cpus) if (cpu.pc === va) this.control.history.step(cpu, false);
      this.control.comparators.insert({ owner: this, scope, va, hardware: false });
      const stop = await this.go();
      this.control.comparators.remove((b) => b.owner === this);
      if (stop.kind !== 'breakpoint') throw new Error(`the machine stopped for '${stop.kind}' before ${name}`);
    }
  }
}
