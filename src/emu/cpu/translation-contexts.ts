/**
 * The translation context of the running code: its set of the software TLB and its mode word. The result for a mode is
 * kept, so that emitted code finds it without a helper.
 */
import { MODE_GUEST, MODE_UNITS_OFF, STATE } from '../memory/layout.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';
import { DIRECT, type FastTlb } from '../tlb/fast-tlb.ts';
import { isMapped } from './address-mode.ts';
import { CONTEXT_SLOT, CONTEXT_SLOTS, contextSlot } from './context-slot.ts';
import type { CsrBank } from './csr-bank.ts';
import { ASID, CRMD, DMW, EUEN } from './csr-fields.ts';
import { CSR } from './csr-table.ts';
import type { Watchpoints } from './watchpoints.ts';

/** All units of EUEN, and the PLVs of a direct mapping window. */
const UNITS = EUEN.FPE | EUEN.SXE | EUEN.ASXE | EUEN.BTE;
const WINDOW_PLVS = DMW.PLV0 | DMW.PLV1 | DMW.PLV2 | DMW.PLV3;

/** The values that decide a context. */
export interface ContextOwner {
  readonly vm: boolean;
  readonly gid: number;
  readonly host: CsrBank;
  readonly guest: CsrBank;
  /** The CSR file that instructions see. */
  readonly csr: CsrBank;
  readonly watchpoints: Watchpoints;
  readonly fast: FastTlb;
}

export class TranslationContexts {
  private readonly cpu: ContextOwner;
  private readonly words: Int32Array;
  /** See STATE.contextSets. */
  private readonly sets: Int32Array;
  private readonly modes: Int32Array;
  private readonly modeIndex: number;
  private readonly fillsIndex: number;

  /** @param base the CPU's state in linear memory */
  constructor(cpu: ContextOwner, mem: LinearMemory, base: number) {
    this.cpu = cpu;
    this.words = mem.i32;
    this.sets = new Int32Array(mem.memory.buffer, base + STATE.contextSets, CONTEXT_SLOTS);
    this.modes = new Int32Array(mem.memory.buffer, base + STATE.contextModes, CONTEXT_SLOTS);
    this.modeIndex = (base + STATE.mode) >> 2;
    this.fillsIndex = (base + STATE.fills) >> 2;
  }

  /** From now on a set of the software TLB belongs to another context. */
  taken(set: number): void {
    for (let n = 0; n < CONTEXT_SLOTS; n++) if (this.sets[n] === set) this.sets[n] = 0;
  }

  /** Any of the values that decide a context may have changed. */
  changed(): void {
    this.sets.fill(0);
    // Watchpoints may have come into use. The next run looks again.
    if (this.cpu.watchpoints.inUse) this.words[this.fillsIndex] = 0;
    this.select();
  }

  /** Only the units that a world may use may have changed. */
  unitsChanged(): void {
    const { cpu, sets, modes } = this;
    for (let slot = 0; slot < CONTEXT_SLOTS; slot++)
      if (sets[slot] !== 0) modes[slot] = this.modeOf(slot & CRMD.PLV, slot >= CONTEXT_SLOT.guest);
    this.words[this.modeIndex] = this.modeOf(cpu.csr.lo(CSR.CRMD) & CRMD.PLV, cpu.vm);
  }

  /** The mode word. */
  private modeOf(plv: number, guest: boolean): number {
    const { host } = this.cpu;
    // A guest can use a unit only when both its own EUEN and the host's enable it.
    const on = host.lo(CSR.EUEN) & (guest ? this.cpu.guest.lo(CSR.EUEN) : UNITS);
    return plv | (guest ? MODE_GUEST : 0) | ((~on & UNITS) * MODE_UNITS_OFF);
  }

  /** Only world, PLV and paging mode may have changed. What was found for such a mode before is still valid. */
  select(): void {
    const { cpu } = this;
    const crmd = cpu.csr.lo(CSR.CRMD);
    // Watchpoints check only the host, and only where CRMD.WE allows it.
    const watching = !cpu.vm && cpu.watchpoints.select(crmd, cpu.host.lo(CSR.ASID) & ASID.ASID);
    const slot = contextSlot(crmd, cpu.vm);
    const set = this.sets[slot]!;
    if (set !== 0) {
      cpu.fast.use(set);
      this.words[this.modeIndex] = this.modes[slot]!;
      return;
    }
    const bank = cpu.csr;
    const mode = this.modeOf(crmd & CRMD.PLV, cpu.vm);
    this.words[this.modeIndex] = mode;
    const paged = isMapped(crmd);
    const gid = cpu.vm ? cpu.gid : 0;
    const asid = paged ? bank.lo(CSR.ASID) & ASID.ASID : 0;
    let windows = 0;
    if (paged) {
      for (let i = 0; i < 4; i++)
        windows = windows * 256 + ((bank.hi(CSR.DMW0 + i) >>> 28) * 16 + (bank.lo(CSR.DMW0 + i) & WINDOW_PLVS));
    }
    const key =
      (cpu.vm ? 1 : 0) + (crmd & CRMD.PLV) * 2 + (paged ? 8 : 0) + gid * 16 + asid * 4096 + (watching ? 2 ** 22 : 0);
    const chosen = cpu.fast.select(key, windows, cpu.vm ? gid : -1, paged ? asid : DIRECT);
    // While watchpoints are in use, each change of mode must be checked.
    if (!cpu.vm && cpu.watchpoints.inUse) return;
    this.sets[slot] = chosen;
    this.modes[slot] = mode;
  }
}
