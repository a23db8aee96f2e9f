/**
 * gdb's processes and threads: process 1 is the machine with its CPUs as threads, process 16 + GID is a guest with its
 * vCPUs as threads. A guest's own port shows that guest as process 1.
 */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { DebugContext, GuestSnapshots } from '../emu/debug/context.ts';
import { guestContext, runningContext } from '../emu/debug/context.ts';

export const MACHINE_PID = 1;
export const GUEST_PID_BASE = 16;

export interface Thread {
  readonly pid: number;
  readonly tid: number;
  readonly cpu: Cpu;
  /** GID when the thread is a vCPU; undefined when it is a CPU in whatever world it runs. */
  readonly gid: number | undefined;
}

/** `pPID.TID` in hex, as packets write it. */
export const threadId = (t: Thread): string => `p${t.pid.toString(16)}.${t.tid.toString(16)}`;

/** A thread-id of a packet: −1 all, 0 any. Bare TIDs leave the process open. */
export interface ThreadPattern {
  readonly pid: number | undefined;
  readonly tid: number;
}

/** @returns undefined when the text is no thread-id */
export function parseThreadPattern(text: string): ThreadPattern | undefined {
  const m = /^(?:p(-1|[0-9a-f]+)(?:\.(-1|[0-9a-f]+))?|(-1|[0-9a-f]+))$/i.exec(text);
  if (!m) return undefined;
  const number = (s: string): number => (s === '-1' ? -1 : Number.parseInt(s, 16));
  if (m[3] !== undefined) return { pid: undefined, tid: number(m[3]) };
  return { pid: number(m[1]!), tid: m[2] === undefined ? -1 : number(m[2]) };
}

export const matchesThread = (p: ThreadPattern, t: Thread): boolean =>
  (p.pid === undefined || p.pid <= 0 || p.pid === t.pid) && (p.tid <= 0 || p.tid === t.tid);

/** What a connection shows. */
export type View =
  | { readonly kind: 'machine' }
  | { readonly kind: 'guest'; readonly gid: number; readonly vcpu: number };

/** Threads of a connection in display order. `attached`: GIDs that the client has attached to. */
export function listThreads(
  view: View,
  cpus: readonly Cpu[],
  attached: ReadonlySet<number>,
  snapshots: GuestSnapshots,
): Thread[] {
  if (view.kind === 'guest') {
    const known = snapshots.vcpus().filter((v) => v.gid === view.gid);
    const cpu = cpus[known[view.vcpu]?.cpu ?? 0]!;
    return [{ pid: MACHINE_PID, tid: 1, cpu, gid: view.gid }];
  }
  const out: Thread[] = cpus.map((cpu, n) => ({ pid: MACHINE_PID, tid: n + 1, cpu, gid: undefined }));
  for (const gid of attached)
    for (const v of snapshots.vcpus())
      if (v.gid === gid) out.push({ pid: GUEST_PID_BASE + gid, tid: v.cpu + 1, cpu: cpus[v.cpu]!, gid });
  return out;
}

/** Registers and memory of a thread. A guest that never ran reads as zeros. */
export function contextOf(t: Thread, snapshots: GuestSnapshots): DebugContext {
  if (t.gid === undefined) return runningContext(t.cpu, snapshots);
  return (
    guestContext(t.cpu, t.gid, snapshots) ?? {
      cpu: t.cpu,
      world: t.gid,
      live: false,
      pc: () => 0n,
      gpr: () => 0n,
      fcc: () => false,
      csr: () => 0n,
      stage2Root: () => undefined,
    }
  );
}

/** What `info threads` shows in brackets. */
export function threadText(t: Thread, snapshots: GuestSnapshots): string {
  const { cpu } = t;
  if (t.gid === undefined) {
    const state = cpu.idle ? ' idle' : cpu.parked ? ' parked' : '';
    return `${cpu.vm ? `guest gid ${cpu.gid}` : 'host'} PLV${cpu.plv}${state}`;
  }
  if (cpu.vm && cpu.gid === t.gid) return `gid ${t.gid} on cpu${cpu.index}`;
  return snapshots.get(t.gid, cpu.index)
    ? `gid ${t.gid} parked, last on cpu${cpu.index}`
    : `gid ${t.gid} not entered yet`;
}
