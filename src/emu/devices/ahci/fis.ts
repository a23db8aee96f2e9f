/** Frames between host and device (Serial ATA 3.x, 10.5), and the place of each in memory (AHCI 1.3.1, 4.2.1). */
import type { AtaRegisters } from './ata-disk.ts';

export const FIS = { toDevice: 0x27, toHost: 0x34, pioSetup: 0x5f, setDeviceBits: 0xa1 } as const;
export const RECEIVED = { pioSetup: 0x20, toHost: 0x40, setDeviceBits: 0x58 } as const;
/** Bytes of a register FIS. */
export const REGISTER_BYTES = 20;
/** The device asks for an interrupt. */
const INTERRUPT = 0x40;
const TO_HOST = 0x20;

/** A register FIS that the host sends. */
export interface HostFis extends AtaRegisters {
  /** Does it write the command register? Otherwise it writes the control register. */
  readonly isCommand: boolean;
  readonly control: number;
}

/** Decodes a register FIS of the host. @returns undefined when it is another kind of FIS */
export function parseHostFis(b: Uint8Array): HostFis | undefined {
  if (b[0] !== FIS.toDevice) return undefined;
  const at = (...places: readonly number[]): number =>
    places.reduce((sum, place, k) => sum + b[place]! * 2 ** (8 * k), 0);
  return {
    isCommand: (b[1]! & 0x80) !== 0,
    command: b[2]!,
    features: at(3, 11),
    lba: at(4, 5, 6, 8, 9, 10),
    device: b[7]!,
    count: at(12, 13),
    control: b[15]!,
  };
}

/** Fields of an answer. */
export interface Answer {
  readonly status: number;
  readonly error: number;
  readonly lba: number;
  readonly device: number;
  readonly count: number;
}

function registers(type: number, flags: number, { status, error, lba, device, count }: Answer): Uint8Array {
  const out = new Uint8Array(REGISTER_BYTES);
  const byte = (n: number): number => Math.floor(lba / 2 ** (8 * n)) & 0xff;
  out.set([type, flags, status, error, byte(0), byte(1), byte(2), device, byte(3), byte(4), byte(5), 0]);
  out.set([count & 0xff, count >> 8], 12);
  return out;
}

/** A register FIS of the device. @param interrupt asks for an interrupt */
export const registerFis = (answer: Answer, interrupt: boolean): Uint8Array =>
  registers(FIS.toHost, interrupt ? INTERRUPT : 0, answer);

/** The frame before the last block of data by PIO. @param bytes of that block */
export function pioSetupFis(answer: Answer, toHost: boolean, bytes: number): Uint8Array {
  const out = registers(FIS.pioSetup, INTERRUPT | (toHost ? TO_HOST : 0), { ...answer, status: answer.status | 0x08 });
  out[15] = answer.status;
  out.set([bytes & 0xff, (bytes >> 8) & 0xff], 16);
  return out;
}

/** Queued commands are over. @param tags a bit for each */
export const setDeviceBitsFis = (status: number, error: number, tags: number): Uint8Array =>
  Uint8Array.of(FIS.setDeviceBits, INTERRUPT, status & 0x77, error, tags, tags >> 8, tags >> 16, tags >>> 24);
