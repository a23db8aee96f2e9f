/**
 * gdb's processes and threads: process 1 is the machine with its CPUs as threads, process 2 the host world alone, process
 * 16 + N the VM number N with its vCPUs as threads. A guest with its own port shows one of these as process 1.
 */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { type DebugContext, guestContext, hostContext, runningContext, type VcpuStates } from '../emu/debug/context.ts';
import type { RunControl } from '../emu/debug/run-control.ts';

export const MACHINE_PID = 1;
export const HOST_PID = 2;
export const GUEST_PID_BASE = 16;

export interface Thread {
  readonly pid: number;
  readonly tid: number;
  /** The CPU of the thread; for a vCPU the CPU where it runs or ran last. */
  readonly cpu: Cpu;
  /** Number of the VM when the thread is a vCPU, and number of the vCPU. */
  readonly vm: number | undefined;
  readonly vcpu: number;
  /** The thread shows the host world of its CPU, whatever the CPU executes. */
  readonly host: boolean;
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

/** What a connection shows. A guest's port without a vCPU number shows all of them. */
export type View =
  | { readonly kind: 'machine' }
  | { readonly kind: 'host' }
  | { readonly kind: 'guest'; readonly vm: number; readonly vcpu: number | undefined };

function vcpuThread(pid: number, vm: number, vcpu: number, cpus: readonly Cpu[], vcpuStates: VcpuStates): Thread {
  return {
    pid,
    tid: vcpu + 1,
    vm,
    vcpu,
    host: false,
    // A vCPU can move to another CPU.
    get cpu(): Cpu {
      return cpus[vcpuStates.get(vm, vcpu)?.cpu ?? 0]!;
    },
  };
}

const cpuThreads = (pid: number, cpus: readonly Cpu[], host: boolean): Thread[] =>
  cpus.map((cpu, n) => ({ pid, tid: n + 1, cpu, vm: undefined, vcpu: 0, host }));

/**
 * Threads of a connection in display order.
 * @param attached further processes that the client has attached to. The vCPUs of a guest are added to its set: they stay in
 *   the list when reverse execution goes back to a time before the guest ran, as vCPUs that were not entered
 */
export function listThreads(
  view: View,
  cpus: readonly Cpu[],
  attached: ReadonlyMap<number, Set<number>>,
  vcpuStates: VcpuStates,
): Thread[] {
  const vcpusOf = (vm: number): number[] => vcpuStates.vcpus().flatMap((s) => (s.vm === vm ? [s.vcpu] : []));
  if (view.kind === 'guest') {
    const known = vcpusOf(view.vm);
    // gdb needs at least one thread, so a guest that has not run yet has one vCPU whose registers are 0.
    const shown = view.vcpu !== undefined ? [view.vcpu] : known.length ? known : [0];
    return shown.map((v) => vcpuThread(MACHINE_PID, view.vm, v, cpus, vcpuStates));
  }
  const out = cpuThreads(MACHINE_PID, cpus, view.kind === 'host');
  if (attached.has(HOST_PID)) out.push(...cpuThreads(HOST_PID, cpus, true));
  for (const [pid, listed] of attached) {
    if (pid < GUEST_PID_BASE) continue;
    const vm = pid - GUEST_PID_BASE;
    for (const v of vcpusOf(vm)) listed.add(v);
    for (const v of [...listed].sort((x, y) => x - y)) out.push(vcpuThread(pid, vm, v, cpus, vcpuStates));
  }
  return out;
}

/** Registers and memory of a thread. A guest that never ran reads as zeros. */
export function contextOf(t: Thread, control: RunControl): DebugContext {
  if (t.host) return hostContext(t.cpu, t.cpu.vm ? control.contexts?.host(t.cpu) : undefined);
  if (t.vm === undefined) return runningContext(t.cpu, control.vcpuStates);
  return (
    guestContext(control.machine.cpus, t.vm, t.vcpu, control.vcpuStates, control.contexts) ?? {
      cpu: t.cpu,
      world: t.vm,
      gid: control.vcpuStates.vms.get(t.vm)?.gid ?? 0,
      vcpu: t.vcpu,
      live: false,
      pc: () => 0n,
      gpr: () => 0n,
      word: () => 0n,
      csr: () => 0n,
      stage2Root: () => undefined,
      lastTranslation: () => undefined,
    }
  );
}

/** `host` or `VM 1`, with the state of the CPU. */
function cpuText(cpu: Cpu, control: RunControl): string {
  const state = cpu.idle ? ' idle' : cpu.parked ? ' parked' : '';
  const between = !cpu.vm && control.contexts?.inTransition(cpu) ? ' in transition' : '';
  return `${cpu.vm ? `VM ${cpu.world}` : 'host'} PLV${cpu.plv}${state}${between}`;
}

/** What `info threads` shows in brackets. */
export function threadText(t: Thread, control: RunControl): string {
  const { cpu } = t;
  if (t.host && cpu.vm) {
    const since = cpu.events.lastEntry()?.time;
    return `host, in VM ${cpu.world}${since === undefined ? '' : ` since tick ${since}`}`;
  }
  if (t.vm === undefined) return cpuText(cpu, control);
  const s = control.vcpuStates.get(t.vm, t.vcpu);
  if (!s) return `VM ${t.vm} not entered yet`;
  if (s.running) return `VM ${t.vm} on cpu${cpu.index}`;
  const saved = control.contexts?.vcpu(t.vm, t.vcpu);
  const between = control.contexts?.isExchanged(s) ? ', the hypervisor is saving or loading registers' : '';
  const vm = control.vcpuStates.vms.get(t.vm);
  const ended = vm && control.vcpuStates.hasEnded(vm) ? ' ended,' : '';
  return `VM ${t.vm}${ended} parked, last on cpu${cpu.index}${saved ? `, registers from ${saved.source}` : between}`;
}
