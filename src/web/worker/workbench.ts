/** One machine with its debugger: what the user does to it, and what is told of it. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { RunControl } from '../../emu/debug/run-control.ts';
import type { End, Stop } from '../../emu/debug/stop.ts';
import { hex } from '../../emu/formats/hex.ts';
import { StubClient } from '../../gdbstub/stub-client.ts';
import { Awareness } from '../../hv/awareness/awareness.ts';
import type { BreakpointView, Chosen, MachineView, Report } from '../protocol.ts';
import { ConsoleLog } from './console-log.ts';
import { EventLog } from './event-log.ts';
import { codeView, eventViews, worldText, worldViews } from './machine-view.ts';
import { type Loaded, load, type Shelf } from './program.ts';

/** Memory for copies of the past: a page has less than a program. */
const HISTORY = 192 * 2 ** 20;
/** While the machine runs, the page is told so often how far it is. */
const TELL_MS = 200;
/** What the machine prints is sent in pieces, so often. */
const SEND_MS = 20;
/** How often a run to a moment looks where it is. */
const LOOK_MS = 2;
const CPU0 = 'p1.1';

/** Moves that end at a stop. */
export type Move = 'run' | 'step' | 'step-over' | 'back' | 'back-over';

export class Workbench {
  private readonly loaded: Loaded;
  private readonly control: RunControl;
  private readonly stub: StubClient;
  private readonly report: (report: Report) => void;
  private readonly console: ConsoleLog;
  private readonly events: EventLog;
  private readonly breakpoints = new Map<string, BreakpointView>();
  private catchesExits = false;
  private end: End | undefined;
  /** A move is in progress: another one waits for no end, but is refused. */
  private moving = false;
  /** The page's console shows all that is kept, and not only what was printed by a moment of the past. */
  private showsAll = true;
  /** Printed, and not yet sent to the page. */
  private unsent = '';
  /** Events that were explained already. */
  private explained = 0;
  /** The cause of the last event is looked for, perhaps far in the past. */
  private explaining = false;
  private closed = false;

  private constructor(loaded: Loaded, console: ConsoleLog, report: (report: Report) => void) {
    this.loaded = loaded;
    this.console = console;
    this.report = (r) => {
      if (!this.closed) report(r);
    };
    const { machine, symbolize, symbols } = loaded;
    this.control = new RunControl(machine, { keep: true, history: HISTORY });
    this.control.contexts = new Awareness(this.control, symbols, symbolize);
    this.events = new EventLog(this.control);
    this.stub = new StubClient({ control: this.control, symbolize }, (text) => this.report({ kind: 'told', text }));
  }

  /**
   * Boots a program, stopped before its first instruction.
   * @throws ImageError when it cannot be used
   */
  static async boot(chosen: Chosen, shelf: Shelf, report: (report: Report) => void): Promise<Workbench> {
    const console = new ConsoleLog();
    let bench: Workbench | undefined;
    const loaded = await load(chosen, shelf, (byte) => bench?.printed(byte));
    bench = new Workbench(loaded, console, report);
    bench.begins();
    await bench.stub.connect();
    return bench;
  }

  /** Tells the page of a machine that has not run yet. */
  introduce(): void {
    this.report({ kind: 'console', text: '', whole: true });
    this.report({ kind: 'explained', lines: [] });
    this.tell();
  }

  private begins(): void {
    void this.control.run().then((end) => {
      this.end = end;
      this.tell();
    });
  }

  /** Another machine takes its place. */
  close(): void {
    this.closed = true;
    this.control.quit(true);
  }

  private get cpu(): Cpu {
    return this.loaded.machine.cpus[0]!;
  }

  private printed(byte: number): void {
    const { control } = this;
    if (control.repeating) return;
    this.console.put(byte, control.position());
    if (this.unsent === '') this.loaded.machine.options.runtime.after(SEND_MS, () => this.flush());
    this.unsent += String.fromCharCode(byte);
  }

  private flush(): void {
    if (this.unsent !== '' && this.showsAll) this.report({ kind: 'console', text: this.unsent, whole: false });
    this.unsent = '';
  }

  input(text: string): void {
    if (!this.end) this.control.input(new TextEncoder().encode(text));
  }

  /** Moves the machine, and tells where it has stopped. Only one move is made at a time. */
  async move(how: Move): Promise<void> {
    if (this.moving || this.end) return;
    const forward = how === 'run' || how === 'step' || how === 'step-over';
    if (forward && this.loaded.machine.poweredOff) return;
    this.begin();
    // A breakpoint at PC has stopped the machine already. gdb takes it out for the step over it.
    if (forward) this.control.hooks.passOnce(this.cpu);
    const stopTelling = this.tellWhileRunning();
    try {
      await this.carryOut(how);
    } finally {
      stopTelling();
      this.moving = false;
    }
    await this.arrived();
  }

  /** A move begins: nobody waits for an explanation of the place before it. */
  private begin(): void {
    this.moving = true;
    if (this.explaining) this.stub.interrupt();
  }

  private async carryOut(how: Move): Promise<void> {
    const { stub } = this;
    switch (how) {
      case 'run':
        await stub.ask('vCont;c');
        return;
      case 'step':
        await stub.ask(`vCont;s:${CPU0}`);
        return;
      case 'step-over':
        await stub.monitor('step-mode world');
        await stub.ask(`vCont;s:${CPU0}`);
        await stub.monitor('step-mode cpu');
        return;
      case 'back':
        await stub.ask('bs');
        return;
      case 'back-over':
        await stub.ask('bc');
    }
  }

