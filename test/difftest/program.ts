/**
 * The frame around a random body: where it lives in memory, how registers get their first values and where the last ones
 * go. The same bytes run on loongscope and on the oracle; all that they leave behind is in memory.
 */
import { assemble } from '../support/test-machine.ts';

/** Physical addresses; both machines run in direct address mode. */
export const AT = {
  prologue: 0x200000,
  handler: 0x201000,
  epilogue: 0x202000,
  body: 0x210000,
  state: 0x240000,
  /** 8 KiB that loads and stores reach; their base register points at its middle. */
  buffer: 0x242000,
  /** Reports of exceptions, 32 bytes each, in a ring of 64 KiB. */
  log: 0x250000,
} as const;
export const BUFFER_SIZE = 0x2000;
export const BUFFER_MIDDLE = AT.buffer + BUFFER_SIZE / 2;

/** Registers that a body does not write: state base, buffer, and an index that it sets only with `andi`. */
export const STATE_REGISTER = 31;
export const BUFFER_REGISTER = 30;
export const INDEX_REGISTER = 29;

/** Byte offsets in the state block. */
export const STATE_BLOCK = { gpr: 0, fcsr: 0x100, fcc: 0x108, logEnd: 0x148, vector: 0x200, size: 0x600 } as const;

const range = (n: number, from = 0): number[] => Array.from({ length: n }, (_, i) => i + from);
const words = (lines: readonly string[]): Uint32Array => Uint32Array.from(lines.map(assemble));

const S = `$r${STATE_REGISTER}`;
const lower = (address: number): number => address & 0xfff;
const load = (register: string, address: number): string[] => [
  `lu12i.w ${register}, ${address >> 12}`,
  `ori ${register}, ${register}, ${lower(address)}`,
];
const jump = (from: number, to: number): string => `b ${to - from}`;

const PROLOGUE = [
  ...load('$t0', AT.handler),
  'csrwr $t0, 0xc',
  'ori $t0, $zero, 7',
  'csrwr $t0, 2',
  ...load('$t0', AT.log),
  'csrwr $t0, 0x33',
  ...load(S, AT.state),
  ...range(32).map((n) => `xvld $xr${n}, ${S}, ${STATE_BLOCK.vector + 32 * n}`),
  ...range(8).flatMap((n) => [`ld.d $t0, ${S}, ${STATE_BLOCK.fcc + 8 * n}`, `movgr2cf $fcc${n}, $t0`]),
  `ld.d $t0, ${S}, ${STATE_BLOCK.fcsr}`,
  'movgr2fcsr $fcsr0, $t0',
  ...range(30, 1).map((n) => `ld.d $r${n}, ${S}, ${8 * n}`),
];
const EPILOGUE = [
  ...range(30, 1).map((n) => `st.d $r${n}, ${S}, ${8 * n}`),
  'movfcsr2gr $t0, $fcsr0',
  `st.d $t0, ${S}, ${STATE_BLOCK.fcsr}`,
  ...range(8).flatMap((n) => [`movcf2gr $t0, $fcc${n}`, `st.d $t0, ${S}, ${STATE_BLOCK.fcc + 8 * n}`]),
  ...range(32).map((n) => `xvst $xr${n}, ${S}, ${STATE_BLOCK.vector + 32 * n}`),
  'csrrd $t0, 0x33',
  `st.d $t0, ${S}, ${STATE_BLOCK.logEnd}`,
];
/** Notes ESTAT, ERA, BADV and BADI, and goes on behind the instruction. */
const HANDLER = [
  'csrwr $t0, 0x30',
  'csrwr $t1, 0x31',
  'csrrd $t1, 0x33',
  ...[5, 6, 7, 8].flatMap((csr, i) => [`csrrd $t0, ${csr}`, `st.d $t0, $t1, ${8 * i}`]),
  'addi.d $t1, $t1, 32',
  'bstrpick.d $t0, $t1, 15, 0',
  `lu12i.w $t1, ${AT.log >> 12}`,
  'or $t1, $t1, $t0',
  'csrwr $t1, 0x33',
  'csrrd $t0, 6',
  'addi.d $t0, $t0, 4',
  'csrwr $t0, 6',
  'csrrd $t0, 0x30',
  'csrrd $t1, 0x31',
  'ertn',
];

/** Where both machines stop: an instruction that jumps to itself. */
export const END = AT.epilogue + 4 * EPILOGUE.length;

/** Code that stays the same from body to body, by address. */
export const FRAME: readonly (readonly [address: number, code: Uint32Array])[] = [
  [AT.prologue, words([...PROLOGUE, jump(AT.prologue + 4 * PROLOGUE.length, AT.body)])],
  [AT.handler, words(HANDLER)],
  [AT.epilogue, words([...EPILOGUE, 'b 0'])],
];

/** A body with the way out behind it. */
export function finished(body: readonly number[]): Uint32Array {
  const out = jump(AT.body + 4 * body.length, AT.epilogue);
  return Uint32Array.from([...body, assemble(out)]);
}

/** A random program: its words and what registers and buffer hold at first. */
export interface Program {
  readonly body: readonly number[];
  readonly state: Uint8Array;
  readonly buffer: Uint8Array;
}

/** What a run leaves behind. */
export interface Outcome {
  readonly state: Uint8Array;
  readonly buffer: Uint8Array;
  /** Used part of the log. */
  readonly log: Uint8Array;
}

/** Bytes of the log in use, from the state block that a run has left. */
export function logSize(state: Uint8Array): number {
  const end = new DataView(state.buffer, state.byteOffset).getUint32(STATE_BLOCK.logEnd, true);
  return end >= AT.log && end < AT.log + 0x10000 ? end - AT.log : 0;
}

/** A machine on which programs run. */
export interface Target {
  readonly name: string;
  run(program: Program): Promise<Outcome>;
  close(): Promise<void>;
}
