/** One machine with its debugger: what the user does to it, and what is told of it. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { RunControl } from '../../emu/debug/run-control.ts';
import type { End } from '../../emu/debug/stop.ts';
import { ImageError } from '../../emu/formats/image-error.ts';
import { StubClient } from '../../gdbstub/stub-client.ts';
import { Awareness } from '../../hv/awareness/awareness.ts';
import { type Chosen, type MachineView, nameOf, type Report, type SavedKind, type ToMachine } from '../protocol.ts';
import { Breakpoints } from './breakpoints.ts';
import { ConsoleFeed } from './console-feed.ts';
import { EventLog } from './event-log.ts';
import { GdbClients } from './gdb-clients.ts';
import { load } from './load.ts';
import { codeView, eventViews, worldText, worldViews } from './machine-view.ts';
import { isForward, type Move, make, runBeyond } from './moves.ts';
import type { Loaded, Shelf } from './program.ts';
import { saveRecording } from './recordings.ts';
import { saveSnapshot } from './snapshots.ts';
import { whyItStands } from './why-it-stands.ts';

/** Memory for copies of the past: a page has less than a program. */
const HISTORY = 192 * 2 ** 20;
/** While the machine runs, the page is told so often how far it is. */
const TELL_MS = 200;
/** How often it is looked whether what is in progress has ended. */
const LOOK_MS = 2;
const HELD = 'gdb has the machine: detach there to go on here\n';

export class Workbench {
  private readonly chosen: Chosen;
  private readonly version: string;
  private readonly loaded: Loaded;
  private readonly control: RunControl;
  private stub: StubClient;
  readonly gdbs: GdbClients;
  private readonly report: (report: Report) => void;
  private readonly console: ConsoleFeed;
  private readonly events: EventLog;
  private readonly breakpoints: Breakpoints;
  private catchesExits = false;
  private end: End | undefined;
  /** A move is in progress: another one waits for no end, but is refused. */
  private moving = false;
  /** Events that were explained already. */
  private explained = 0;
  /** The cause of the last event is looked for, perhaps far in the past. */
  private explaining = false;
  private closed = false;
  /** What is in progress. */
  private readonly pending = new Set<Promise<unknown>>();
  /** gdb may have changed what the page shows. */
  private stale = false;

  private constructor(chosen: Chosen, loaded: Loaded, version: string, report: (report: Report) => void) {
    this.chosen = chosen;
    this.version = version;
    this.loaded = loaded;
    this.report = (r) => {
      if (!this.closed) report(r);
    };
    const { machine, names } = loaded;
    const { symbolize, symbols } = names;
    this.control = new RunControl(machine, { keep: true, history: HISTORY });
    this.console = new ConsoleFeed(this.control, this.report);
    loaded.prepare(this.control);
    this.control.contexts = new Awareness(this.control, symbols, symbolize);
    this.events = new EventLog(this.control);
    this.stub = this.attach();
    this.breakpoints = new Breakpoints(symbolize, symbols);
    this.gdbs = new GdbClients(this.control, symbolize, {
      // Also when another machine has come: then its connection ends.
      send: (gdb, bytes) => report({ kind: 'gdb', gdb, bytes }),
      yields: () => this.yields(),
      takesBack: () => void this.takesBack(),
      changed: () => {
        this.stale = true;
      },
    });
  }

  private attach(): StubClient {
    const { control, loaded } = this;
    return new StubClient({ control, symbolize: loaded.names.symbolize }, (text) => this.told(text));
  }

  private told(text: string): void {
    this.report({ kind: 'told', text });
  }

  /**
   * Boots a program, stopped before its first instruction.
   * @throws ImageError when it cannot be used
   */
  static async boot(chosen: Chosen, shelf: Shelf, report: (report: Report) => void): Promise<Workbench> {
    let bench: Workbench | undefined;
    const loaded = await load(chosen, shelf, (byte) => bench?.console.printed(byte));
    bench = new Workbench(chosen, loaded, shelf.content.version, report);
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
    this.gdbs.close();
  }

  /** Does what the page asks for, unless gdb has the machine. */
  async handle(request: ToMachine): Promise<void> {
    if (!this.gdbs.held) await this.track(this.carryOut(request));
    else if (request.kind === 'monitor') this.report({ kind: 'answer', id: request.id, text: HELD });
    else this.told(HELD);
  }

  private async carryOut(request: ToMachine): Promise<void> {
    switch (request.kind) {
      case 'go':
        return this.go(request.to);
      case 'breakpoint':
        return this.breakpoint(request.at, request.on);
      case 'catch-exits':
        return this.catchExits(request.on);
      case 'monitor':
        return this.report({ kind: 'answer', id: request.id, text: await this.monitor(request.text) });
      case 'save':
        return this.save(request.what);
      default:
        return this.move(request.kind);
    }
  }

