/** `bs` and `bc`: a connection's way into the past. They move the whole machine. */
import type { Stop } from '../emu/debug/run-control.ts';
import type { Session } from './session.ts';
import { SIGNAL } from './signals.ts';
import type { Thread } from './threads.ts';

export class Reverse {
  private readonly session: Session;
  private search: { cancelled: boolean } | undefined;
  /** The thread that the client has named for it; undefined: the selected one. */
  thread: Thread | undefined;

  constructor(session: Session) {
    this.session = session;
  }

  /** A search of the past is under way; what arrives meanwhile waits. */
  get searching(): boolean {
    return this.search !== undefined;
  }

  /** Ends a search soon (Ctrl-C). */
  cancel(): void {
    if (this.search) this.search.cancelled = true;
  }

  /** Forgets a search: its client goes away. */
  abandon(): void {
    this.search = undefined;
  }

  /** `bs`: back to before the last instruction of the selected thread. @returns the stop reply */
  step(): string {
    const { session } = this;
    const { control } = session;
    const thread = this.thread ?? session.current;
    let target: number | undefined = control.history.position;
    // A guest's thread skips what the hypervisor did in between.
    do {
      target = control.past.lastTurnOf(thread.cpu, target);
      if (target !== undefined) control.past.goto(target);
    } while (target !== undefined && thread.gid !== undefined && thread.cpu.world !== thread.gid);
    if (target !== undefined) return session.threadReply(SIGNAL.trap, '', thread);
    control.past.goto(control.history.beginning);
    return session.threadReply(SIGNAL.trap, 'replaylog:begin;', thread);
  }

  /** `bc`: back to the last breakpoint, watchpoint or catch before this moment, or to the beginning of what is kept. */
  continue(): void {
    const { session } = this;
    const { control } = session;
    const { history } = control;
    const { cpu } = this.thread ?? session.current;
    const search = { cancelled: false };
    this.search = search;
    let end = history.position;
    let found: { position: number; stop: Stop } | undefined;
    const look = (): void => {
      // Abandoned: the client has gone.
      if (this.search !== search) return;
      try {
        // One stretch a turn of the event loop: Ctrl-C comes in between.
        const start = control.past.searchStretch(end, (position, stop) => {
          if (position < end) found = { position, stop };
        });
        const over = found !== undefined || start === undefined || start <= history.beginning;
        end = start ?? end;
        if (!over && !search.cancelled) {
          setImmediate(look);
          return;
        }
        control.past.goto(found ? found.position + (this.stepsBack(found.stop) ? 1 : 0) : end);
      } catch (error) {
        this.search = undefined;
        session.reply(`E.${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      this.search = undefined;
      const stop: Stop = found?.stop ?? (search.cancelled ? { kind: 'interrupt' } : { kind: 'beginning', cpu });
      control.arrived(stop);
      session.arrived(stop);
    };
    setImmediate(look);
  }

  /** gdb steps back over the access that met its own watchpoint, so it is told of the moment behind it. */
  private stepsBack(stop: Stop): boolean {
    return stop.kind === 'watch' && stop.hit.watch.owner === this.session && !stop.hit.watch.listed;
  }
}
