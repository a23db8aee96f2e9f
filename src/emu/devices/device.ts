/** A register access width in bytes. The bus splits 8-byte accesses into two of 4. */
export type Width = 1 | 2 | 4;

/**
 * A memory-mapped device. It never knows its base address; interrupt lines and clocks are handed to its constructor.
 */
export interface Device {
  readonly name: string;
  /** Bytes of address space. */
  readonly size: number;
  /** Its registers are single bytes: an access of any width reaches one register, that at its address. */
  readonly bytewise?: boolean;
  /** @param offset inside the device */
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
  /** Takes 64 bits in one step, where two halves are not the same. */
  write64?(offset: number, lo: number, hi: number): void;
  /** Like read, without side effects: for debuggers. */
  peek(offset: number, width: Width): number;
  reset(): void;
}

/** A device that works on requests in memory. */
export interface Worker {
  /** Goes on with work that was left for later. @returns whether there is still more */
  goOn(): boolean;
  /** Why it does nothing any more until its reset; undefined while it works. */
  readonly refusal?: string | undefined;
  /** May it write there at any time, because something arrives from outside? @param pa a physical address */
  mayReceiveAt?(pa: number): boolean;
}

/** An interrupt line of the board. */
export type Line = (level: boolean) => void;
/** A physical interrupt line of a CPU, by its ESTAT.IS bit number, rises or falls. */
export type CpuLines = (cpu: number, bit: number, level: boolean) => void;

/** The machine's time, for devices. */
export interface DeviceTime {
  /** The stable counter. */
  ticks(): number;
  /** Milliseconds since 1970. */
  timeOfDay(): number;
  /** A {@link Timed.deadline} has come nearer. */
  sooner(): void;
}

/** A device that acts at a time of its own. */
export interface Timed {
  /** Tick at which {@link expire} is to be called; Infinity: never. With several CPUs the call can be one round late. */
  readonly deadline: number;
  expire(now: number): void;
}
