/**
 * Stores that wait, as in the store buffer of a core (docs/explore.md). For some instructions of a CPU its stores are recorded. They are
 * in RAM, so the CPU reads its own. Then some of them, or all, are taken back, the other CPUs have their turns, and just before the CPU
 * executes its next instruction they are done again, in their order. So no instruction of the CPU runs while a store of it waits:
 * a barrier, an atomic access, an interrupt or a device finds them done.
 */
import type { StoreRecorder } from '../cpu/store-record.ts';
import type { Stateful, Wiring } from '../state/fields.ts';
import { isEvery, isNumber, isObjectWith } from '../state/state-check.ts';
import { waitOf } from './store-wait.ts';

/** A store buffer has so many entries: after this many instructions that store, no further ones are recorded. */
const ENTRIES = 8;
/** Bytes of the widest single access to RAM. */
const WIDEST = 8;

/** Bytes in RAM that one store has changed. */
interface BufferedStore {
  /** The CPU's instructions before the one that stores. */
  readonly icount: number;
  readonly pa: number;
  /** Those that are not in RAM now: the ones before the store, or, while it waits, the stored ones. */
  readonly bytes: number[];
}

/** Stores of one CPU that wait. */
interface Waiting {
  readonly cpu: number;
  readonly stores: BufferedStore[];
}

export interface StoreBufferPorts {
  readonly read: (pa: number, size: number) => Uint8Array;
  /** Changes bytes of RAM, and what was made of them. No link is broken. */
  readonly write: (pa: number, bytes: readonly number[]) => void;
  /** A CPU has stored to bytes of RAM: links of other CPUs to them break. */
  readonly stored: (cpu: number, pa: number, size: number) => void;
  /** Is a range RAM as a whole? */
  readonly covers: (pa: number, size: number) => boolean;
}

const overlap = (a: BufferedStore, b: BufferedStore): boolean =>
  a.pa < b.pa + b.bytes.length && b.pa < a.pa + a.bytes.length;

export class StoreBuffers implements Stateful, StoreRecorder {
  readonly stateFields = ['cpu', 'began', 'value', 'recorded', 'waiting'];
  readonly stateChecks: NonNullable<Stateful['stateChecks']>;
  static readonly wiring: Wiring = {
    ports: 'the machine',
    now: 'the instruction that runs',
    doing: 'within a turn',
  };
  /** The CPU whose stores are recorded, −1: none. */
  private cpu = -1;
  /** The instruction of the decision, and what it says. */
  private began = 0;
  private value = 0;
  /** Its stores so far. */
  private readonly recorded: BufferedStore[] = [];
  /** Stores that are taken back. */
  private readonly waiting: Waiting[] = [];
  /** The CPU's instructions before the one that runs. */
  private now = 0;
  /** Stores that are done again, if the CPU executes an instruction now. */
  private doing: Waiting | undefined;
  private readonly ports: StoreBufferPorts;

  /** @param cpus how many there are */
  constructor(cpus: number, ports: StoreBufferPorts) {
    this.ports = ports;
    const isCpu = (v: unknown): boolean => Number.isInteger(v) && (v as number) < cpus;
    const isByte = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= 0 && (v as number) <= 0xff;
    const isStore = (v: unknown): boolean =>
      isObjectWith({ icount: isNumber, pa: Number.isInteger, bytes: isEvery(isByte) })(v) &&
      (v as BufferedStore).bytes.length <= WIDEST &&
      ports.covers((v as BufferedStore).pa, (v as BufferedStore).bytes.length);
    const isWaiting = isObjectWith({ cpu: (v) => isCpu(v) && (v as number) >= 0, stores: isEvery(isStore) });
    this.stateChecks = { cpu: isCpu, recorded: isEvery(isStore), waiting: isEvery(isWaiting) };
  }

  /** Is there anything to do beside running? */
  get busy(): boolean {
    return this.cpu >= 0 || this.waiting.length > 0;
  }

  /** Are the stores of a CPU being recorded? Then it executes one instruction at a time. */
  records(cpu: number): boolean {
    return this.cpu === cpu;
  }

  /** The machine has been reset. */
  reset(): void {
    this.complete();
    this.waiting.length = 0;
  }

  /** Stores are recorded from this instruction of a CPU on. */
  open(cpu: number, icount: number, value: number): void {
    this.complete();
    this.cpu = cpu;
    this.began = icount;
    this.value = value;
  }

  /** The CPU is about to execute instructions, if nothing stops it: what waits is done. */
  enter(cpu: number, icount: number): void {
    this.now = icount;
    this.doing = this.waiting.find((w) => w.cpu === cpu);
    if (this.doing) for (const store of this.doing.stores) this.exchange(store);
  }

  /** It has executed them, or none: then all is as it was. */
  leave(executed: boolean): void {
    const { doing } = this;
    if (!doing) return;
    this.doing = undefined;
    if (executed) {
      this.waiting.splice(this.waiting.indexOf(doing), 1);
      for (const { pa, bytes } of doing.stores) this.ports.stored(doing.cpu, pa, bytes.length);
    } else this.takeBack(doing.stores);
  }

  stored(pa: number, size: number): void {
    if (this.cpu >= 0) this.recorded.push({ icount: this.now, pa, bytes: [...this.ports.read(pa, size)] });
  }

  /** Nothing that is recorded waits: it is in RAM. */
  complete(): void {
    this.cpu = -1;
    this.recorded.length = 0;
  }

  /** Is the buffer full, or has the CPU executed the instructions of the decision? */
  ends(icount: number): boolean {
    if (icount >= this.began + waitOf(this.value).instructions) return true;
    return this.recorded.length >= ENTRIES && this.instructions().length >= ENTRIES;
  }

  /** The instructions that have stored, in their order. */
  private instructions(): number[] {
    return [...new Set(this.recorded.map((s) => s.icount))];
  }

  /**
   * No further store is recorded: those that wait are taken back.
   * @returns the decision that they wait by; undefined: none waits
   */
  hold(): { readonly icount: number; readonly value: number; readonly ticks: number } | undefined {
    const { cpu, began: icount, value } = this;
    const { early, ticks } = waitOf(value);
    const stores: BufferedStore[] = [];
    this.instructions().forEach((instruction, n) => {
      const own = this.recorded.filter((s) => s.icount === instruction);
      // Stores to the same bytes keep their order.
      const follows = own.some((s) => stores.some((w) => overlap(s, w)));
      if (follows || !((early >> (n % ENTRIES)) & 1)) stores.push(...own);
    });
    this.complete();
    if (stores.length === 0) return undefined;
    this.takeBack(stores);
    this.waiting.push({ cpu, stores });
    return { icount, value, ticks };
  }

  private takeBack(stores: readonly BufferedStore[]): void {
    for (let n = stores.length - 1; n >= 0; n--) this.exchange(stores[n]!);
  }

  /** Does a store, or takes it back. */
  private exchange({ pa, bytes }: BufferedStore): void {
    const present = [...this.ports.read(pa, bytes.length)];
    this.ports.write(pa, bytes);
    bytes.splice(0, bytes.length, ...present);
  }
}
