/**
 * The process that gdb finds when it connects. Until gdb resumes it as the current inferior, gdb takes each stop of it for a part of
 * connecting (infrun.c, `stop_soon`): it shows nothing and waits on, even after Ctrl-C. With `set schedule-multiple on`, a user
 * who attaches to a guest first and continues there would lose the session at the first stop of the host.
 */
import type { Thread, ThreadPattern } from './threads.ts';

export class FirstProcess {
  private pid: number | undefined;
  private begun = false;
  private looked: Thread | undefined;
  /** Its thread was stepped alone, and nothing else has happened since. */
  private steppedAlone = false;

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

  /**
   * gdb resumes. Only where its current thread is certain, its process is heard from now on: a wrong guess would lose the session at the
   * next stop, and otherwise another process reports it. A packet for all processes does not name gdb's thread.
   * @param threads all that gdb has @param named the thread that the packet names first @param alone it moves nothing else
   */
  resumed(thread: Thread, threads: readonly Thread[], named: ThreadPattern | undefined, alone: boolean): void {
    this.steppedAlone = false;
    if (thread.pid !== this.pid) return;
    const is = named?.pid === thread.pid;
    if (threads.every((t) => t.pid === thread.pid) || (is && (named.tid <= 0 || !alone))) this.pid = undefined;
    else this.steppedAlone = is && alone;
  }

  /** gdb steps this thread, and lets the others run: it is its current one. */
  steps(thread: Thread): void {
    if (thread.pid === this.pid) this.pid = undefined;
  }

  /**
   * gdb has shown a stop to the user. So the step before was one that the user has asked for, and not one off a breakpoint, for the sake
   * of another process.
   */
  stopShown(): void {
    if (this.steppedAlone) this.pid = undefined;
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
