/**
 * The slow path of loads, stores and atomics: translation, watchpoints, devices, accesses that cross pages, code
 * pages. Values are passed in STATE.va and STATE.value. When a translation ends in RAM, it is put into the software
 * TLB.
 */

import { addressHigh } from '../cpu/address-mode.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { MISC, MWPCFG3 } from '../cpu/csr-fields.ts';
import { CSR } from '../cpu/csr-table.ts';
import { deliver } from '../cpu/exceptions.ts';
import { After, type AfterValue } from '../cpu/helpers.ts';
import type { StoreRecorder } from '../cpu/store-record.ts';
import type { BusPort } from '../devices/bus.ts';
import { decode } from '../isa/decoder.ts';
import { ACCESS } from '../isa/semantics.ts';
import { CHUNKS, FILLS, openPagesBase, STATE, TAG_CODE, TAG_WATCHED } from '../memory/layout.ts';
import type { Ram } from '../memory/ram.ts';
import { isStronglyOrdered } from '../mmu/memory-type.ts';
import { LOAD, STORE } from '../mmu/stages.ts';
import { translate } from '../mmu/translate.ts';
import { accessByCode, LINEAR_SC, LINEAR_WRITE } from './helper-codes.ts';
import type { EngineHooks } from './hooks.ts';
import type { UopCache } from './uop-cache.ts';

export class MemoryAccess {
  private readonly cpu: Cpu;
  private readonly ram: Ram;
  private readonly bus: BusPort;
  private readonly uops: UopCache;
  private readonly word: () => number;
  hooks: EngineHooks = {};
  /** Where the current vector access is: see {@link findVector}. */
  private first = -1;
  private second = -1;
  private room = 0;

  /** `word` reads the instruction that is running, for BADI. */
  constructor(cpu: Cpu, ram: Ram, bus: BusPort, uops: UopCache, word: () => number) {
    this.cpu = cpu;
    this.ram = ram;
    this.bus = bus;
    this.uops = uops;
    this.word = word;
  }

  load(code: number): AfterValue {
    const { cpu } = this;
    const { size, signed } = ACCESS[accessByCode(code)];
    const lo = cpu.stateI32('va');
    const hi = cpu.stateHi('va');
    const bad = this.before(lo, hi, size, false);
    if (bad !== undefined) return bad;
    const inPage = (lo & 0xfff) + size <= 0x1000;
    const pa = translate(cpu, lo, hi, LOAD, this.word());
    if (pa < 0) return After.jumped;
    if (this.hooks.watchPhysical?.(cpu, pa, size, false, false)) return After.notExecuted;
    if (!inPage) return this.loadAcross(pa, lo, hi, size, signed);
    const linear = this.ram.linearAddress(pa);
    if (linear >= 0) {
      this.fill(false, lo, hi, pa);
      if ((linear & 7) === 0 && size === 8) cpu.mem.u64[(cpu.base + STATE.value) >> 3] = cpu.mem.u64[linear >>> 3]!;
      else this.result(this.readLinear(linear, size), size === 8 ? this.readLinear(linear + 4, 4) : 0, size, signed);
      return After.next;
    }
    this.bus.master = cpu.index;
    cpu.recorder?.complete();
    if (!this.bus.read(pa, size)) return this.noDevice(lo, hi);
    this.result(this.bus.lo, this.bus.hi, size, signed);
    return After.next;
  }

  store(code: number): AfterValue {
    const { cpu } = this;
    const { size } = ACCESS[accessByCode(code)];
    const lo = cpu.stateI32('va');
    const hi = cpu.stateHi('va');
    const bad = this.before(lo, hi, size, true);
    if (bad !== undefined) return bad;
    const pa = translate(cpu, lo, hi, STORE, this.word());
    if (pa < 0) return After.jumped;
    if (this.hooks.watchPhysical?.(cpu, pa, size, true, true)) return After.notExecuted;
    if ((lo & 0xfff) + size > 0x1000) return this.storeAcross(pa, lo, hi, size);
    const linear = this.ram.storable(pa);
    const value = cpu.base + STATE.value;
    if (linear >= 0) {
      this.stored(pa, size);
      this.fill(true, lo, hi, pa);
      this.writeLinear(linear, value, size);
      return After.next;
    }
    this.bus.master = cpu.index;
    cpu.recorder?.complete();
    if (!this.bus.write(pa, size, cpu.stateI32('value'), cpu.stateHi('value'))) return this.noDevice(lo, hi);
    // The device may have raised an interrupt or stopped the machine.
    return After.leave;
  }

