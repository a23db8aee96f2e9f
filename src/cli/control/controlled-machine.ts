/** A running machine as its control connections see it: one state, and events for all of them. */
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Client, End, Stop } from '../../emu/debug/stop.ts';
import { say } from '../ending.ts';

/** The states of QEMU's query-status that exist here. */
export type RunState = 'prelaunch' | 'running' | 'paused' | 'debug' | 'shutdown';

/** Events by QEMU's names (qapi/run-state.json), with their data. */
export type MachineEvent =
  | { readonly name: 'STOP' | 'RESUME' | 'POWERDOWN' }
  | { readonly name: 'RESET' | 'SHUTDOWN'; readonly data: { readonly guest: boolean; readonly reason: string } };

/** What QMP tells of the machine. */
export interface Identity {
  readonly name: string | undefined;
  readonly uuid: string | undefined;
}

export interface ControlOptions {
  readonly control: RunControl;
  readonly identity: Identity;
  /** Can a debugger stop and start the machine, too? */
  readonly debuggable: boolean;
  /** The machine has not started, and waits; called to start it. Undefined: it starts by itself. */
  readonly release: (() => void) | undefined;
}

export class ControlledMachine implements Client {
  running = true;
  readonly control: RunControl;
  readonly identity: Identity;
  private readonly debuggable: boolean;
  private release: (() => void) | undefined;
  /** It has been reset while it was stopped. */
  private fresh = false;
  /** A control connection has stopped it. */
  private paused = false;
  private readonly listeners = new Set<(event: MachineEvent) => void>();
  /** Why the run ends, as soon as that is known. */
  private reason: { readonly guest: boolean; readonly reason: string } | undefined;

  constructor(options: ControlOptions) {
    this.control = options.control;
    this.identity = options.identity;
    this.debuggable = options.debuggable;
    this.release = options.release;
    const { machine } = this.control;
    machine.onPower = (request) => {
      if (this.control.repeating) return;
      const data = { guest: true, reason: request === 'reset' ? 'guest-reset' : 'guest-shutdown' };
      if (request === 'reset' && !machine.options.noReboot) this.tell({ name: 'RESET', data });
      else this.tell({ name: 'SHUTDOWN', data: (this.reason = data) });
    };
    this.control.attach(this);
  }

  /** @returns the function that ends the subscription */
  listen(listener: (event: MachineEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(event: MachineEvent): void {
    for (const listener of [...this.listeners]) listener(event);
  }

  get state(): RunState {
    const { control } = this;
    if (control.machine.poweredOff) return 'shutdown';
    if (this.release) return 'prelaunch';
    if (control.isRunning) return 'running';
    if (this.fresh) return 'prelaunch';
    return this.paused || !this.debuggable ? 'paused' : 'debug';
  }

  /** Run control says that the machine has begun to run, or has stopped. */
  changed(running: boolean): void {
    if (running) {
      // A debugger may have started it.
      this.release = undefined;
      this.fresh = false;
    }
    this.tell({ name: running ? 'RESUME' : 'STOP' });
  }

  pause(): void {
    this.paused = true;
    this.running = false;
    this.control.kick();
  }

  /** @throws Error that says why it does not run */
  resume(): void {
    if (this.control.machine.poweredOff) throw new Error('Resetting the Virtual Machine is required');
    this.paused = false;
    this.running = true;
    const { release } = this;
    this.release = undefined;
    release?.();
    this.control.kick();
    if (!this.control.isRunning) throw new Error('a debugger keeps the machine stopped');
  }

  /** @param reason as the event tells it @throws Error during a replay */
  reset(reason: string): void {
    const data = { guest: false, reason };
    if (this.control.machine.options.noReboot) this.reason = data;
    this.control.reset();
    if (this.control.over) return;
    this.fresh = !this.control.isRunning;
    this.tell({ name: 'RESET', data });
  }

  /** @throws Error during a replay */
  pressPowerButton(): void {
    this.control.pressPowerButton();
    this.tell({ name: 'POWERDOWN' });
  }

  /** @param reason as the event tells it */
  quit(reason: string): void {
    this.reason = { guest: false, reason };
    this.control.quit(true);
  }

  // --- run control's client ---

  stopped(stop: Stop): void {
    if (stop.kind === 'loop') say(`warning: the machine stops: ${stop.loop.text}`);
    // A debugger that has stopped the machine starts it, too.
    this.running = this.debuggable && !this.paused;
  }

  ended(end: End): void {
    if (this.reason?.guest) return;
    const reason = end.kind === 'died' ? 'guest-panic' : 'host-signal';
    this.tell({ name: 'SHUTDOWN', data: this.reason ?? { guest: end.kind === 'died', reason } });
  }
}
