/**
 * Where a hypervisor keeps its vCPUs' registers, learned from its own code: the instructions behind a VM exit run again,
 * and what they store tells the place of each register. This needs no symbols and no knowledge of the hypervisor.
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

/** Instructions behind an exit within which registers are saved. */
const REACH = 800;
/** General registers that must have been found for a save area to be believed. */
const ENOUGH = 24;
const GPRS = 32;

/** Physical addresses of saved registers. */
export interface SaveArea {
  readonly gpr: ReadonlyMap<number, number>;
  readonly pc: number | undefined;
  readonly csr: ReadonlyMap<number, number>;
  /** Places from which the exit path loaded the host's registers; `ra` among them is where it went on. */
  readonly host: ReadonlyMap<number, number>;
}

/** What a host register holds while the exit path runs: a guest's general register, or a CSR that it has read. */
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
  /** Host CSRs that hold a guest's register for a while. */
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
        // Whatever else has a destination makes something new of it; stores and branches have none.
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
    // The first load into a register that still holds the guest's value brings the host's back.
    if (at !== undefined && CALLEE_SAVED.has(rd) && tag?.kind === 'gpr' && this.gpr.has(rd) && !this.host.has(rd))
      this.host.set(rd, at);
    this.tags[rd] = undefined;
  }
}

/**
 * Learns the save area of a vCPU from its last exit, by running what came behind it again.
 * @returns undefined when the past is not kept, or too few registers were saved there
 */
export function learnSaveArea(control: RunControl, s: VcpuState): SaveArea | undefined {
  const { history } = control;
  if (!history.enabled || s.position < history.beginning) return undefined;
  const cpu = control.machine.cpus[s.cpu]!;
  const now = history.position;
  const follower = new Follower(cpu, control.machine);
  let left = false;
  control.replayer.replayEach(s.position + 1, Math.min(now, s.position + REACH), (c) => {
    if (c !== cpu || left) return;
    if (cpu.world === HOST_WORLD) follower.instruction();
    else left = true;
  });
  control.replayer.goto(now);
  if (follower.gpr.size < ENOUGH) return undefined;
  return follower;
}
