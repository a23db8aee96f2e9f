/** The registers of the controller in its memory space (Serial ATA AHCI 1.3.1, chapter 3). */
import type { RegisterDeclaration, RegisterTable } from '../register-table.ts';

/** Ports and command slots of each, as ICH9 has them. */
export const PORTS = 6;
export const SLOTS = 32;

/** 64-bit addresses, command queueing, generation 1, no other mode than AHCI; slots and ports count from 0. */
const CAPABILITIES = (0xc0140000 | ((SLOTS - 1) << 8) | (PORTS - 1)) >>> 0;

/** Generic host control. What CAP does not announce is read-only. */
export const HOST = {
  cap: { name: 'CAP', offset: 0x00, width: 4, access: 'ro', reset: CAPABILITIES, section: '3.1.1' },
  ghc: { name: 'GHC', offset: 0x04, width: 4, access: 'rw', bits: 0x3, reset: 0x80000000, section: '3.1.2' },
  is: { name: 'IS', offset: 0x08, width: 4, access: 'w1c', reset: 0, section: '3.1.3' },
  pi: { name: 'PI', offset: 0x0c, width: 4, access: 'ro', reset: 2 ** PORTS - 1, section: '3.1.4' },
  vs: { name: 'VS', offset: 0x10, width: 4, access: 'ro', reset: 0x00010000, section: '3.1.5' },
  cccCtl: { name: 'CCC_CTL', offset: 0x14, width: 4, access: 'ro', reset: 0, section: '3.1.6' },
  cccPorts: { name: 'CCC_PORTS', offset: 0x18, width: 4, access: 'ro', reset: 0, section: '3.1.7' },
  emLoc: { name: 'EM_LOC', offset: 0x1c, width: 4, access: 'ro', reset: 0, section: '3.1.8' },
  emCtl: { name: 'EM_CTL', offset: 0x20, width: 4, access: 'ro', reset: 0, section: '3.1.9' },
  cap2: { name: 'CAP2', offset: 0x24, width: 4, access: 'ro', reset: 0, section: '3.1.10' },
  bohc: { name: 'BOHC', offset: 0x28, width: 4, access: 'ro', reset: 0, section: '3.1.11' },
} as const satisfies Readonly<Record<string, RegisterDeclaration>>;
export const GHC = { reset: 1, interrupts: 2 } as const;

export const PORT_BASE = 0x100;
export const PORT_BYTES = 0x80;

/** Bits of PxIS; those that exist in PxIE, too. */
export const INTERRUPT = {
  registerFis: 1 << 0,
  pioSetup: 1 << 1,
  setDeviceBits: 1 << 3,
  descriptor: 1 << 5,
  connect: 1 << 6,
  overflow: 1 << 24,
  interfaceFatal: 1 << 27,
  hostBusFatal: 1 << 29,
  taskFile: 1 << 30,
} as const;
/** Bits of PxCMD. */
export const CMD = {
  start: 1 << 0,
  spinUp: 1 << 1,
  power: 1 << 2,
  receive: 1 << 4,
  receiving: 1 << 14,
  running: 1 << 15,
} as const;
const CMD_ATAPI_AND_LED = 3 << 24;
/** Bits of PxSERR: the device has said that it is there. */
export const SERR_EXCHANGED = 1 << 26;

/** The registers of a port. */
export const PORT = {
  clb: { name: 'PxCLB', offset: 0x00, width: 4, access: 'rw', bits: 0xfffffc00, reset: 0, section: '3.3.1' },
  clbu: { name: 'PxCLBU', offset: 0x04, width: 4, access: 'rw', reset: 0, section: '3.3.2' },
  fb: { name: 'PxFB', offset: 0x08, width: 4, access: 'rw', bits: 0xffffff00, reset: 0, section: '3.3.3' },
  fbu: { name: 'PxFBU', offset: 0x0c, width: 4, access: 'rw', reset: 0, section: '3.3.4' },
  is: { name: 'PxIS', offset: 0x10, width: 4, access: 'w1c', bits: 0xfd8000af, reset: 'by port', section: '3.3.5' },
  ie: { name: 'PxIE', offset: 0x14, width: 4, access: 'rw', bits: 0xfdc000ff, reset: 0, section: '3.3.6' },
  cmd: {
    name: 'PxCMD',
    offset: 0x18,
    width: 4,
    access: 'rw',
    bits: CMD.start | CMD.receive | CMD_ATAPI_AND_LED,
    reset: CMD.spinUp | CMD.power,
    section: '3.3.7',
  },
  tfd: { name: 'PxTFD', offset: 0x20, width: 4, access: 'ro', reset: 0x7f, section: '3.3.8' },
  sig: { name: 'PxSIG', offset: 0x24, width: 4, access: 'ro', reset: 0xffffffff, section: '3.3.9' },
  ssts: { name: 'PxSSTS', offset: 0x28, width: 4, access: 'ro', reset: 'by port', section: '3.3.10' },
  sctl: { name: 'PxSCTL', offset: 0x2c, width: 4, access: 'rw', bits: 0xfff, reset: 0, section: '3.3.11' },
  serr: {
    name: 'PxSERR',
    offset: 0x30,
    width: 4,
    access: 'w1c',
    bits: 0x07ff0f03,
    reset: 'by port',
    section: '3.3.12',
  },
  sact: { name: 'PxSACT', offset: 0x34, width: 4, access: 'w1s', reset: 0, section: '3.3.13' },
  ci: { name: 'PxCI', offset: 0x38, width: 4, access: 'w1s', reset: 0, section: '3.3.14' },
  sntf: { name: 'PxSNTF', offset: 0x3c, width: 4, access: 'ro', reset: 0, section: '3.3.15' },
  fbs: { name: 'PxFBS', offset: 0x40, width: 4, access: 'ro', reset: 0, section: '3.3.16' },
  devslp: { name: 'PxDEVSLP', offset: 0x44, width: 4, access: 'ro', reset: 0, section: '3.3.17' },
} as const satisfies Readonly<Record<string, RegisterDeclaration>>;

/** For docs/board.md. */
export const AHCI_REGISTERS: readonly RegisterTable[] = [
  { device: 'AHCI, generic host control (BAR 5)', source: 'Serial ATA AHCI 1.3.1', registers: Object.values(HOST) },
  {
    device: 'AHCI, port n (at 0x100 + 0x80·n)',
    source: 'Serial ATA AHCI 1.3.1',
    registers: Object.values(PORT),
  },
];