  /** Loads 16 or 32 bytes into the value slot. */
  loadVector(size: number): AfterValue {
    const { cpu, ram } = this;
    const refused = this.findVector(size, false);
    if (refused !== undefined) return refused;
    const value = cpu.base + STATE.value;
    if (this.inRam) {
      for (let k = 0; k < size; k++) cpu.mem.u8[value + k] = cpu.mem.u8[ram.linearAddress(this.vectorByte(k))]!;
      return After.next;
    }
    cpu.recorder?.complete();
    for (let k = 0; k < size; k += 8) {
      if (this.second >= 0 || !this.bus.read(this.first + k, 8)) return this.noDeviceHere();
      cpu.mem.i32[(value + k) >> 2] = this.bus.lo;
      cpu.mem.i32[((value + k) >> 2) + 1] = this.bus.hi;
    }
    return After.next;
  }

  /** Stores the 16 or 32 bytes of the value slot. */
  storeVector(size: number): AfterValue {
    const { cpu, ram } = this;
    const refused = this.findVector(size, true);
    if (refused !== undefined) return refused;
    const value = cpu.base + STATE.value;
    if (this.inRam) {
      for (let k = 0; k < size; k++) {
        const at = this.vectorByte(k);
        this.stored(at, 1);
        cpu.mem.u8[ram.linearAddress(at)] = cpu.mem.u8[value + k]!;
      }
      return After.next;
    }
    cpu.recorder?.complete();
    for (let k = 0; k < size; k += 8) {
      const at = (value + k) >> 2;
      if (this.second >= 0 || !this.bus.write(this.first + k, 8, cpu.mem.i32[at]!, cpu.mem.i32[at + 1]!))
        return this.noDeviceHere();
    }
    return After.leave;
  }

  /**
   * Checks and translates a vector access. `first` becomes its physical address, and `second` the physical address of
   * its second page (−1 when it has none). `room` becomes the number of its bytes in the first page.
   * @returns how the instruction ends when it may not access the memory
   */
  private findVector(size: number, write: boolean): AfterValue | undefined {
    const { cpu } = this;
    const access = write ? STORE : LOAD;
    const lo = cpu.stateI32('va');
    const hi = cpu.stateHi('va');
    const bad = this.before(lo, hi, size, write);
    if (bad !== undefined) return bad;
    this.first = translate(cpu, lo, hi, access, this.word());
    if (this.first < 0) return After.jumped;
    this.second = -1;
    this.room = 0x1000 - (lo & 0xfff);
    if (this.hooks.watchPhysical?.(cpu, this.first, Math.min(size, this.room), write, write)) return After.notExecuted;
    if (size > this.room) {
      const next = MemoryAccess.nextPage(lo, hi);
      this.second = translate(cpu, next.lo, next.hi, access, this.word());
      if (this.second < 0) return After.jumped;
      if (this.hooks.watchPhysical?.(cpu, this.second, size - this.room, write, false)) return After.notExecuted;
    }
    if (this.second < 0 && this.inRam) this.fill(write, lo, hi, this.first);
    return undefined;
  }

  /** Is the whole vector access in RAM? */
  private get inRam(): boolean {
    return this.ram.has(this.first) && (this.second < 0 || this.ram.has(this.second));
  }

  /** The physical address of byte `k` of the vector access. */
  private vectorByte(k: number): number {
    return k < this.room ? this.first + k : this.second + k - this.room;
  }

  private noDeviceHere(): AfterValue {
    return this.noDevice(this.cpu.stateI32('va'), this.cpu.stateHi('va'));
  }

  /** The address in linear memory of a naturally aligned access for LL/SC and atomics. */
  linearAddress(code: number): AfterValue {
    const { cpu } = this;
    const size = code & 0xff;
    const write = (code & LINEAR_WRITE) !== 0;
    const lo = cpu.stateI32('va');
    const hi = cpu.stateHi('va');
    if (lo & (size - 1)) return deliver(cpu, 'ALE', { badv: { lo, hi }, badi: this.word() });
    const watched = this.watched(lo, hi, size, write, false);
    if (watched !== undefined) return watched;
    const pa = translate(cpu, lo, hi, write ? STORE : LOAD, this.word());
    if (pa < 0) return After.jumped;
    if (this.hooks.watchPhysical?.(cpu, pa, size, write, false)) return After.notExecuted;
    const linear = write ? this.ram.storable(pa) : this.ram.linearAddress(pa);
    // Devices do not support atomic transactions: the bus answers with an error.
    if (linear < 0) return this.noDevice(lo, hi);
    // An sc whose link is broken stores nothing.
    if (write && !(code & LINEAR_SC && cpu.linkedAt !== linear)) this.stored(pa, size);
    this.fill(write, lo, hi, pa);
    cpu.setStateI32('value', linear);
    return After.next;
  }

  /** Must scalar accesses be aligned? On a CPU without UAL always, otherwise where MISC.ALCLn says so. */
  private get strict(): boolean {
    const { cpu } = this;
    return !cpu.features.ual || (cpu.csr.lo(CSR.MISC) & (MISC.ALCL0 << cpu.plv)) !== 0;
  }

