/**
 * The registers that gdb sees: numbers, names, widths, features and how each is read and written. The target description
 * (target-description.ts) and the `g`, `p`, `P` packets derive from this list.
 */

import type { Cpu } from '../emu/cpu/cpu.ts';
import { peekCsr, pokeCsr } from '../emu/cpu/csr-access.ts';
import { CSR, CSRS, type CsrRow } from '../emu/cpu/csr-table.ts';
import type { DebugContext } from '../emu/debug/context.ts';
import { STATE } from '../emu/memory/layout.ts';

/** gdb register numbers of the ranges that this server defines. */
export const CSR_REGNUM = 0x1000;
export const GCSR_REGNUM = 0x2000;
export const SYSTEM_REGNUM = 0x3000;
/** Registers in a `g` packet: r0–r31, orig_a0, pc, badv. */
export const G_REGISTERS = 35;
export const PC_REGNUM = 33;

/** Names that the target description must have exactly as gdb knows them. */
export type Feature =
  | 'org.gnu.gdb.loongarch.base'
  | 'org.gnu.gdb.loongarch.fpu'
  | 'org.gnu.gdb.loongarch.lsx'
  | 'org.gnu.gdb.loongarch.lasx'
  | 'org.gnu.gdb.loongarch.lbt'
  | 'org.loongarch.csr'
  | 'org.loongarch.gcsr'
  | 'org.loongarch.system';

export interface Register {
  readonly num: number;
  readonly name: string;
  readonly bits: number;
  readonly type: string;
  readonly group: string;
  readonly feature: Feature;
  /** The role that LLDB must know, by its name there (`pc`, `sp`, `fp`, `ra`, `arg1` to `arg8`). gdb ignores it. */
  readonly generic?: string | undefined;
  /** The CSR behind it, for a flags type. */
  readonly csr?: CsrRow;
  read(ctx: DebugContext): bigint;
  /** Absent: writes are refused with a reason. */
  write?(ctx: DebugContext, value: bigint): void;
}

const vectorState = (c: DebugContext, n: number, bytes: number): bigint => {
  let v = 0n;
  for (let k = bytes - 8; k >= 0; k -= 8) v = (v << 64n) | c.word(STATE.fpr + n * 32 + k);
  return v;
};
const setVectorState = (cpu: Cpu, n: number, bytes: number, value: bigint): void => {
  const at = cpu.base + STATE.fpr + n * 32;
  for (let k = 0; k < bytes; k += 8) cpu.mem.u64[(at + k) >> 3] = BigInt.asUintN(64, value >> BigInt(8 * k));
};

function base(): Register[] {
  const feature = 'org.gnu.gdb.loongarch.base';
  const roles: Readonly<Record<number, string>> = { 1: 'ra', 3: 'sp', 22: 'fp' };
  const role = (n: number): string | undefined => (n >= 4 && n < 12 ? `arg${n - 3}` : roles[n]);
  const types: Readonly<Record<number, string>> = { 1: 'code_ptr', 2: 'data_ptr', 3: 'data_ptr', 22: 'data_ptr' };
  const out: Register[] = [];
  for (let n = 0; n < 32; n++)
    out.push({
      num: n,
      name: `r${n}`,
      bits: 64,
      type: types[n] ?? 'uint64',
      group: 'general',
      feature,
      generic: role(n),
      read: (c) => c.gpr(n),
      write: (c, v) => c.cpu.setGpr(n, v),
    });
  out.push({
    num: 32,
    name: 'orig_a0',
    bits: 64,
    type: 'uint64',
    group: 'general',
    feature,
    read: () => 0n,
    write: () => {},
  });
  out.push({
    num: PC_REGNUM,
    name: 'pc',
    bits: 64,
    type: 'code_ptr',
    group: 'general',
    feature,
    generic: 'pc',
    read: (c) => c.pc(),
    write: (c, v) => {
      c.cpu.pc = v;
      c.cpu.idle = false;
    },
  });
  out.push({
    num: 34,
    name: 'badv',
    bits: 64,
    type: 'code_ptr',
    group: 'general',
    feature,
    read: (c) => c.csr(CSR.BADV),
    write: (c, v) => pokeCsr(c.cpu, c.world >= 0, CSR.BADV, v),
  });
  return out;
}

