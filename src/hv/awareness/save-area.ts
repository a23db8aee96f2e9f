/**
 * Finds where a hypervisor keeps the registers of its vCPUs: the instructions after a VM exit are replayed,
 * and their stores show the place of each register. This needs no symbols and no knowledge of the hypervisor.
 */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { CSR } from '../../emu/cpu/csr-table.ts';
import { HOST_WORLD, hostContext, type VcpuState } from '../../emu/debug/context.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { walk } from '../../emu/debug/walk.ts';
import { u32At } from '../../emu/formats/little-endian.ts';
import { decode } from '../../emu/isa/decoder.ts';
import { operandValue } from '../../emu/isa/row.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import type { Steps } from '../../emu/runtime/steps.ts';

/** Number of instructions after an exit in which registers must be saved. */
const REACH = 800;
/** A save area is accepted when at least so many general registers were found. */
const ENOUGH = 24;
const GPRS = 32;

/** Physical addresses of saved registers. */
export interface SaveArea {
  readonly gpr: ReadonlyMap<number, number>;
  readonly pc: number | undefined;
  readonly csr: ReadonlyMap<number, number>;
  /** Places from which the exit path loaded the registers of the host; `ra` is the address where the host went on. */
  readonly host: ReadonlyMap<number, number>;
}

/** The content of a host register in the exit path: a general register of the guest, or the value of a CSR. */
type Tag = { readonly kind: 'gpr' | 'host' | 'guest'; readonly num: number } | undefined;

const CALLEE_SAVED = new Set([1, 2, 3, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31]);

/** Follows the exit path of one exit. */
class Follower {
  readonly gpr = new Map<number, number>();
  readonly csr = new Map<number, number>();
  readonly host = new Map<number, number>();
  pc: number | undefined;
  private readonly cpu: Cpu;
  private readonly machine: Machine;
  private readonly tags: Tag[] = Array.from({ length: GPRS }, (_, num) => ({ kind: 'gpr', num }));
  /** Host CSRs that hold a register of the guest for some time. */
  private readonly scratch = new Map<number, Tag>();

  constructor(cpu: Cpu, machine: Machine) {
    this.cpu = cpu;
    this.machine = machine;
  }

  private place(va: bigint): number | undefined {
    const { address } = walk(hostContext(this.cpu), this.machine.ram, BigInt.asUintN(64, va));
    return address === undefined ? undefined : Number(address);
  }

  /** The instruction at PC is about to run. */
  instruction(): void {
    const { cpu, machine } = this;
    const at = this.place(cpu.pc);
    if (at === undefined) return;
    const word = u32At(machine.ram.read(at, 4));
    const row = word === undefined ? undefined : decode(word);
    if (word === undefined || !row) return;
    const of = (name: 'rd' | 'rj' | 'rk' | 'csr'): number => operandValue(row, word, name);
    const has = (name: 'rd' | 'rj' | 'rk'): boolean => row.operands.includes(name);
    const offset = (name: 'si12' | 'si14'): bigint => BigInt(operandValue(row, word, name));
    switch (row.name) {
      case 'st.d':
        this.stored(of('rd'), cpu.gpr(of('rj')) + offset('si12'));
        return;
      case 'stptr.d':
        this.stored(of('rd'), cpu.gpr(of('rj')) + offset('si14'));
        return;
      case 'stx.d':
        this.stored(of('rd'), cpu.gpr(of('rj')) + cpu.gpr(of('rk')));
        return;
      case 'ld.d':
        this.loaded(of('rd'), cpu.gpr(of('rj')) + offset('si12'));
        return;
      case 'ldptr.d':
        this.loaded(of('rd'), cpu.gpr(of('rj')) + offset('si14'));
        return;
      case 'csrrd':
        this.tags[of('rd')] = this.scratch.get(of('csr')) ?? { kind: 'host', num: of('csr') };
        return;
      case 'gcsrrd':
        this.tags[of('rd')] = { kind: 'guest', num: of('csr') };
        return;
      case 'csrwr': {
        const old = this.scratch.get(of('csr')) ?? { kind: 'host' as const, num: of('csr') };
        this.scratch.set(of('csr'), this.tags[of('rd')]);
        this.tags[of('rd')] = old;
        return;
      }
      case 'or':
        this.tags[of('rd')] = of('rk') === 0 ? this.tags[of('rj')] : undefined;
        return;
      default:
        // Any other instruction with a destination overwrites it. Stores and branches have no destination.
        if (has('rd') && !/^(st|sc|b|am|iocsrwr|fst|vst|xvst)/.test(row.name)) this.tags[of('rd')] = undefined;
    }
  }

  private stored(rd: number, va: bigint): void {
    const tag = this.tags[rd];
    const at = tag && this.place(va);
    if (!tag || at === undefined) return;
    if (tag.kind === 'gpr' && tag.num !== 0) {
      if (!this.gpr.has(tag.num)) this.gpr.set(tag.num, at);
    } else if (tag.kind === 'guest') this.csr.set(tag.num, at);
    else if (tag.kind === 'host' && tag.num === CSR.ERA) this.pc ??= at;
  }

  private loaded(rd: number, va: bigint): void {
    const at = this.place(va);
    const tag = this.tags[rd];
    // The first load into a register that still holds the value of the guest restores the value of the host.
    if (at !== undefined && CALLEE_SAVED.has(rd) && tag?.kind === 'gpr' && this.gpr.has(rd) && !this.host.has(rd))
      this.host.set(rd, at);
    this.tags[rd] = undefined;
  }
}

/**
 * Learns the save area of a vCPU by a replay of the instructions after its last exit. This takes as long as the way from the
 * last copy of the machine before the exit. Afterwards the machine is at some position of its history.
 * @returns undefined when the history is not kept, or when too few registers were saved
 */
export function* learningSaveArea(control: RunControl, s: VcpuState): Steps<SaveArea | undefined> {
  const { history } = control;
  if (!history.enabled || s.position < history.beginning) return undefined;
  const cpu = control.machine.cpus[s.cpu]!;
  const follower = new Follower(cpu, control.machine);
  let left = false;
  yield* control.replayer.replayingEach(cpu, s.position + 1, s.position + REACH, (c) => {
    if (c !== cpu || left) return;
    if (cpu.world === HOST_WORLD) follower.instruction();
    else left = true;
  });
  return follower.gpr.size < ENOUGH ? undefined : follower;
}