  /** Does the running instruction belong to the vector ones, to which MISC.ALCLn does not apply (Vol. 1, 7.4.4)? */
  private get isFree(): boolean {
    const unit = this.cpu.features.ual && decode(this.word())?.unit;
    return unit === 'lsx' || unit === 'lasx';
  }

  /** The alignment check and the watchpoints. */
  private before(lo: number, hi: number, size: number, write: boolean): AfterValue | undefined {
    const { cpu } = this;
    if (lo & (size - 1) && this.strict && !this.isFree)
      return deliver(cpu, 'ALE', { badv: { lo, hi }, badi: this.word() });
    return this.watched(lo, hi, size, write, write);
  }

  /** Watchpoints of the debugger and of the machine, before the access. */
  private watched(lo: number, hi: number, size: number, write: boolean, plain: boolean): AfterValue | undefined {
    const { cpu } = this;
    if (this.hooks.watch?.(cpu, lo, hi, size, write, plain)) return After.notExecuted;
    if (!cpu.watchpoints.active(cpu.vm)) return undefined;
    const n = cpu.watchpoints.accessAt(lo, addressHigh(cpu.csr, hi), size, this.kinds(write));
    if (n < 0 || !cpu.watchpoints.hit(false, n)) return undefined;
    // BADV stays as it is (Vol. 1, 7.4.8).
    return deliver(cpu, 'WPEM', { badi: this.word() });
  }

  /** What the access is for load/store watchpoints. Atomic operations read and write. */
  private kinds(write: boolean): number {
    if (!write) return MWPCFG3.LoadEn;
    return decode(this.word())?.name.startsWith('am') ? MWPCFG3.LoadEn | MWPCFG3.StoreEn : MWPCFG3.StoreEn;
  }

  private noDevice(lo: number, hi: number): AfterValue {
    return deliver(this.cpu, 'ADEM', { badv: { lo, hi }, badi: this.word() });
  }

  /** RAM is about to change: decoded code follows, and so does everybody who records stores. */
  private stored(pa: number, size: number): void {
    this.ram.touch(pa);
    this.uops.coherence?.claimStores(this.ram.linearPage(pa));
    this.uops.written(pa, size);
    this.cpu.links?.stored(this.cpu, this.ram.linearAddress(pa), size);
    this.hooks.stored?.(this.cpu, pa, size);
    if (this.cpu.recorder) this.record(this.cpu.recorder, pa, size);
  }

  /** Strongly ordered stores do not wait. */
  private record(recorder: StoreRecorder, pa: number, size: number): void {
    const { cpu } = this;
    if (isStronglyOrdered(cpu, cpu.stateI32('va'), cpu.stateHi('va'))) recorder.complete();
    else recorder.stored(pa, size);
  }

  /** Puts a RAM translation into the software TLB, unless every access to the page must use this slow path. */
  private fill(write: boolean, lo: number, hi: number, pa: number): void {
    this.noteChunk(pa);
    const page = pa - (pa % 0x1000);
    // Where MISC.ALCLn wants it, misaligned accesses must come here, but running code cannot distinguish them.
    if (this.strict && this.cpu.features.ual) return;
    const { cpu } = this;
    if (this.hooks.watchesAll?.(cpu)) return;
    if (write && this.hooks.recordsStores?.(cpu, page)) return;
    if (write && cpu.recorder) return;
    if (write && cpu.links?.othersHave(cpu, this.ram.linearAddress(page))) return;
    if (cpu.watchpoints.active(cpu.vm) && cpu.watchpoints.watchesPage(lo, addressHigh(cpu.csr, hi))) return;
    const watched = this.hooks.watchesPage?.(cpu, lo, hi, page) === true;
    // Stores through the software TLB are not seen.
    if (write) this.open(page);
    if (!write || !this.uops.hasCode(page)) {
      cpu.fast.fillData(write, lo, hi, this.ram.linearAddress(page), watched ? TAG_WATCHED : 0);
      return;
    }
    const bits = this.uops.codeBits(page);
    if (!watched && bits !== undefined) cpu.fast.fillData(write, lo, hi, this.ram.linearAddress(page), TAG_CODE, bits);
  }

  /** From now on emitted code finds the chunk of a physical address in RAM (mmu/resolve.ts). */
  private noteChunk(pa: number): void {
    const { cpu, ram } = this;
    if (ram.exchanges || !ram.has(pa) || !ram.settled(pa)) return;
    const number = Math.floor(pa / 2 ** CHUNKS.shift);
    const place = (cpu.base + CHUNKS.offset + 8 * (number & (CHUNKS.count - 1))) >> 2;
    cpu.mem.i32[place] = number + 1;
    cpu.mem.i32[place + 1] = ram.linearAddress(number * 2 ** CHUNKS.shift);
  }