  private async save(what: SavedKind): Promise<void> {
    // An explanation looks into the past, and the machine is there meanwhile.
    while (this.explaining) await this.wait(LOOK_MS);
    if (this.moving) throw new ImageError('the machine runs: pause it, then save it');
    const { control, loaded, chosen, version } = this;
    const { machine, names, program, recording } = loaded;
    machine.settle();
    const bytes =
      what === 'snapshot'
        ? saveSnapshot(machine, control.observers, names, version)
        : recording && 'bytes' in chosen
          ? Uint8Array.from(chosen.bytes)
          : saveRecording(program, control, version);
    const name = ('lab' in chosen ? chosen.lab : nameOf(chosen)).replace(/\.\w+$/, '');
    this.report({ kind: 'file', name: `${name}.${what}`, bytes });
  }

  private async track(work: Promise<void>): Promise<void> {
    this.pending.add(work);
    try {
      await work;
    } finally {
      this.pending.delete(work);
    }
  }

  // --- gdb -----------------------------------------------------------------------------------------------------------

  /** Lets the machine go, when it has come to a stop. */
  private async yields(): Promise<void> {
    while (this.pending.size > 0) {
      this.stub.interrupt();
      await this.wait(LOOK_MS);
    }
    this.stub.close();
    this.tell();
    void this.lookOn();
  }

  /** Shows what gdb does. */
  private async lookOn(): Promise<void> {
    const { control, gdbs } = this;
    while (gdbs.held && !this.closed && !this.end) {
      if (control.isRunning) this.report({ kind: 'running', at: control.machine.instructions });
      else if (this.stale) {
        this.stale = false;
        this.console.show();
        this.tell();
      }
      await this.wait(TELL_MS);
    }
  }

  private async takesBack(): Promise<void> {
    if (this.closed) return;
    this.stub = this.attach();
    await this.track(
      this.stub
        .connect()
        .then(() => this.breakpoints.insertAll(this.stub))
        .then(() => this.arrived()),
    );
  }

  private wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.loaded.machine.options.runtime.after(ms, resolve));
  }

  // --- what the page asks for ----------------------------------------------------------------------------------------

  private get cpu(): Cpu {
    return this.loaded.machine.cpus[0]!;
  }

  input(text: string): void {
    if (!this.end) this.control.input(new TextEncoder().encode(text));
  }

  /** Moves the machine, and tells where it has stopped. Only one move is made at a time. */
  private async move(how: Move): Promise<void> {
    if (this.moving || this.end) return;
    const forward = isForward(how);
    if (forward && this.loaded.machine.poweredOff) return;
    this.begin();
    // A breakpoint at PC has stopped the machine already. gdb takes it out for the step over it.
    if (forward) this.control.hooks.passOnce(this.cpu);
    const stopTelling = this.tellWhileRunning();
    try {
      await make(how, this.stub);
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

  /**
   * Goes to a moment: of the past, or one that the machine has not come to yet, if nothing stops it before.
   * @param to instructions of the machine
   */
  private async go(to: number): Promise<void> {
    if (this.moving) return;
    this.begin();
    const stopTelling = this.tellWhileRunning();
    try {
      const { history } = this.control;
      if (to > history.end && !this.loaded.machine.poweredOff && !this.end)
        await runBeyond(to, this.control, this.stub);
      await this.stub.monitor(`goto ${Math.min(to, history.end)}`);
    } finally {
      stopTelling();
      this.moving = false;
    }
    await this.arrived();
  }

  pause(): void {
    this.stub.interrupt();
  }

  private async breakpoint(at: string, on: boolean): Promise<void> {
    const wrong = await this.breakpoints.set(at, on, this.stub);
    if (wrong === undefined) this.tell();
    else this.told(wrong);
  }

  private async catchExits(on: boolean): Promise<void> {
    if (on === this.catchesExits) return;
    this.catchesExits = on;
    if (on) await this.stub.monitor('catch vmexit');
    else this.control.catches.clear();
    this.tell();
  }

  /** A command of `monitor`. @returns its answer */
  private async monitor(line: string): Promise<string> {
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
    this.console.show();
    this.tell();
    const { total } = this.cpu.events;
    if (total === this.explained || this.end || this.gdbs.held) return;
    this.explained = total;
    this.explaining = true;
    const text = await this.stub.monitor('explain');
    this.explaining = false;
    if (!this.moving && !this.gdbs.held) this.report({ kind: 'explained', lines: text.trimEnd().split('\n') });
    else this.explained = -1;
  }

  private tell(): void {
    this.report({ kind: 'state', state: this.view() });
  }

  private view(): MachineView {
    const { control, cpu, end } = this;
    const { machine, names } = this.loaded;
    const { symbolize } = names;
    const { history } = control;
    return {
      phase: end ? 'died' : machine.poweredOff ? 'off' : 'stopped',
      why: whyItStands(control, this.end, symbolize),
      at: history.position,
      first: history.beginning,
      last: Math.max(history.end, history.position),
      world: worldText(cpu, cpu.world),
      code: codeView(control, cpu, symbolize),
      worlds: worldViews(control, cpu, symbolize),
      events: eventViews(this.events.list(), symbolize),
      breakpoints: this.breakpoints.views(),
      catchesExits: this.catchesExits,
      held: this.gdbs.held,
    };
  }
}
