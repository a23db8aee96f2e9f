/** Stop replies to one client: the thread, the signal and the reason. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Breakpoint } from '../emu/debug/breakpoints.ts';
import type { Catch } from '../emu/debug/catches.ts';
import type { Stop } from '../emu/debug/stop.ts';
import { valueToHex } from './framing.ts';
import { PC_REGNUM, registerByNumber } from './registers.ts';
import type { Resumption } from './resumption.ts';
import { exceptionSignal, SIGNAL } from './signals.ts';
import type { Target } from './target.ts';
import type { ThreadSelection } from './thread-selection.ts';
import { contextOf, type Thread, threadId } from './threads.ts';

/** Registers that are sent with each stop: ra, sp, fp, pc. */
const EXPEDITED = [1, 3, 22, PC_REGNUM];

export class StopReplies {
  private readonly target: Target;
  private readonly selection: ThreadSelection;
  private readonly resumption: Resumption;

  constructor(target: Target, selection: ThreadSelection, resumption: Resumption) {
    this.target = target;
    this.selection = selection;
    this.resumption = resumption;
  }

  /** A stop reply for `thread`, which becomes the selected one. */
  forThread(signal: number, pairs: string, thread: Thread): string {
    this.selection.current = thread;
    const ctx = contextOf(thread, this.target.control);
    this.target.known.shown(thread, ctx.pc());
    const registers = EXPEDITED.map(
      (n) => `${n.toString(16).padStart(2, '0')}:${valueToHex(registerByNumber(n)!.read(ctx), 8)};`,
    );
    return `T${signal.toString(16).padStart(2, '0')}${pairs}${registers.join('')}thread:${threadId(thread)};core:${thread.cpu.index.toString(16)};`;
  }

  /** The reply for a stop that this client has not asked for. */
  private foreign(cpu: Cpu): string {
    return this.forThread(SIGNAL.none, '', this.selection.threadOn(cpu));
  }

  /** @param stepped the thread whose step ends here */
  forStop(stop: Stop, stepped: Thread | undefined): string {
    switch (stop.kind) {
      case 'interrupt':
        return this.forInterrupt();
      case 'beginning':
      case 'end': {
        const here = this.selection.threadOn(stop.cpu);
        const shown = this.resumption.covers(here) ? here : (this.resumption.thread ?? here);
        return this.forThread(SIGNAL.trap, stop.kind === 'end' ? 'replaylog:end;' : 'replaylog:begin;', shown);
      }
      case 'loop':
        return this.foreign(stop.cpu);
      case 'step':
        return stepped ? this.forStep(stepped) : this.foreign(stop.cpu);
      case 'breakpoint':
        return this.forBreakpoint(stop, stepped);
      case 'watch': {
        const { watch, address } = stop.hit;
        if (watch.owner !== this.target || watch.listed) return this.foreign(stop.cpu);
        const key = { write: 'watch', read: 'rwatch', access: 'awatch' }[watch.kind];
        const thread = this.selection.threadFor(stop.cpu, watch.scope);
        return this.forThread(SIGNAL.trap, `${key}:${address.toString(16)};`, thread);
      }
      case 'catch': {
        const { syscall, world } = stop.caught;
        // gdb steps one thread over a breakpoint, and does not end that at a system call: the breakpoint would never be hit again.
        if (syscall?.owner !== this.target || this.resumption.single)
          return this.forThread(this.signalOf(stop.caught, stop.cpu), '', this.selection.threadOn(stop.cpu));
        const pair = `syscall_entry:${syscall.number.toString(16)};`;
        return this.forThread(SIGNAL.trap, pair, this.selection.threadFor(stop.cpu, world));
      }
    }
  }

  private forInterrupt(): string {
    const thread = this.resumption.thread ?? this.selection.current;
    const inGuest = this.target.settings.followInterrupt && thread.cpu.vm;
    const there = inGuest ? this.selection.threadFor(thread.cpu, thread.cpu.world) : thread;
    const shown = this.resumption.covers(there) ? there : thread;
    return this.forThread(SIGNAL.interrupt, '', shown);
  }

  /**
   * The end of a step. With `follow world on` the reply names the process of the world where it ended, and gdb
   * selects it, if gdb has resumed that process too (`set schedule-multiple on`).
   */
  private forStep(thread: Thread): string {
    const { cpu } = thread;
    const { selection, target } = this;
    const follow = target.settings.followWorld && selection.view.kind === 'machine';
    const there = !follow ? thread : cpu.vm ? selection.threadFor(cpu, cpu.world) : selection.threadOn(cpu);
    const ended = this.resumption.covers(there) ? there : thread;
    return this.forThread(ended.pid === thread.pid ? SIGNAL.trap : SIGNAL.none, '', ended);
  }

  private forBreakpoint(stop: Extract<Stop, { kind: 'breakpoint' }>, stepped: Thread | undefined): string {
    const { cpu, va, world, pa } = stop;
    const here = this.target.control.comparators.at(va, world, cpu, pa);
    const mine = here.filter((b) => b.owner === this.target && b.when?.(cpu) !== false);
    if (mine.length === 0) return stepped ? this.forThread(SIGNAL.trap, '', stepped) : this.foreign(cpu);
    const bp = this.preferred(mine);
    const thread = this.selection.threadFor(cpu, bp.scope);
    // The breakpoint may be set at another address of the same place. gdb has no breakpoint here, and would continue.
    if (bp.va !== va) return this.forThread(SIGNAL.none, '', thread);
    const key = bp.hardware ? 'hwbreak' : 'swbreak';
    return this.forThread(SIGNAL.trap, this.target.features.has(key) ? `${key}:;` : '', thread);
  }

  /** The signal for an exception that was caught by a command, with `signals on`. */
  private signalOf(caught: Catch, cpu: Cpu): number {
    const { settings, passed } = this.target;
    const signal = settings.signals && caught.kind === 'exception' ? exceptionSignal(cpu) : SIGNAL.none;
    return passed.has(signal) ? SIGNAL.none : signal;
  }

  /** When several breakpoints are at one place, the one of the process that was resumed. */
  private preferred(list: readonly Breakpoint[]): Breakpoint {
    const vm = this.resumption.thread?.vm;
    return list.find((b) => (vm === undefined ? typeof b.scope !== 'number' : b.scope === vm)) ?? list[0]!;
  }
}
