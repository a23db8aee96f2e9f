/**
 * Address windows. A tag in bits 63:48 of an address selects another address space than the virtual memory of the thread, so
 * that standard commands (`x`, `print`, `watch`) can reach it. A tag is ignored when a direct mapping window of the world
 * of the thread uses the same segment.
 */

import { peekCsr, pokeCsr } from '../cpu/csr-access.ts';
import { wideMask } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { u64At } from '../formats/little-endian.ts';
import type { Machine } from '../machine/machine.ts';
import type { DebugContext } from './context.ts';
import { readVirtual, writePhysical, writeVirtual } from './debug-memory.ts';
import { walkStage2 } from './walk.ts';

export const WINDOWS = {
  /** Host physical memory. */
  28080: 'physical',
  /** Guest physical memory of the thread's guest. */
  28081: 'gpa',
  /** Host CSRs: 8 bytes a register, at 8 × number. */
  28082: 'csr',
  /** The guest CSR bank, likewise. */
  28083: 'gcsr',
  /** TLB entries, 32 bytes each: VA, ASID | GID << 16 | PS << 24 | exists << 32, TLBELO0, TLBELO1; the guest TLB from 4096 on. */
  28084: 'tlb',
  /** Virtual memory of the guest on the CPU of the thread, from any thread. */
  28085: 'gva',
} as const;
export type WindowSpace = (typeof WINDOWS)[keyof typeof WINDOWS];

export interface Window {
  readonly space: WindowSpace;
  readonly address: bigint;
}

const OFFSET = (1n << 48n) - 1n;
/** A direct mapping window with none of these bits is closed. */
const ANY_PLV =
  wideMask('DMW0', 'PLV0') | wideMask('DMW0', 'PLV1') | wideMask('DMW0', 'PLV2') | wideMask('DMW0', 'PLV3');
const VSEG = wideMask('DMW0', 'VSEG');
const GUEST_TLB = 4096;
const ENTRY_BYTES = 32;

/** The window that an address of a thread lies in, if any. */
export function windowOf(ctx: DebugContext, va: bigint): Window | undefined {
  const tag = Number(va >> 48n);
  if (!(tag in WINDOWS)) return undefined;
  for (let n = 0; n < 4; n++) {
    const dmw = ctx.csr(CSR.DMW0 + n);
    if (dmw & ANY_PLV && ((dmw ^ va) & VSEG) === 0n) return undefined;
  }
  return { space: WINDOWS[tag as keyof typeof WINDOWS], address: va & OFFSET };
}

/** GID of the guest that a window means. */
export const guestOf = (ctx: DebugContext): number => (ctx.world >= 0 ? ctx.gid : ctx.cpu.gid);

const word = (v: bigint): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt.asUintN(64, v)).buffer);

/** The 64-bit word number `n` of a window of registers. */
function registerWord(ctx: DebugContext, w: Window, n: number): bigint {
  const { cpu } = ctx;
  if (w.space === 'csr') return peekCsr(cpu, false, n);
  if (w.space === 'gcsr') return ctx.world >= 0 ? ctx.csr(n) : peekCsr(cpu, true, n);
  const index = Math.floor((n * 8) / ENTRY_BYTES);
  const tlb = index >= GUEST_TLB ? cpu.gtlb : cpu.htlb;
  const i = index % GUEST_TLB;
  if (i >= tlb.e.length) return 0n;
  const e = tlb.view(i);
  const meta = BigInt(e.asid) | (BigInt(e.gid) << 16n) | (BigInt(e.ps) << 24n) | (BigInt(tlb.e[i]!) << 32n);
  return [BigInt(e.vppn) << 13n, meta, ...e.elo][n % 4]!;
}

/** Up to `length` bytes of a window. `guest`: the guest's own context, for its virtual memory. */
export function readWindow(
  machine: Machine,
  ctx: DebugContext,
  guest: DebugContext | undefined,
  w: Window,
  length: number,
): Uint8Array {
  switch (w.space) {
    case 'physical':
      return machine.ram.read(Number(w.address), length);
    case 'gva':
      return guest ? readVirtual(machine, guest, w.address, length) : new Uint8Array(0);
    case 'gpa': {
      const out: number[] = [];
      while (out.length < length) {
        const at = w.address + BigInt(out.length);
        const reached = walkStage2(guest ?? ctx, machine.ram, guestOf(ctx), at);
        const address = reached.address ?? reached.remembered;
        if (address === undefined) break;
        const part = machine.ram.read(Number(address), Math.min(length - out.length, Number(0x1000n - (at & 0xfffn))));
        if (part.length === 0) break;
        out.push(...part);
      }
      return Uint8Array.from(out);
    }
    default: {
      const out = new Uint8Array(length);
      for (let done = 0; done < length; ) {
        const at = Number(w.address) + done;
        const bytes = word(registerWord(ctx, w, at >> 3)).subarray(at & 7);
        const n = Math.min(bytes.length, length - done);
        out.set(bytes.subarray(0, n), done);
        done += n;
      }
      return out;
    }
  }
}

/** Writes through a window: memory, and CSRs as whole registers. @returns false when that cannot be written */
export function writeWindow(
  machine: Machine,
  ctx: DebugContext,
  guest: DebugContext | undefined,
  w: Window,
  data: Uint8Array,
): boolean {
  switch (w.space) {
    case 'physical':
    case 'gpa': {
      for (let done = 0; done < data.length; ) {
        const at = w.address + BigInt(done);
        const pa = w.space === 'physical' ? at : walkStage2(guest ?? ctx, machine.ram, guestOf(ctx), at).address;
        if (pa === undefined || !machine.ram.has(Number(pa))) return false;
        const n = Math.min(data.length - done, Number(0x1000n - (at & 0xfffn)));
        writePhysical(machine, Number(pa), data.subarray(done, done + n));
        done += n;
      }
      return true;
    }
    case 'gva':
      return guest !== undefined && writeVirtual(machine, guest, w.address, data);
    case 'csr':
    case 'gcsr': {
      if (data.length !== 8 || w.address & 7n) return false;
      pokeCsr(ctx.cpu, w.space === 'gcsr', Number(w.address >> 3n), u64At(data)!);
      return true;
    }
    case 'tlb':
      return false;
  }
}
