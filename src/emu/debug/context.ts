/**
 * The view of a debugger: one world on one CPU, running or parked. Reading changes nothing in the machine.
 */

import type { Cpu } from '../cpu/cpu.ts';
import { peekCsr } from '../cpu/csr-access.ts';
import { CPUID } from '../cpu/csr-fields.ts';
import { CSR, csrByName, csrByNumber, fieldNamed } from '../cpu/csr-table.ts';
import { STATE } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';
import type { Steps } from '../runtime/steps.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { isEvery, isMapOfNames, isNumber, isObjectWith, isOptional, isSwitch, isText } from '../state/state-check.ts';
import { type LastTranslation, LastTranslations } from './last-translations.ts';
import { type Vm, Vms } from './vms.ts';

/** Host world. Guests have the number of their VM (vms.ts), 1 and up. */
export const HOST_WORLD = -1;

export interface DebugContext {
  readonly cpu: Cpu;
  readonly world: number;
  /** The GID that tags its TLB entries; 0: the host. */
  readonly gid: number;
  /** Number of the vCPU in its VM; 0 for the host. */
  readonly vcpu: number;
  /** False when the registers are those of a parked vCPU: then nothing can be written. */
  readonly live: boolean;
  pc(): bigint;
  gpr(n: number): bigint;
  /** 64-bit word at a byte offset of the CPU's state page (STATE): floating point, vectors, condition flags, LBT. */
  word(offset: number): bigint;
  /** CSR of this world. */
  csr(num: number): bigint;
  /** Physical address of the stage-2 table of a guest, when it is known. */
  stage2Root(): bigint | undefined;
  /** The last valid translation of a GPA that was seen in its VM. */
  lastTranslation(gpa: number): LastTranslation | undefined;
}

/** Floating-point condition flag `n` of a context. */
export const fccOf = (ctx: DebugContext, n: number): boolean =>
  ((ctx.word((STATE.fcc + n) & ~7) >> BigInt(((STATE.fcc + n) & 7) * 8)) & 0xffn) === 1n;

/** Registers that a hypervisor keeps in its memory. Registers that it does not keep are absent. */
export interface SavedRegisters {
  /** Text that says where they come from. */
  readonly source: string;
  readonly pc?: bigint;
  readonly gpr: ReadonlyMap<number, bigint>;
  readonly csr: ReadonlyMap<number, bigint>;
}

/** Knowledge about the data of the hypervisor (src/hv/awareness/awareness.ts). */
export interface ContextSource {
  /** The registers of a parked vCPU; undefined when the copy of the hypervisor is unknown or not complete now. It never takes long. */
  vcpu(vm: number, vcpu: number): SavedRegisters | undefined;
  /** The registers that the host will have when a CPU comes back from its guest. */
  host(cpu: Cpu): SavedRegisters | undefined;
  /**
   * Learns from the past where the hypervisor keeps the registers of vCPUs that are parked now, and comes back to the present.
   * @returns for how many vCPUs this was found
   * @throws Error when the past is not kept
   */
  learning(): Steps<number>;
  /** A text about it, for `monitor context`. */
  describe(): string;
  /** Is this CPU in host code that exchanges the registers of two worlds? */
  inTransition(cpu: Cpu): boolean;
  /** Is it the registers of this vCPU that its CPU exchanges? Those of others are where the hypervisor keeps them. */
  isExchanged(s: VcpuState): boolean;
}

/** Bytes of the state page that a {@link VcpuState} keeps: all registers, from {@link STATE}.gpr to those of LBT. */
const STATE_BYTES = STATE.ftop + 8;
/** SAVE0 to SAVE7. */
const SAVES = 8;
const SAVE0 = csrByName('SAVE0')!.num;
/** A {@link VcpuState} keeps CSRs with numbers below this; the guest bank has no others. */
const CSRS_KEPT = 0x200;

