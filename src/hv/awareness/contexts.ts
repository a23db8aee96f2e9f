/** Reads the contexts in which a hypervisor keeps the registers of its vCPUs, where a descriptor says how they look. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { csrByName } from '../../emu/cpu/csr-table.ts';
import { hostContext, type SavedRegisters, type VcpuState } from '../../emu/debug/context.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { walk } from '../../emu/debug/walk.ts';
import { u64At } from '../../emu/formats/little-endian.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { STATE } from '../../emu/memory/layout.ts';
import type { Block, Contexts, Descriptor, ImageSymbols, Place } from './descriptor.ts';

const PHYSICAL = (1n << 48n) - 1n;
const SP = GPR_NAMES.indexOf('sp');
const WORD = 8;

/** Offsets, each from the address that the one before leads to. */
type Steps = readonly bigint[];

/** Registers in memory: places by number. */
interface Registers {
  readonly at: Steps;
  readonly slots: ReadonlyMap<number, number>;
  readonly sp: number | undefined;
}

const stepsOf = (place: Place): Steps =>
  `${place}`.split('->').map((part) => (part.startsWith('-') ? -BigInt(part.slice(1)) : BigInt(part)));

type Numbered = (name: string) => number | undefined;
const gprNumber: Numbered = (name) => {
  const n = (GPR_NAMES as readonly string[]).indexOf(name);
  return n < 0 ? undefined : n;
};
const csrNumber: Numbered = (name) => csrByName(name)?.num;

function registersOf(block: Block, number: Numbered): Registers {
  if (typeof block !== 'object')
    return { at: stepsOf(block), slots: new Map(GPR_NAMES.map((_, n) => [n, n] as const).slice(1)), sp: undefined };
  const { at, registers, numbered, sp } = block;
  const named = Array.isArray(registers) ? (registers as readonly (string | null)[]) : (numbered ?? []);
  const slots = new Map<number, number>();
  for (const [slot, name] of named.entries()) {
    const n = name === null ? undefined : number(name);
    if (n !== undefined) slots.set(n, numbered ? n : slot);
  }
  return { at: stepsOf(at), slots, sp };
}

/** Are most registers of a saved context equal to those at the exit? Otherwise the copy is from another time. */
export function agrees(saved: SavedRegisters, s: VcpuState): boolean {
  let same = 0;
  for (const [n, v] of saved.gpr) if (v === s.state[(STATE.gpr >> 3) + n]) same++;
  return same >= (saved.gpr.size * 3) / 4;
}

export class SavedContexts {
  private readonly control: RunControl;
  private readonly symbols: ImageSymbols;
  private readonly contexts: Contexts;
  private readonly source: string;
  private readonly gpr: Registers;
  private readonly csr: Registers | undefined;
  private readonly hosts: Registers | undefined;
  private readonly pc: Steps | undefined;
  private readonly gid: Steps | undefined;

  /** @param descriptor with places that are numbers */
  constructor(control: RunControl, symbols: ImageSymbols, descriptor: Descriptor & { readonly contexts: Contexts }) {
    this.control = control;
    this.symbols = symbols;
    const { contexts } = descriptor;
    this.contexts = contexts;
    const { name } = descriptor;
    // A description has an article, a name has none.
    this.source = `${/^[a-z]+ /.test(name) ? 'the ' : ''}${name}'s context`;
    this.gpr = registersOf(contexts.gpr, gprNumber);
    this.csr = contexts.csr === undefined ? undefined : registersOf(contexts.csr, csrNumber);
    this.hosts = contexts.host === undefined ? undefined : registersOf(contexts.host, gprNumber);
    this.pc = contexts.pc === undefined ? undefined : stepsOf(contexts.pc);
    this.gid = contexts.gid === undefined ? undefined : stepsOf(contexts.gid);
  }

  /** Physical address of the general registers of a vCPU, with which its context begins in most hypervisors. */
  physical(s: VcpuState): number | undefined {
    const base = this.at(s);
    const first = base === undefined ? undefined : this.follow(this.cpuOf(s), base, this.gpr.at);
    return first === undefined ? undefined : this.translated(this.cpuOf(s), first);
  }

  /** The registers in the context of a vCPU. */
  registers(s: VcpuState): SavedRegisters | undefined {
    const base = this.at(s);
    return base === undefined ? undefined : this.readAt(base, s);
  }