  /**
   * Goes to a moment: of the past, or one that the machine has not come to yet, if nothing stops it before.
   * @param to instructions of the machine
   */
  async go(to: number): Promise<void> {
    if (this.moving) return;
    this.begin();
    const stopTelling = this.tellWhileRunning();
    try {
      const { history } = this.control;
      if (to > history.end && !this.loaded.machine.poweredOff && !this.end) await this.runBeyond(to);
      await this.stub.monitor(`goto ${Math.min(to, history.end)}`);
    } finally {
      stopTelling();
      this.moving = false;
    }
    await this.arrived();
  }

  /** Runs until the machine is behind a moment, or stops. */
  private async runBeyond(to: number): Promise<void> {
    const { control, stub } = this;
    const { runtime } = this.loaded.machine.options;
    let cancel = (): void => {};
    const look = (): void => {
      if (control.machine.instructions > to) stub.interrupt();
      else cancel = runtime.after(LOOK_MS, look);
    };
    look();
    await stub.ask('vCont;c');
    cancel();
  }

  pause(): void {
    this.stub.interrupt();
  }

  /** @param at an address, `0x…`, or a symbol of the image */
  async breakpoint(at: string, on: boolean): Promise<void> {
    const { symbols, symbolize } = this.loaded;
    const address = /^0x[0-9a-f]{1,16}$/i.test(at) ? BigInt(at) : symbols.address(at);
    if (address === undefined) {
      this.report({
        kind: 'told',
        text: `there is no symbol '${at}': write an address as 0x…, or a function's name\n`,
      });
      return;
    }
    if (address % 4n !== 0n) {
      this.report({ kind: 'told', text: `${at} is no place of an instruction: those are multiples of 4\n` });
      return;
    }
    const key = hex(address);
    if (on === this.breakpoints.has(key)) return;
    await this.stub.ask(`${on ? 'Z' : 'z'}0,${address.toString(16)},4`);
    if (on) this.breakpoints.set(key, { address: key, name: symbolize(-1, address) ?? key });
    else this.breakpoints.delete(key);
    this.tell();
  }

  async catchExits(on: boolean): Promise<void> {
    if (on === this.catchesExits) return;
    this.catchesExits = on;
    if (on) await this.stub.monitor('catch vmexit');
    else this.control.catches.clear();
    this.tell();
  }

  /** A command of `monitor`. @returns its answer */
  async monitor(line: string): Promise<string> {
    if (this.moving) return 'the machine runs: pause it first\n';
    const before = this.control.history.position;
    const text = await this.stub.monitor(line);
    if (this.control.history.position !== before) await this.arrived();
    else this.tell();
    return text;
  }

  private tellWhileRunning(): () => void {
    const { control, loaded } = this;
    let cancel = (): void => {};
    const again = (): void => {
      cancel = loaded.machine.options.runtime.after(TELL_MS, () => {
        if (control.isRunning) this.report({ kind: 'running', at: control.machine.instructions });
        again();
      });
    };
    again();
    return () => cancel();
  }

  /** The machine has come to a stop. */
  private async arrived(): Promise<void> {
    if (this.closed) return;
    this.showConsole();
    this.tell();
    const { total } = this.cpu.events;
    if (total === this.explained || this.end) return;
    this.explained = total;
    this.explaining = true;
    const text = await this.stub.monitor('explain');
    this.explaining = false;
    if (!this.moving) this.report({ kind: 'explained', lines: text.trimEnd().split('\n') });
    else this.explained = -1;
  }

  /** The console as it was at this moment. */
  private showConsole(): void {
    const { position } = this.control.history;
    const complete = this.console.isCompleteAt(position);
    if (complete && this.showsAll) {
      this.flush();
      return;
    }
    this.unsent = '';
    this.showsAll = complete;
    this.report({ kind: 'console', text: this.console.until(position), whole: true });
  }

  private tell(): void {
    this.report({ kind: 'state', state: this.view() });
  }

  private view(): MachineView {
    const { control, cpu, end } = this;
    const { symbolize, machine } = this.loaded;
    const { history } = control;
    return {
      phase: end ? 'died' : machine.poweredOff ? 'off' : 'stopped',
      why: this.why(control.stoppedAt),
      at: history.position,
      first: history.beginning,
      last: Math.max(history.end, history.position),
      world: worldText(cpu, cpu.world),
      code: codeView(control, cpu, symbolize),
      worlds: worldViews(control, cpu, symbolize),
      events: eventViews(this.events.list(), symbolize),
      breakpoints: [...this.breakpoints.values()],
      catchesExits: this.catchesExits,
    };
  }

  private why(stop: Stop | undefined): string {
    const { end, loaded, control } = this;
    if (end?.kind === 'died') return `the machine died: ${end.reason}`;
    if (loaded.machine.poweredOff) return 'the program has switched the machine off';
    if (control.history.position === 0) return 'ready: nothing has run yet';
    switch (stop?.kind) {
      case 'breakpoint':
        return `breakpoint at ${loaded.symbolize(stop.world, stop.va) ?? hex(stop.va)}`;
      case 'catch':
        return stop.text;
      case 'loop':
        return stop.loop.text;
      case 'step':
        return 'one step';
      case 'beginning':
        return 'the beginning of the past';
      case 'interrupt':
        return 'paused';
      default:
        return 'stopped';
    }
  }
}
