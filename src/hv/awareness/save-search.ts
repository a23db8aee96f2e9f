/**
 * Finds a save area without a replay: hypervisors keep a pointer to the context of the vCPU in a SAVE register, because their
 * exit path has no other register free. Near it are the general registers, in order, with the values that the hardware saw at
 * the exit.
 */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import { csrByName } from '../../emu/cpu/csr-table.ts';
import { hostContext, type VcpuState } from '../../emu/debug/context.ts';
import { walk } from '../../emu/debug/walk.ts';
import { STATE } from '../../emu/memory/layout.ts';
import type { Ram } from '../../emu/memory/ram.ts';
import type { SaveArea } from './save-area.ts';

/** The registers SAVE0 and up, by number. */
const SAVES = Array.from({ length: 8 }, (_, n) => csrByName(`SAVE${n}`)!.num);
const PHYSICAL = (1n << 48n) - 1n;
/** How many bytes before and behind the pointer are looked at. The context of Linux KVM is some KiB into its structure. */
const BEFORE = 0x1000;
const BEHIND = 0x4000;
const GPRS = 32;
/** So many of the registers 1 to 31 must be equal, and so many different values must be among them. */
const EQUAL = 28;
const DIFFERENT = 8;

/** The registers of a vCPU that are at `first`, a number of words: general registers 0 to 31, and often PC behind them. */
function areaAt(pa: number, words: BigUint64Array, first: number, s: VcpuState): SaveArea | undefined {
  let same = 0;
  for (let n = 1; n < GPRS; n++) if (words[first + n] === s.state[(STATE.gpr >> 3) + n]) same++;
  if (same < EQUAL) return undefined;
  const gpr = new Map(Array.from({ length: GPRS - 1 }, (_, n) => [n + 1, pa + 8 * (first + n + 1)] as const));
  const pc = s.state[STATE.pc >> 3]!;
  const behind = words[first + GPRS];
  // The hypervisor may have stepped over the instruction.
  const isPc = behind === pc || behind === pc + 4n;
  return { gpr, pc: isPc ? pa + 8 * (first + GPRS) : undefined, csr: new Map(), host: new Map() };
}

/** Searches the save area of a vCPU that has left `cpu`. @returns undefined when there is none near a SAVE register */
export function searchSaveArea(cpu: Cpu, ram: Ram, s: VcpuState): SaveArea | undefined {
  const own = s.state.subarray((STATE.gpr >> 3) + 1, (STATE.gpr >> 3) + GPRS);
  // Registers that are nearly all 0, as of a guest that has just begun, are everywhere.
  if (new Set(own).size < DIFFERENT) return undefined;
  for (const num of SAVES) {
    const pointer = cpu.host.get(num);
    if (pointer === 0n || (pointer & 7n) !== 0n) continue;
    const { address } = walk(hostContext(cpu), ram, pointer);
    const from = Math.max(0, Number(address ?? pointer & PHYSICAL) - BEFORE);
    const bytes = ram.read(from, BEFORE + BEHIND);
    const words = new BigUint64Array(bytes.buffer, 0, bytes.length >> 3);
    for (let first = 0; first + GPRS < words.length; first++) {
      // Two registers that seldom are equal to others tell quickly.
      if (words[first + 3] !== own[2] || words[first + 2] !== own[1]) continue;
      const area = areaAt(from, words, first, s);
      if (area) return area;
    }
  }
  return undefined;
}