/** The registers of a vCPU at its last VM exit. */
export interface VcpuState {
  readonly vm: number;
  /** The GID at the last entry. */
  gid: number;
  /** Number of the vCPU in its guest: the value of the identity key. */
  readonly vcpu: number;
  /** The CPU that it ran on last, by number, and whether it is there now. */
  cpu: number;
  running: boolean;
  readonly state: BigUint64Array;
  readonly csr: BigUint64Array;
  /** The host's SAVE0 to SAVE7 at that time: hypervisors keep the address of the vCPU there. */
  readonly saves: BigUint64Array;
  /** Tick, and instruction count of the machine, of the exit. */
  time: number;
  position: number;
  /** Ecode of the exit; −1 before the first one. */
  ecode: number;
  entries: number;
}

const isWords =
  (bytes: number) =>
  (v: unknown): boolean =>
    v instanceof BigUint64Array && v.byteLength === bytes;

const isVcpuState = isObjectWith({
  ...{ vm: isNumber, gid: isNumber, vcpu: isNumber, cpu: isNumber, running: isSwitch },
  ...{ state: isWords(STATE_BYTES), csr: isWords(8 * CSRS_KEPT), saves: isWords(8 * SAVES) },
  ...{ time: isNumber, position: isNumber, ecode: isNumber, entries: isNumber },
});

/** Where the number of a vCPU is found when its guest is entered. */
export interface VcpuKey {
  readonly kind: 'csr' | 'gcsr' | 'gpr';
  readonly num: number;
}

/** Most vCPUs that are kept. A faulty hypervisor may use ever new vCPU numbers. */
const MOST_VCPUS = 1024;

/**
 * Keeps the registers of parked vCPUs, which are copied at every VM exit. An identity key distinguishes vCPUs. It is G.CPUID by default, where hypervisors give each vCPU its own number.
 */
export class VcpuStates implements Stateful {
  readonly stateFields = ['byKey', 'current'];
  readonly stateChecks = { byKey: isMapOfNames(isVcpuState), current: isEvery(isOptional(isText)) };
  static readonly wiring: Wiring = {
    key: 'chosen by the user',
    position: 'run control',
    vms: 'saved beside it',
    translations: 'saved beside it',
  };
  private readonly byKey = new Map<string, VcpuState>();
  /** Key of the vCPU in each CPU, '' for none. */
  private readonly current: string[] = [];
  readonly vms: Vms;
  readonly translations = new LastTranslations();
  key: VcpuKey = { kind: 'gcsr', num: CSR.CPUID };
  /** Instruction count of the whole machine; run control sets this function. */
  position: () => number = () => 0;

  constructor(ram: Ram) {
    this.vms = new Vms(ram);
  }

  /** Number of the vCPU that a CPU has just entered. */
  private identify(cpu: Cpu): number {
    const { kind, num } = this.key;
    const value =
      kind === 'gpr'
        ? cpu.gpr(num)
        : (kind === 'csr' ? cpu.host : cpu.guest).get(num) & (num === CSR.CPUID ? BigInt(CPUID.CoreID) : ~0n);
    return Number(BigInt.asUintN(31, value));
  }

  /** Call before the CPU leaves guest mode. */
  exit(cpu: Cpu, ecode: number): void {
    const s = this.byKey.get(this.current[cpu.index] ?? '');
    if (!s) return;
    this.take(s, cpu);
    s.running = false;
    s.ecode = ecode;
    this.current[cpu.index] = '';
  }

  private take(s: VcpuState, cpu: Cpu): void {
    const { u64 } = cpu.mem;
    const at = cpu.base >> 3;
    const bank = (cpu.base + STATE.guestCsr) >> 3;
    s.state.set(u64.subarray(at, at + STATE_BYTES / 8));
    s.csr.set(u64.subarray(bank, bank + CSRS_KEPT));
    const saves = ((cpu.base + STATE.hostCsr) >> 3) + SAVE0;
    s.saves.set(u64.subarray(saves, saves + SAVES));
    s.time = cpu.now;
    s.position = this.position();
  }

