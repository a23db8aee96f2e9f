/** A register access width in bytes. The bus splits 8-byte accesses into two of 4. */
export type Width = 1 | 2 | 4;

/**
 * A memory-mapped device. It never knows its base address; interrupt lines and clocks are handed to its constructor.
 */
export interface Device {
  readonly name: string;
  /** Bytes of address space. */
  readonly size: number;
  /** @param offset inside the device */
  read(offset: number, width: Width): number;
  write(offset: number, width: Width, value: number): void;
  /** Like read, without side effects: for debuggers. */
  peek(offset: number, width: Width): number;
  reset(): void;
}

/** An interrupt line of the board. */
export type Line = (level: boolean) => void;
/** A physical interrupt line of a CPU, by its ESTAT.IS bit number, rises or falls. */
export type CpuLines = (cpu: number, bit: number, level: boolean) => void;
