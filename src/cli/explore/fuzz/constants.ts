/** Constants that a hypervisor's code makes: addresses of its devices, numbers of its registers, limits. */
import type { CodeCoverage } from '../../../emu/debug/code-coverage.ts';
import { viewOf } from '../../../emu/formats/little-endian.ts';
import type { Machine } from '../../../emu/machine/machine.ts';

/** `lu12i.w rd, si20` and `ori rd, rd, ui12`: how a constant of 32 bits is made. */
const LU12I = { mask: 0xfe000000, match: 0x14000000 };
const ORI = { mask: 0xffc00000, match: 0x03800000 };
/** They are not far from each other. */
const NEAR = 4;
const PAGE = 4096;
const MOST = 1024;

/** @param coverage what was executed: the pages around it are read @returns hexadecimal */
export function constantsOf(machine: Machine, coverage: CodeCoverage): string[] {
  // What is compared with a range is subtracted first, so the negative counts, too.
  const found = new Set<bigint>();
  const runs = coverage.runs();
  const pages = new Set(runs.filter((_, n) => n % 2 === 0).map((pa) => pa - (pa % PAGE)));
  for (const page of pages) {
    const bytes = machine.ram.read(page, PAGE);
    const view = viewOf(bytes);
    for (let at = 0; at + 4 <= bytes.length; at += 4) {
      const word = view.getUint32(at, true);
      if ((word & LU12I.mask) !== LU12I.match) continue;
      const high = BigInt((word << 7) & 0xfffff000);
      const add = (value: bigint): void => void found.add(value).add(-value);
      add(high);
      for (let n = 1; n <= NEAR && at + 4 * n + 4 <= bytes.length; n++) {
        const next = view.getUint32(at + 4 * n, true);
        if ((next & ORI.mask) === ORI.match && (next & 31) === (word & 31)) add(high | BigInt((next >>> 10) & 0xfff));
      }
      if (found.size >= MOST) return [...found].map(text);
    }
  }
  return [...found].map(text);
}

const text = (value: bigint): string => BigInt.asUintN(64, value).toString(16);
