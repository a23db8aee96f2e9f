/**
 * Watchpoints of the architecture (Vol. 1, section 7.9): fetch watchpoints (FWP) and load/store watchpoints (MWP), which
 * raise WPEF and WPEM before the instruction while CRMD.WE is set, only in the host (docs/lvz.md Q20).
 */
import type { CsrBank } from './csr-bank.ts';
import { CRMD, fieldOf, MWPCFG3, MWPCFG4, MWPS } from './csr-fields.ts';
import { CSR, WATCHPOINTS } from './csr-table.ts';

/** Registers of one watchpoint: address, mask, control, ASID. */
const STRIDE = 8;
const ADDRESS = 0;
const MASK = 1;
const CONTROL = 2;
const ASID = 3;
/** A watchpoint with none of these control bits is never hit. */
const ANY_PLV = MWPCFG3.PLV0 | MWPCFG3.PLV1 | MWPCFG3.PLV2 | MWPCFG3.PLV3;
/** A status register has a bit for each watchpoint, and the Skip bit, which lets one hit pass. */
const SKIP = MWPS.Skip;

export class Watchpoints {
  private readonly bank: CsrBank;
  /** Watched fetch positions by page, for the running context. The set object stays the same while nothing changes. */
  private readonly pages = new Map<string, ReadonlySet<number> | undefined>();
  private any = false;
  private on = false;
  private plv = 0;
  private asid = 0;

  constructor(bank: CsrBank) {
    this.bank = bank;
  }

  /** Registers have changed. */
  changed(): void {
    this.pages.clear();
    this.any = false;
    for (const first of [CSR.MWP0CFG1, CSR.FWP0CFG1])
      for (let n = 0; n < WATCHPOINTS; n++) if (this.bank.lo(first + n * STRIDE + CONTROL) & ANY_PLV) this.any = true;
  }

  /** Sets the context of the host. @returns whether watchpoints can hit in it */
  select(crmd: number, asid: number): boolean {
    this.on = this.any && (crmd & CRMD.WE) !== 0;
    if (this.on && (this.plv !== (crmd & CRMD.PLV) || this.asid !== asid)) {
      this.plv = crmd & CRMD.PLV;
      this.asid = asid;
      this.pages.clear();
    }
    return this.on;
  }

  /** Is any watchpoint register set up? */
  get inUse(): boolean {
    return this.any;
  }

  /** Are watchpoints active now, in the running world? `guest`: it is a guest. */
  active(guest: boolean): boolean {
    return this.on && !guest;
  }

  private enabled(at: number): boolean {
    const control = this.bank.lo(at + CONTROL);
    if (!(control & (MWPCFG3.PLV0 << this.plv))) return false;
    return !(control & MWPCFG3.LCL) || (this.bank.lo(at + ASID) & MWPCFG4.ASID) === this.asid;
  }

  /** Does an address match the watchpoint registers at `at`? The bits of `ignore` and those of the mask are not compared. */
  private meets(at: number, lo: number, hi: number, ignore: number): boolean {
    const { bank } = this;
    const differLo = (lo ^ bank.lo(at + ADDRESS)) & ~bank.lo(at + MASK) & ~ignore;
    return differLo === 0 && ((hi ^ bank.hi(at + ADDRESS)) & ~bank.hi(at + MASK)) === 0;
  }

  /** Positions (0..1023) of fetch watchpoints in the page of an address, or undefined when there are none. */
  inPage(lo: number, hi: number): ReadonlySet<number> | undefined {
    const key = `${hi}:${lo >>> 12}`;
    if (this.pages.has(key)) return this.pages.get(key);
    const set = new Set<number>();
    for (let n = 0; n < WATCHPOINTS; n++) {
      const at = CSR.FWP0CFG1 + n * STRIDE;
      if (!this.enabled(at)) continue;
      for (let i = 0; i < 1024; i++) if (this.meets(at, (lo & ~0xfff) | (i * 4), hi, 0)) set.add(i);
    }
    const found = set.size ? set : undefined;
    this.pages.set(key, found);
    return found;
  }

  /** May accesses to the page of an address meet a load/store watchpoint? */
  watchesPage(lo: number, hi: number): boolean {
    for (let n = 0; n < WATCHPOINTS; n++) {
      const at = CSR.MWP0CFG1 + n * STRIDE;
      if (this.enabled(at) && this.meets(at, lo, hi, 0xfff)) return true;
    }
    return false;
  }

  /** The fetch watchpoint at an address, or −1. */
  fetchAt(lo: number, hi: number): number {
    for (let n = 0; n < WATCHPOINTS; n++) {
      const at = CSR.FWP0CFG1 + n * STRIDE;
      if (this.enabled(at) && this.meets(at, lo, hi, 0)) return n;
    }
    return -1;
  }

  /**
   * The load/store watchpoint that an access of `size` bytes meets, or −1.
   * @param kinds what the access is: LoadEn, StoreEn, or both for an atomic operation
   */
  accessAt(lo: number, hi: number, size: number, kinds: number): number {
    for (let n = 0; n < WATCHPOINTS; n++) {
      const at = CSR.MWP0CFG1 + n * STRIDE;
      const control = this.bank.lo(at + CONTROL);
      if (!(control & kinds) || !this.enabled(at)) continue;
      // Size 0 to 3 watches 8, 4, 2 or 1 bytes of a doubleword. The mask is for the address of the doubleword (docs/isa-notes.md).
      const compared = 7 & ~((8 >> fieldOf(control, MWPCFG3.Size)) - 1);
      const place = this.bank.lo(at + ADDRESS);
      for (let k = 0; k < size; k++) {
        const byte = (lo + k) | 0;
        const carry = byte >= 0 && lo < 0 ? 1 : 0;
        if (((byte ^ place) & compared) === 0 && this.meets(at, byte, hi + carry, 7)) return n;
      }
    }
    return -1;
  }

  /** Does the next hit of a fetch watchpoint pass? */
  get skips(): boolean {
    return (this.bank.lo(CSR.FWPS) & SKIP) !== 0;
  }

  /** A watchpoint is hit. @returns false when Skip lets this hit pass; otherwise its status bit is set */
  hit(fetch: boolean, n: number): boolean {
    const status = fetch ? CSR.FWPS : CSR.MWPS;
    if (this.bank.lo(status) & SKIP) {
      this.bank.update(status, SKIP, 0);
      return false;
    }
    this.bank.update(status, 1 << n, 1 << n);
    return true;
  }
}