  /** What emitted code may fill the software TLB with, until the next debugger, link or watchpoint. */
  fills(): number {
    const { cpu, hooks } = this;
    if (hooks.watch || hooks.watchPhysical || hooks.watchesPage || hooks.watchesAll || cpu.watchpoints.inUse) return 0;
    const tells = hooks.stored || cpu.recorder || this.uops.coherence || cpu.links?.othersLinked(cpu);
    return FILLS.loads | (tells ? 0 : FILLS.stores);
  }

  /** Where emitted code finds which pages it may fill in for stores; 0: all of them. */
  openPages(): number {
    return this.ram.guard.on ? openPagesBase(this.cpu.mem.pool) : 0;
  }

  /** The keeper of the past knows that a page changes. */
  private open(page: number): void {
    this.ram.touch(page);
    if (!this.ram.guard.on) return;
    const linear = this.ram.linearAddress(page);
    this.cpu.mem.u8[openPagesBase(this.cpu.mem.pool) + (linear >>> 15)]! |= 1 << ((linear >>> 12) & 7);
  }

  /** Up to four bytes in linear memory as a little-endian number, in one access when they are aligned. */
  private readLinear(at: number, size: number): number {
    const { u8, u16, i32 } = this.cpu.mem;
    if (size >= 4 && (at & 3) === 0) return i32[at >>> 2]!;
    if (size === 2 && (at & 1) === 0) return u16[at >>> 1]!;
    let v = 0;
    for (let k = 0; k < Math.min(size, 4); k++) v |= u8[at + k]! << (8 * k);
    return v;
  }

  /** Copies a value in linear memory, in one access when it is aligned. */
  private writeLinear(to: number, from: number, size: number): void {
    const { u8, u16, i32, u64 } = this.cpu.mem;
    if (size === 8 && (to & 7) === 0) u64[to >>> 3] = u64[from >>> 3]!;
    else if (size === 4 && (to & 3) === 0) i32[to >>> 2] = i32[from >>> 2]!;
    else if (size === 2 && (to & 1) === 0) u16[to >>> 1] = u16[from >>> 1]!;
    else u8.copyWithin(to, from, from + size);
  }

  /** Extends a value of `size` bytes into the result slot. */
  private result(lo: number, hi: number, size: number, signed: boolean): void {
    if (size === 8) this.cpu.setState64('value', lo, hi);
    else {
      const shift = 32 - 8 * size;
      const v = signed ? (lo << shift) >> shift : (lo << shift) >>> shift;
      this.cpu.setState64('value', v, signed ? v >> 31 : 0);
    }
  }

  /** The second page of an access that crosses into it: its virtual address in two halves. */
  private static nextPage(lo: number, hi: number): { lo: number; hi: number } {
    const next = ((lo & ~0xfff) >>> 0) + 0x1000;
    return { lo: next | 0, hi: (hi + (next >= 0x100000000 ? 1 : 0)) | 0 };
  }

  private loadAcross(pa: number, lo: number, hi: number, size: number, signed: boolean): AfterValue {
    const first = 0x1000 - (lo & 0xfff);
    const next = MemoryAccess.nextPage(lo, hi);
    const pa2 = translate(this.cpu, next.lo, next.hi, LOAD, this.word());
    if (pa2 < 0) return After.jumped;
    if (this.hooks.watchPhysical?.(this.cpu, pa2, size - first, false, false)) return After.notExecuted;
    let vLo = 0;
    let vHi = 0;
    for (let k = 0; k < size; k++) {
      const at = this.ram.linearAddress(k < first ? pa + k : pa2 + k - first);
      if (at < 0) return this.noDevice(lo, hi);
      const byte = this.cpu.mem.u8[at]!;
      if (k < 4) vLo |= byte << (8 * k);
      else vHi |= byte << (8 * (k - 4));
    }
    this.result(vLo, vHi, size, signed);
    return After.next;
  }

  private storeAcross(pa: number, lo: number, hi: number, size: number): AfterValue {
    const first = 0x1000 - (lo & 0xfff);
    const next = MemoryAccess.nextPage(lo, hi);
    const pa2 = translate(this.cpu, next.lo, next.hi, STORE, this.word());
    if (pa2 < 0) return After.jumped;
    if (this.hooks.watchPhysical?.(this.cpu, pa2, size - first, true, false)) return After.notExecuted;
    if (!this.ram.has(pa) || !this.ram.has(pa2)) return this.noDevice(lo, hi);
    const value = this.cpu.base + STATE.value;
    for (let k = 0; k < size; k++) {
      const at = k < first ? pa + k : pa2 + k - first;
      this.stored(at, 1);
      this.cpu.mem.u8[this.ram.linearAddress(at)] = this.cpu.mem.u8[value + k]!;
    }
    return After.next;
  }
}
