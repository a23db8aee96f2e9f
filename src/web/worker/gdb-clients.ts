/**
 * Real gdbs at the machine of the page, each with a session of the stub. As long as one is attached it has the machine, and the page
 * looks on.
 */
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Client } from '../../emu/debug/stop.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { dispatch } from '../../gdbstub/packets/index.ts';
import { Session } from '../../gdbstub/session.ts';
import { MOST_UNREAD } from '../bridge-frames.ts';

/** What the machine of the page does for gdbs, and hears of them. */
export interface Host {
  /** Sends bytes to a gdb; none: its connection ends. */
  readonly send: (gdb: number, bytes: Uint8Array) => void;
  /** The page lets the machine go, which stands still then. */
  readonly yields: () => Promise<void>;
  /** No gdb has the machine any more. It stands still, or is about to. */
  readonly takesBack: () => void;
  /** A gdb has been answered: the machine may have changed, or moved. */
  readonly changed: () => void;
}

interface Gdb {
  readonly session: Session;
  /** Bytes that the session does not take yet. */
  readonly waiting: Uint8Array[];
  waitingBytes: number;
  full: boolean;
}

const NONE = new Uint8Array();

export class GdbClients implements Client {
  private readonly control: RunControl;
  private readonly symbolize: Symbolizer;
  private readonly host: Host;
  private readonly gdbs = new Map<number, Gdb>();
  /** What gdbs have sent while the page was letting the machine go, in order. */
  private early: { readonly gdb: number; readonly bytes: Uint8Array }[] | undefined;
  private had = false;

  constructor(control: RunControl, symbolize: Symbolizer, host: Host) {
    this.control = control;
    this.symbolize = symbolize;
    this.host = host;
  }

  /** Does a gdb have the machine, or is it about to? */
  get held(): boolean {
    return this.early !== undefined || this.attached;
  }

  private get attached(): boolean {
    for (const { session } of this.gdbs.values()) if (!session.detached) return true;
    return false;
  }

  /** Is a gdb connected? */
  knows(gdb: number): boolean {
    return this.gdbs.has(gdb) || this.early?.some((e) => e.gdb === gdb) === true;
  }

  /** A gdb has sent bytes; none: it has left. */
  receive(gdb: number, bytes: Uint8Array): void {
    if (this.early) {
      this.early.push({ gdb, bytes });
      return;
    }
    const known = this.gdbs.get(gdb);
    if (known) {
      if (bytes.length === 0) this.left(gdb, known);
      else this.pass(gdb, known, bytes);
      return;
    }
    if (bytes.length === 0) return;
    if (this.control.over) this.host.send(gdb, NONE);
    else if (this.held) this.begin(gdb, bytes);
    else void this.first(gdb, bytes);
  }

  /** The first gdb: the page stops what it does. */
  private async first(gdb: number, bytes: Uint8Array): Promise<void> {
    this.early = [{ gdb, bytes }];
    this.control.attach(this);
    await this.host.yields();
    const { early } = this;
    this.early = undefined;
    for (const e of early) this.receiveHeld(e.gdb, e.bytes);
    this.look();
  }

  private receiveHeld(gdb: number, bytes: Uint8Array): void {
    if (bytes.length > 0 && !this.gdbs.has(gdb)) this.begin(gdb, bytes);
    else this.receive(gdb, bytes);
  }

  private begin(gdb: number, bytes: Uint8Array): void {
    const session = new Session({
      ...{ control: this.control, symbolize: this.symbolize, view: { kind: 'machine' }, dispatch },
      log: () => {},
      strayed: () => this.drop(gdb),
      drained: () => this.drained(gdb),
      onDetach: () => this.look(),
      send: (answer) => {
        this.host.send(gdb, answer);
        this.host.changed();
        this.look();
      },
    });
    const one: Gdb = { session, waiting: [], waitingBytes: 0, full: false };
    this.gdbs.set(gdb, one);
    this.pass(gdb, one, bytes);
  }

  private pass(gdb: number, one: Gdb, bytes: Uint8Array): void {
    if (one.full) {
      one.waiting.push(bytes);
      one.waitingBytes += bytes.length;
      if (one.waitingBytes > MOST_UNREAD) this.drop(gdb);
      return;
    }
    one.full = !one.session.receive(bytes);
    this.look();
  }

  private drained(gdb: number): void {
    const one = this.gdbs.get(gdb);
    if (!one) return;
    one.full = false;
    one.waitingBytes = 0;
    for (const bytes of one.waiting.splice(0)) this.pass(gdb, one, bytes);
  }

  private left(gdb: number, { session }: Gdb): void {
    this.gdbs.delete(gdb);
    session.close();
    this.look();
  }

  private drop(gdb: number): void {
    const one = this.gdbs.get(gdb);
    this.host.send(gdb, NONE);
    if (one) this.left(gdb, one);
  }

  /** Another machine comes, or none: every gdb is told so by the end of its connection. */
  close(): void {
    for (const gdb of [...this.gdbs.keys()]) this.drop(gdb);
  }

  /** A gdb can leave the machine, and come back, without an end of its connection. */
  private look(): void {
    const { attached } = this;
    if (attached === this.had || this.early) return;
    this.had = attached;
    if (attached) {
      // One that has come back: the page has the machine, and must let it go.
      this.control.attach(this);
      void this.host.yields();
    } else {
      this.host.takesBack();
      this.control.detach(this);
    }
  }

  // --- as a client of the machine: it runs as the gdbs say, and does not run on when the last of them has left --------

  get running(): boolean {
    return this.attached;
  }

  set running(_running: boolean) {
    // It follows from the gdbs.
  }

  stopped(): void {
    this.host.changed();
  }

  ended(): void {
    // The page hears of the end itself.
  }
}