  /** Call when the CPU has entered guest mode. @returns whether this VM had never been entered before */
  enter(cpu: Cpu): boolean {
    let vcpu = this.identify(cpu);
    const entered = this.vms.enter(cpu);
    const vm = entered.vm.number;
    let key = `${vm}.${vcpu}`;
    // Two CPUs run the same vCPU: the hypervisor does not number its vCPUs. Then the CPU number distinguishes them.
    if (this.byKey.get(key)?.running) {
      vcpu = 0x1000 * (cpu.index + 1) + vcpu;
      key = `${vm}.${vcpu}`;
    }
    let s = this.byKey.get(key);
    if (!s) {
      if (this.byKey.size >= MOST_VCPUS) this.forgetOldest();
      const [state, csr] = [new BigUint64Array(STATE_BYTES / 8), new BigUint64Array(CSRS_KEPT)];
      s = {
        vm,
        gid: cpu.gid,
        vcpu,
        cpu: cpu.index,
        running: true,
        state,
        csr,
        saves: new BigUint64Array(SAVES),
        time: 0,
        position: 0,
        ecode: -1,
        entries: 0,
      };
      this.byKey.set(key, s);
      this.take(s, cpu);
    }
    s.gid = cpu.gid;
    s.cpu = cpu.index;
    s.running = true;
    s.entries++;
    this.current[cpu.index] = key;
    return entered.first;
  }

  /** Makes room: removes the vCPU with the oldest exit. */
  private forgetOldest(): void {
    let oldest: readonly [key: string, time: number] | undefined;
    for (const [key, s] of this.byKey)
      if (!s.running && s.time < (oldest?.[1] ?? Number.POSITIVE_INFINITY)) oldest = [key, s.time];
    if (oldest) this.byKey.delete(oldest[0]);
  }

  get(vm: number, vcpu: number): VcpuState | undefined {
    return this.byKey.get(`${vm}.${vcpu}`);
  }

  /** The vCPU that a CPU executes. */
  on(cpu: Cpu): VcpuState | undefined {
    return cpu.vm ? this.byKey.get(this.current[cpu.index] ?? '') : undefined;
  }

  /** The vCPU that has left a CPU last, while the CPU executes the host. */
  leftLast(cpu: Cpu): VcpuState | undefined {
    let last: VcpuState | undefined;
    for (const s of this.byKey.values()) if (s.cpu === cpu.index && (!last || s.position > last.position)) last = s;
    return cpu.vm ? undefined : last;
  }

  /** A CPU has entered a stage-2 translation into its TLB. */
  filled(cpu: Cpu, gid: number, index: number): void {
    if (cpu.htlb.e[index]) this.translations.note(cpu.events.vmOf(gid, cpu.now), cpu.htlb, index, this.position());
  }

  /** The last valid translation of a GPA in a VM. When its table is another VM's, its memory is used for other things. */
  lastTranslation(vm: number, gpa: number): LastTranslation | undefined {
    return this.vms.get(vm)?.ended ? undefined : this.translations.find(vm, gpa);
  }

  /** Physical address of the stage-2 table of a VM. */
  root(vm: number): bigint | undefined {
    return this.vms.get(vm)?.root;
  }

  /** Every vCPU that has ever been entered, by VM and number. */
  vcpus(): VcpuState[] {
    return [...this.byKey.values()].sort((a, b) => a.vm - b.vm || a.vcpu - b.vcpu);
  }

  /** Has a VM ended, as far as can be seen now? */
  hasEnded(vm: Vm): boolean {
    return this.vms.hasEnded(
      vm,
      this.vcpus().some((s) => s.vm === vm.number && s.running),
    );
  }

  clear(): void {
    this.byKey.clear();
    this.current.length = 0;
    this.vms.clear();
    this.translations.clear();
  }
}

/** The world that a CPU executes now. */
export function runningContext(cpu: Cpu, vcpuStates: VcpuStates): DebugContext {
  const world = cpu.world;
  return {
    cpu,
    world,
    gid: cpu.vm ? cpu.gid : 0,
    vcpu: vcpuStates.on(cpu)?.vcpu ?? 0,
    live: true,
    pc: () => cpu.pc,
    gpr: (n) => cpu.gpr(n),
    word: (offset) => cpu.mem.u64[(cpu.base + offset) >> 3]!,
    csr: (num) => peekCsr(cpu, cpu.vm, num),
    stage2Root: () => (world >= 0 ? cpu.host.get(CSR.PGDL) : vcpuStates.root(cpu.events.vmOf(cpu.gid, cpu.now))),
    lastTranslation: (gpa) => vcpuStates.lastTranslation(world >= 0 ? world : cpu.events.vmOf(cpu.gid, cpu.now), gpa),
  };
}

