/**
 * The process that gdb finds when it connects. Until gdb resumes it as the current inferior, gdb takes each stop of it for a part of
 * connecting (infrun.c, `stop_soon`): it shows nothing and waits on, even after Ctrl-C. With `set schedule-multiple on`, a user
 * who attaches to a guest first and continues there would lose the session at the first stop of the host.
 */
import type { Thread } from './threads.ts';

export class FirstProcess {
  private pid: number | undefined;
  private begun = false;
  private looked: Thread | undefined;

  /** gdb has asked for the stop that it finds when it connects. */
  found(thread: Thread): void {
    if (!this.begun) this.pid = thread.pid;
    this.begun = true;
  }

  /**
   * gdb was shown a stop of a thread, or has attached to it, or has read its memory. It selects threads for other reasons, too: for
   * breakpoints, and it reads the registers of all threads that it is about to resume. A step of one thread alone may be a step
   * off a breakpoint, made for the resume of another one.
   */
  looksAt(thread: Thread): void {
    this.looked = thread;
  }

  /** gdb's current thread, as far as its packets show it. @param selected the thread of its last `Hg` */
  currentOf(selected: Thread, threads: readonly Thread[]): Thread {
    const { looked } = this;
    return threads.find((t) => t.pid === looked?.pid && t.tid === looked.tid) ?? selected;
  }

  /** gdb has resumed, and this is its current thread. */
  resumed(thread: Thread): void {
    if (thread.pid === this.pid) this.pid = undefined;
  }

  /** gdb has attached to a process. */
  attached(pid: number): void {
    if (pid === this.pid) this.pid = undefined;
  }

  /** gdb shows stops of every process. */
  heard(): void {
    this.pid = undefined;
  }

  /** Does gdb wait on when a thread reports a stop? */
  isSilent(thread: Thread): boolean {
    return thread.pid === this.pid;
  }
}
