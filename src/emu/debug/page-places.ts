/** Where pages lead, remembered: for what looks at the same few pages again and again. */
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { Machine } from '../machine/machine.ts';
import { runningContext, type VcpuStates } from './context.ts';
import { physicalAddress } from './walk.ts';

const PAGE_BITS = 12;
const PAGE = 1 << PAGE_BITS;

/** Where a virtual page leads. */
interface Place {
  /** Physical address of the page; undefined: it is not mapped. */
  readonly pa: number | undefined;
  readonly isRam: boolean;
}

export class PagePlaces {
  private readonly machine: Machine;
  private readonly vcpuStates: VcpuStates;
  /** By the numbers of the pages, for one CPU in one world, mode and address space. */
  private readonly places = new Map<number, Place>();
  private cpu: Cpu | undefined;
  private world = 0;
  private crmd = 0;
  private asid = 0;

  constructor({ machine, vcpuStates }: { readonly machine: Machine; readonly vcpuStates: VcpuStates }) {
    this.machine = machine;
    this.vcpuStates = vcpuStates;
  }

  /** Where the page of an address leads, as the two halves of the address, in what a CPU runs now. A mapping that changes later is not seen. */
  of(cpu: Cpu, lo: number, hi: number): Place {
    const { world, csr } = cpu;
    const [crmd, asid] = [csr.lo(CSR.CRMD), csr.lo(CSR.ASID)];
    if (cpu !== this.cpu || world !== this.world || crmd !== this.crmd || asid !== this.asid) {
      Object.assign(this, { cpu, world, crmd, asid });
      this.places.clear();
    }
    const page = (hi >>> 0) * 2 ** (32 - PAGE_BITS) + (lo >>> PAGE_BITS);
    const known = this.places.get(page);
    if (known) return known;
    const { ram } = this.machine;
    const va = (BigInt(hi >>> 0) << 32n) | BigInt((lo & -PAGE) >>> 0);
    const pa = physicalAddress(runningContext(cpu, this.vcpuStates), ram, va);
    const place = { pa, isRam: pa !== undefined && ram.has(pa) };
    // A page that is mapped later leads elsewhere.
    if (pa !== undefined) this.places.set(page, place);
    return place;
  }
}