/**
 * The host world, even when the CPU executes a guest. Then the general registers hold the values of the guest;
 * `saved` has those that the hypervisor will get back, and the others read 0.
 */
export function hostContext(cpu: Cpu, saved?: SavedRegisters): DebugContext {
  const parked = cpu.vm;
  return {
    cpu,
    world: HOST_WORLD,
    gid: 0,
    vcpu: 0,
    live: !parked,
    pc: () => (parked ? (saved?.pc ?? cpu.events.lastEntry()?.va ?? cpu.host.get(CSR.ERA)) : cpu.pc),
    gpr: (n) => (parked ? (saved?.gpr.get(n) ?? 0n) : cpu.gpr(n)),
    word: (offset) => cpu.mem.u64[(cpu.base + offset) >> 3]!,
    csr: (num) => peekCsr(cpu, false, num),
    stage2Root: () => undefined,
    lastTranslation: () => undefined,
  };
}

/** A CSR of a parked vCPU. PGD is computed, as in the hardware register. */
function vcpuCsr(s: VcpuState, num: number, saved: SavedRegisters | undefined): bigint {
  const raw = (n: number): bigint => saved?.csr.get(n) ?? s.csr[n] ?? 0n;
  if (num !== CSR.PGD) return csrByNumber(num) ? raw(num) : 0n;
  const bad = fieldNamed('TLBRERA', 'IsTLBR', raw(CSR.TLBRERA)) ? raw(CSR.TLBRBADV) : raw(CSR.BADV);
  return (bad >> 47n) & 1n ? raw(CSR.PGDH) : raw(CSR.PGDL);
}

/**
 * A vCPU. When it runs now, its registers are live. Otherwise they are its {@link VcpuState}, replaced by the values that the
 * hypervisor keeps, where these are known.
 * @returns undefined when it has never been entered
 */
export function guestContext(
  cpus: readonly Cpu[],
  vm: number,
  vcpu: number,
  vcpuStates: VcpuStates,
  source?: ContextSource,
): DebugContext | undefined {
  const s = vcpuStates.get(vm, vcpu);
  if (!s) return undefined;
  const cpu = cpus[s.cpu]!;
  if (s.running && cpu.vm) return runningContext(cpu, vcpuStates);
  const saved = source?.vcpu(vm, vcpu);
  return {
    cpu,
    world: vm,
    gid: s.gid,
    vcpu,
    live: false,
    pc: () => saved?.pc ?? s.state[STATE.pc >> 3]!,
    gpr: (n) => saved?.gpr.get(n) ?? s.state[(STATE.gpr >> 3) + n]!,
    word: (offset) => s.state[offset >> 3]!,
    csr: (num) => vcpuCsr(s, num, saved),
    stage2Root: () => vcpuStates.root(vm),
    lastTranslation: (gpa) => vcpuStates.lastTranslation(vm, gpa),
  };
}

/** A guest without a {@link VcpuState}, directly after its exit: the guest bank and the registers still hold its values. */
export function leftBehind(cpu: Cpu, vm: number): DebugContext {
  return {
    cpu,
    world: vm,
    gid: cpu.events.gidOf(vm),
    vcpu: 0,
    live: false,
    pc: () => cpu.host.get(CSR.ERA),
    gpr: (n) => cpu.gpr(n),
    word: (offset) => cpu.mem.u64[(cpu.base + offset) >> 3]!,
    csr: (num) => peekCsr(cpu, true, num),
    stage2Root: () => cpu.host.get(CSR.PGDL),
    lastTranslation: () => undefined,
  };
}

/** A VM: the vCPU on `cpu`, otherwise one that runs, otherwise the one that ran last. */
export function anyGuestContext(
  cpus: readonly Cpu[],
  cpu: Cpu,
  vm: number,
  vcpuStates: VcpuStates,
  source?: ContextSource,
): DebugContext | undefined {
  const own = vcpuStates.vcpus().filter((s) => s.vm === vm);
  const best =
    own.find((s) => s.running && s.cpu === cpu.index) ??
    own.find((s) => s.running) ??
    own.reduce<VcpuState | undefined>((a, b) => (a && a.time >= b.time ? a : b), undefined);
  return best && guestContext(cpus, vm, best.vcpu, vcpuStates, source);
}