function units(): Register[] {
  const out: Register[] = [];
  const vector = (first: number, prefix: string, bits: number, type: string, group: string, feature: Feature): void => {
    for (let n = 0; n < 32; n++)
      out.push({
        num: first + n,
        name: `${prefix}${n}`,
        bits,
        type,
        group,
        feature,
        read: (c) => vectorState(c, n, bits / 8),
        write: (c, v) => setVectorState(c.cpu, n, bits / 8, v),
      });
  };
  const word = (num: number, name: string, bits: number, offset: number, feature: Feature, group: string): void => {
    const mask = (1n << BigInt(bits)) - 1n;
    const at = (cpu: Cpu): number => (cpu.base + offset) & ~7;
    const shift = BigInt((offset & 7) * 8);
    out.push({
      num,
      name,
      bits,
      type: bits === 8 ? 'uint8' : bits === 32 ? 'uint32' : 'uint64',
      group,
      feature,
      read: (c) => (c.word(offset & ~7) >> shift) & mask,
      write: (c, v) => {
        const i = at(c.cpu) >> 3;
        c.cpu.mem.u64[i] = (c.cpu.mem.u64[i]! & ~(mask << shift)) | ((v & mask) << shift);
      },
    });
  };
  vector(35, 'f', 64, 'fputype', 'float', 'org.gnu.gdb.loongarch.fpu');
  for (let n = 0; n < 8; n++) word(67 + n, `fcc${n}`, 8, STATE.fcc + n, 'org.gnu.gdb.loongarch.fpu', 'float');
  word(75, 'fcsr', 32, STATE.fcsr, 'org.gnu.gdb.loongarch.fpu', 'float');
  vector(76, 'vr', 128, 'lsxv', 'lsx', 'org.gnu.gdb.loongarch.lsx');
  vector(108, 'xr', 256, 'lasxv', 'lasx', 'org.gnu.gdb.loongarch.lasx');
  for (let n = 0; n < 4; n++) word(140 + n, `scr${n}`, 64, STATE.scr + n * 8, 'org.gnu.gdb.loongarch.lbt', 'lbt');
  word(144, 'eflags', 32, STATE.eflags, 'org.gnu.gdb.loongarch.lbt', 'lbt');
  word(145, 'ftop', 32, STATE.ftop, 'org.gnu.gdb.loongarch.lbt', 'lbt');
  return out;
}

/** The CSR as an instruction in the world of the context reads it. LVZ and other host-only registers show those of the host. */
function csrs(): Register[] {
  const out: Register[] = [];
  for (const row of CSRS) {
    // badv is already a base register, and would hide a second register with this name.
    if (row.num !== CSR.BADV)
      out.push({
        num: CSR_REGNUM + row.num,
        name: row.name.toLowerCase(),
        bits: 64,
        type: `csr_${row.name.toLowerCase()}`,
        group: 'csr',
        feature: 'org.loongarch.csr',
        csr: row,
        read: (c) => (row.guest === 'own' ? c.csr(row.num) : peekCsr(c.cpu, false, row.num)),
        write: (c, v) => pokeCsr(c.cpu, row.guest === 'own' && c.world >= 0, row.num, v),
      });
    if (row.guest === 'own')
      out.push({
        num: GCSR_REGNUM + row.num,
        name: `g_${row.name.toLowerCase()}`,
        bits: 64,
        type: `csr_${row.name.toLowerCase()}`,
        group: 'gcsr',
        feature: 'org.loongarch.gcsr',
        csr: row,
        read: (c) => (c.world >= 0 ? c.csr(row.num) : peekCsr(c.cpu, true, row.num)),
        write: (c, v) => pokeCsr(c.cpu, true, row.num, v),
      });
  }
  return out;
}

function system(): Register[] {
  const feature = 'org.loongarch.system';
  const reg = (n: number, name: string, read: (c: DebugContext) => number): Register => ({
    num: SYSTEM_REGNUM + n,
    name,
    bits: 64,
    type: 'uint64',
    group: 'system',
    feature,
    read: (c) => BigInt(read(c)),
  });
  const lastExit = (cpu: Cpu): number => {
    for (let back = 0; back < 256; back++) {
      const r = cpu.events.at(back);
      if (!r) return 0;
      if (r.kind === 'exit') return r.ecode;
    }
    return 0;
  };
  return [
    reg(0, 'world', (c) => Math.max(0, c.world)),
    reg(1, 'gid', (c) => (c.world >= 0 ? c.gid : c.cpu.gid)),
    reg(2, 'vcpu', (c) => c.vcpu),
    reg(3, 'icount', (c) => c.cpu.icount),
    reg(4, 'exit_reason', (c) => lastExit(c.cpu)),
    reg(5, 'exit_count', (c) => c.cpu.events.exits.reduce((a, b) => a + b, 0)),
    {
      num: SYSTEM_REGNUM + 6,
      name: 'estat_u',
      bits: 64,
      type: 'estat_union',
      group: 'system',
      feature,
      read: (c) => c.csr(CSR.ESTAT),
    },
  ];
}

/** Every register, in ascending number. */
export const REGISTERS: readonly Register[] = [...base(), ...units(), ...csrs(), ...system()].sort(
  (a, b) => a.num - b.num,
);

const byNumber = new Map(REGISTERS.map((r) => [r.num, r]));
export const registerByNumber = (num: number): Register | undefined => byNumber.get(num);
