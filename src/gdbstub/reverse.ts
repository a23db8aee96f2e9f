/** Reverse execution: `bs` and `bc`. They move the whole machine. */
import type { Stop } from '../emu/debug/stop.ts';
import { Interrupted } from '../emu/debug/turns.ts';
import type { Steps } from '../emu/runtime/steps.ts';
import { telling } from './progress.ts';
import { SIGNAL } from './signals.ts';
import type { Target } from './target.ts';
import { matchesThread, type Thread, type ThreadPattern } from './threads.ts';

export class Reverse {
  private readonly target: Target;
  /** The thread that the client has selected for reverse execution; undefined: the selected thread. */
  thread: Thread | undefined;
  pattern: ThreadPattern | undefined;

  constructor(target: Target) {
    this.target = target;
  }

  /** `bs`: back to before the last instruction of the selected thread. @returns the stop reply */
  step(): Steps<string> {
    return telling(this.target, 'looking back', this.steppingBack());
  }

  private *steppingBack(): Steps<string> {
    const { target } = this;
    const { control } = target;
    const thread = this.moving;
    const from = control.history.position;
    let position: number | undefined = from;
    this.begin();
    try {
      yield;
      position = yield* control.replayer.findingTurnOf(thread.cpu);
      if (position !== undefined) yield* control.replayer.going(position);
      // A thread of a guest skips the instructions of the hypervisor.
      if (position !== undefined && thread.vm !== undefined && thread.cpu.world !== thread.vm) {
        position = yield* control.replayer.findingExitOf(thread.vm, thread.vcpu, position);
        if (position !== undefined) yield* control.replayer.going(position);
      }
      if (position !== undefined) {
        target.output(target.unknownCode.atStop(control, target.threads()));
        return target.threadReply(SIGNAL.trap, '', thread);
      }
      // gdb never resumes a thread again for which it is told so while it steps it off a breakpoint.
      if (this.isOffBreakpoint(thread)) return target.threadReply(SIGNAL.trap, '', thread);
      // Nothing of a guest is before its first instruction.
      yield* control.replayer.going(thread.vm === undefined ? control.history.beginning : from);
      return target.threadReply(SIGNAL.trap, 'replaylog:begin;', thread);
    } catch (error) {
      if (!(error instanceof Interrupted)) throw error;
      return target.threadReply(SIGNAL.interrupt, '', thread);
    }
  }

  /** The thread that moves: the one that the client has named, or its current one. */
  private get moving(): Thread {
    const { target } = this;
    return this.thread ?? target.firstProcess.currentOf(target.current, target.threads());
  }

  /** Does gdb step a thread alone, for the sake of another one, its current one? The step of that one comes next. */
  private isOffBreakpoint(thread: Thread): boolean {
    const { target } = this;
    return this.thread !== undefined && target.firstProcess.currentOf(thread, target.threads()).pid !== thread.pid;
  }

  /** `bc`: back to the last breakpoint, watchpoint or catch before this position, or to the beginning of the history. */
  *continue(): Steps<undefined> {
    const { control } = this.target;
    this.begin();
    const stop = yield* telling(this.target, 'looking back', this.search());
    control.arrived(stop);
    this.target.arrived(stop);
    return undefined;
  }

  /** gdb forgets the registers of the threads that it moves. */
  private begin(): void {
    const { pattern, target } = this;
    target.firstProcess.resumed(this.moving, target.listed(), pattern, true);
    target.known.resumed(target.threads().filter((t) => pattern === undefined || matchesThread(pattern, t)));
  }

  private *search(): Steps<Stop> {
    const { control } = this.target;
    const { history } = control;
    const { cpu } = this.moving;
    const from = history.position;
    let end = from;
    let found: { position: number; stop: Stop } | undefined;
    try {
      yield;
      for (;;) {
        const start: number | undefined = yield* control.replayer.searchingStretch(end, (position, stop) => {
          // What an instruction has caused lies behind it: at the end of a stretch, too.
          if (position < from) found = { position, stop };
        });
        end = start ?? end;
        if (found || start === undefined || start <= history.beginning) break;
      }
      yield* control.replayer.going(found ? found.position + (this.stepsBack(found.stop) ? 1 : 0) : end);
    } catch (error) {
      // The search can stop at any position.
      if (error instanceof Interrupted) return { kind: 'interrupt' };
      throw error;
    }
    return found?.stop ?? { kind: 'beginning', cpu };
  }

  /** gdb itself steps back over the access that met its watchpoint, so the machine must be at the position after the access. */
  private stepsBack(stop: Stop): boolean {
    return stop.kind === 'watch' && stop.hit.watch.owner === this.target && !stop.hit.watch.listed;
  }
}