  /** The registers that the host gets back when a vCPU leaves. */
  host(s: VcpuState): SavedRegisters | undefined {
    const base = this.at(s);
    if (base === undefined || !this.hosts) return undefined;
    const cpu = this.cpuOf(s);
    const first = this.follow(cpu, base, this.hosts.at);
    if (first === undefined) return undefined;
    const gpr = this.valuesFrom(cpu, first, this.hosts);
    if (this.hosts.sp !== undefined) gpr.set(SP, first + BigInt(this.hosts.sp));
    const pc = gpr.get(1);
    return { source: this.source, ...(pc !== undefined && { pc }), gpr, csr: new Map() };
  }

  private cpuOf(s: VcpuState): Cpu {
    return this.control.machine.cpus[s.cpu]!;
  }

  /** Address of the context of a vCPU, in the host. */
  private at(s: VcpuState): bigint | undefined {
    const { pointer } = this.contexts;
    if (pointer === undefined) return this.inArray(s);
    const address = s.saves[csrByName(pointer)!.num - csrByName('SAVE0')!.num];
    return address === 0n ? undefined : address;
  }

  /** By the GID in the contexts, the vCPUs of a VM in their order; without one, by the registers at the exit. */
  private inArray(s: VcpuState): bigint | undefined {
    let index = 0;
    for (const base of this.list(this.cpuOf(s))) {
      if (this.gid) {
        const gid = this.value(this.cpuOf(s), base, this.gid);
        if (gid === BigInt(s.gid) && index++ === s.vcpu) return base;
        continue;
      }
      if (s.ecode >= 0 && agrees(this.readAt(base, s), s)) return base;
    }
    return undefined;
  }

  private *list(cpu: Cpu): Generator<bigint> {
    const { pointers, objects, most = 0, stride = 0 } = this.contexts;
    const array = this.symbols.address((pointers ?? objects)!);
    if (array === undefined) return;
    for (let n = 0; n < most; n++) {
      if (objects !== undefined) yield array + BigInt(n * stride);
      else {
        const to = this.word(cpu, array + BigInt(n * WORD));
        if (to !== 0n) yield to;
      }
    }
  }

  private readAt(base: bigint, s: VcpuState): SavedRegisters {
    const cpu = this.cpuOf(s);
    const read = (registers: Registers | undefined): Map<number, bigint> => {
      const first = registers && this.follow(cpu, base, registers.at);
      return first === undefined ? new Map() : this.valuesFrom(cpu, first, registers!);
    };
    // Until another vCPU uses the hardware bank, the copy in memory is older than the hardware bank.
    const taken = this.control.vcpuStates.vcpus().some((v) => v !== s && v.cpu === s.cpu && v.time > s.time);
    const pc = this.pc && this.value(cpu, base, this.pc);
    return {
      source: this.source,
      ...(pc !== undefined && { pc }),
      gpr: read(this.gpr),
      csr: taken ? read(this.csr) : new Map(),
    };
  }

  private valuesFrom(cpu: Cpu, first: bigint, { slots }: Registers): Map<number, bigint> {
    return new Map([...slots].map(([n, slot]) => [n, this.word(cpu, first + BigInt(WORD * slot))]));
  }

  private value(cpu: Cpu, base: bigint, steps: Steps): bigint | undefined {
    const at = this.follow(cpu, base, steps);
    return at === undefined ? undefined : this.word(cpu, at);
  }

  /** The address that steps lead to; undefined at a null pointer. */
  private follow(cpu: Cpu, base: bigint, steps: Steps): bigint | undefined {
    let at = base;
    for (const [n, step] of steps.entries()) {
      if (n > 0) at = this.word(cpu, at);
      if (at === 0n) return undefined;
      at = BigInt.asUintN(64, at + step);
    }
    return at;
  }

  private word(cpu: Cpu, va: bigint): bigint {
    return u64At(this.control.machine.ram.read(this.translated(cpu, va), WORD)) ?? 0n;
  }

  /** Physical address of data of the host. Where a CPU has no translation now, the low bits are it, as in most kernels' maps. */
  private translated(cpu: Cpu, va: bigint): number {
    return Number(walk(hostContext(cpu), this.control.machine.ram, va).address ?? va & PHYSICAL);
  }
}
