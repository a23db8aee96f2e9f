/**
 * A digest of the architectural state of a machine: registers, CSRs, TLBs, timers, RAM, instruction counts. Two engines that
 * execute the same program have the same digest at the same instruction. Linear addresses, scratch slots and caches are not
 * part of it.
 */

import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import { CSR_LIMIT, STATE } from '../memory/layout.ts';
import type { Tlb } from '../tlb/tlb.ts';

/** FNV-1a over 32-bit words, in two lanes. */
class Digest {
  private a = 0x811c9dc5;
  private b = 0xcbf29ce4;

  words(data: Uint32Array): this {
    let { a, b } = this;
    for (let n = 0; n < data.length; n++) {
      const w = data[n]!;
      a = Math.imul(a ^ w, 0x01000193);
      b = Math.imul(b ^ ((w << 16) | (w >>> 16)), 0x01000193);
    }
    this.a = a;
    this.b = b;
    return this;
  }

  numbers(...values: number[]): this {
    return this.words(new Uint32Array(Float64Array.from(values).buffer));
  }

  get text(): string {
    const hex = (x: number): string => (x >>> 0).toString(16).padStart(8, '0');
    return hex(this.a) + hex(this.b);
  }
}

/** Parts of the state page by name: offset and bytes. */
const PARTS = {
  registers: [STATE.gpr, 256],
  pc: [STATE.pc, 8],
  'LL bit': [STATE.llBit, 4],
  mode: [STATE.mode, 4],
  'floating-point and vector registers': [STATE.fpr, 1024],
  fcsr: [STATE.fcsr, 4],
  'condition flags': [STATE.fcc, 8],
  'binary translation registers': [STATE.scr, 0x30],
  'host CSRs': [STATE.hostCsr, 8 * CSR_LIMIT],
  'guest CSRs': [STATE.guestCsr, 8 * CSR_LIMIT],
} as const;

function tlbDigest(tlb: Tlb): string {
  const d = new Digest();
  for (const e of tlb.entries())
    d.numbers(
      e.index,
      e.vppn,
      e.ps,
      e.gid,
      e.asid,
      Number(e.global),
      ...e.elo.flatMap((x) => [Number(x >> 32n), Number(x & 0xffffffffn)]),
    );
  return d.text;
}

function cpuDigests(machine: Machine, cpu: Cpu): [string, string][] {
  const { u32 } = machine.mem;
  const parts = Object.entries(PARTS).map(([name, [offset, size]]): [string, string] => {
    const first = (cpu.base + offset) >> 2;
    return [name, new Digest().words(u32.subarray(first, first + (size >> 2))).text];
  });
  return [
    ...parts,
    ['instruction counts', new Digest().numbers(cpu.icount, cpu.guestIcount).text],
    ['timers', new Digest().numbers(cpu.hostTimer.deadline, cpu.guestTimer.deadline).text],
    ['host-type TLB', tlbDigest(cpu.htlb)],
    ['guest-type TLB', tlbDigest(cpu.gtlb)],
    ['exceptions', new Digest().numbers(cpu.events.total, ...cpu.events.hostExceptions, ...cpu.events.exits).text],
  ];
}

/** Digests of the parts of a machine, by the name of the part. */
export function stateDigest(machine: Machine): ReadonlyMap<string, string> {
  const out = new Map<string, string>();
  for (const cpu of machine.cpus)
    for (const [name, digest] of cpuDigests(machine, cpu)) out.set(`${name} of cpu${cpu.index}`, digest);
  const ram = new Digest();
  for (const [pa, content] of machine.ram.touchedChunks()) {
    const words = new Uint32Array(content.buffer, content.byteOffset, content.length >> 2);
    // Untouched RAM is zero. A chunk may be touched in only one of the machines.
    if (words.some((w) => w !== 0)) ram.numbers(pa).words(words);
  }
  out.set('RAM', ram.text);
  return out;
}

/** The parts that differ between two machines. */
export function differences(a: Machine, b: Machine): string[] {
  const of = stateDigest(b);
  return [...stateDigest(a)].flatMap(([name, digest]) => (of.get(name) === digest ? [] : [name]));
}

/** A short digest of what the CPUs have in their registers, and of how far they are; it takes little time. */
export function registersDigest({ mem, cpus }: Machine): string {
  const d = new Digest();
  for (const cpu of cpus) {
    d.numbers(cpu.icount, cpu.guestIcount);
    for (const [offset, size] of Object.values(PARTS)) {
      const first = (cpu.base + offset) >> 2;
      d.words(mem.u32.subarray(first, first + (size >> 2)));
    }
  }
  return d.text;
}
