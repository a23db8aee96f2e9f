/** The processes and threads that a client knows, and the selected one. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { Scope } from '../emu/debug/breakpoints.ts';
import { anyGuestContext, type DebugContext } from '../emu/debug/context.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { ThreadTarget } from './target.ts';
import {
  contextOf,
  GUEST_PID_BASE,
  listThreads,
  MACHINE_PID,
  matchesThread,
  type Thread,
  type ThreadPattern,
  type View,
} from './threads.ts';

export class ThreadSelection implements ThreadTarget {
  readonly view: View;
  readonly attached = new Map<number, Set<number>>();
  machineHidden = false;
  hostView = false;
  current: Thread;
  private readonly control: RunControl;
  private readonly fileOf: ((world: number, needed: boolean) => string | undefined) | undefined;

  /**
   * @param fileOf the file that a world was booted from (−1: the host), as an absolute path; undefined when not known
   */
  constructor(
    control: RunControl,
    view: View,
    fileOf: ((world: number, needed: boolean) => string | undefined) | undefined,
  ) {
    this.control = control;
    this.view = view;
    this.fileOf = fileOf;
    this.current = this.threads()[0]!;
  }

  threads(): Thread[] {
    const { machine, vcpuStates } = this.control;
    const all = listThreads(this.view, machine.cpus, this.attached, vcpuStates);
    const shown = this.machineHidden ? all.filter((t) => t.pid !== MACHINE_PID) : all;
    return shown.length ? shown : all;
  }

  listed(): Thread[] {
    return this.machineHidden && this.attached.size === 0 ? [] : this.threads();
  }

  find(pattern: ThreadPattern): Thread | undefined {
    const all = this.threads();
    const same = all.find((t) => t.pid === this.current.pid && t.tid === this.current.tid);
    if (same && matchesThread(pattern, same) && pattern.tid <= 0) return same;
    return all.find((t) => matchesThread(pattern, t));
  }

  get context(): DebugContext {
    return contextOf(this.current, this.control);
  }

  get guestContext(): DebugContext | undefined {
    const ctx = this.context;
    if (ctx.world >= 0) return ctx;
    const { machine, vcpuStates, contexts } = this.control;
    return anyGuestContext(machine.cpus, ctx.cpu, ctx.cpu.events.vmOf(ctx.cpu.gid, ctx.cpu.now), vcpuStates, contexts);
  }

  /** The scope of comparators inserted for the selected thread. */
  get scope(): Scope {
    if (this.current.vm !== undefined) return this.current.vm;
    // When a guest is attached, guest addresses belong to its own process.
    return this.current.host || this.attached.size ? 'host' : 'any';
  }

  executable(pid: number): string | undefined {
    const world = this.view.kind === 'guest' ? this.view.vm : pid >= GUEST_PID_BASE ? pid - GUEST_PID_BASE : -1;
    return this.fileOf?.(world, pid !== MACHINE_PID);
  }

  threadFor(cpu: Cpu, scope: Scope): Thread {
    if (typeof scope !== 'number') return this.threadOn(cpu);
    const on = this.control.vcpuStates.on(cpu)?.vcpu;
    const own = this.threads().filter((t) => t.vm === scope && t.cpu === cpu);
    return own.find((t) => t.vcpu === on) ?? own[0] ?? this.threadOn(cpu);
  }

  /** The thread that shows what a CPU does: the CPU itself, or, at a guest's port, the guest. */
  threadOn(cpu: Cpu): Thread {
    const all = this.threads();
    const vcpu = this.control.vcpuStates.on(cpu)?.vcpu;
    return (
      all.find((t) => t.pid === MACHINE_PID && t.cpu === cpu && (t.vm === undefined || t.vcpu === vcpu)) ??
      all.find((t) => t.cpu === cpu) ??
      all[0]!
    );
  }
}
