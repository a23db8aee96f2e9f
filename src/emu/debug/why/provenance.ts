/** Where the value of a register comes from: the instruction that put it there, and for a load the slot and who saved into it. */
import { csrByNumber } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import { disassemble } from '../../isa/disassembler.ts';
import { GPR_NAMES } from '../../isa/operands.ts';
import { HOST_WORLD } from '../context.ts';
import type { Symbolizer } from '../symbolizer.ts';
import type { Stretch } from './stretch.ts';

/** The step that last changed general register `r` before step `n`; undefined when none did in this stretch. */
export function writerOf(s: Stretch, n: number, r: number): number | undefined {
  for (let k = n - 1; k >= 0; k--) if (s.gpr(k, r) !== s.gpr(k + 1, r)) return k;
  return undefined;
}

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, d: 8 };

/** The address and size of the load or store with an immediate offset at step `n`. */
export function accessOf(
  s: Stretch,
  n: number,
): { store: boolean; address: bigint; size: number; rd: number } | undefined {
  const row = s.row(n);
  const m = row && /^(ld|st|ldptr|stptr)\.([bhwd])u?$/.exec(row.name);
  const offset = row?.operands.find((o) => o === 'si12' || o === 'si14');
  if (!m || !offset) return undefined;
  const address = BigInt.asUintN(64, s.gpr(n, s.operand(n, 'rj')) + BigInt(s.operand(n, offset)));
  return { store: m[1]!.startsWith('st'), address, size: SIZES[m[2]!]!, rd: s.operand(n, 'rd') };
}

/** The last store of a value to an address before step `n`, in any way that the stretch knows. */
function savedAt(s: Stretch, n: number, address: bigint): number | undefined {
  for (let k = n - 1; k >= 0; k--) {
    const a = accessOf(s, k);
    if (a?.store && a.address === address) return k;
  }
  return undefined;
}

/** The last store of general register `r` to an address before step `n`. */
function savedFrom(s: Stretch, n: number, r: number, address: bigint): number | undefined {
  for (let k = n - 1; k >= 0; k--) {
    const a = accessOf(s, k);
    if (a?.store && a.address === address && a.rd === r) return k;
  }
  return undefined;
}

/** The last store of general register `r` by the host before step `n`; with an expected value, of this value. */
function lastSave(s: Stretch, n: number, r: number, expected?: bigint): number | undefined {
  for (let k = n - 1; k >= 0; k--) {
    const a = s.steps[k]!.world === HOST_WORLD ? accessOf(s, k) : undefined;
    if (a?.store && a.rd === r && a.size === 8 && (expected === undefined || s.gpr(k, r) === expected)) return k;
  }
  return undefined;
}

const at = (s: Stretch, n: number, name: Symbolizer): string => {
  const { pc, world } = s.steps[n]!;
  const symbol = name(world, pc);
  return symbol ? `${hex(pc)} <${symbol}>` : hex(pc);
};

/** A step as `ld.d $ra, $a0, 272 at 0x… <f+0x10>`. */
export function instructionAt(s: Stretch, n: number, name: Symbolizer): string {
  const { word } = s.steps[n]!;
  return `${word === undefined ? 'the instruction' : disassemble(word)} at ${at(s, n, name)}`;
}

const register = (r: number): string => `$${GPR_NAMES[r]}`;

export interface Provenance {
  /** In words. */
  readonly text: string;
  /**
   * The value is a guest's, or was loaded from another place than the one where the register was saved (`other slot`: from one that another
   * register was saved in), or has come in another way.
   */
  readonly origin: 'guest' | 'other place' | 'other slot' | 'else';
}

/**
 * Who gave general register `r` the value that it has before step `n`; undefined when that is too long ago.
 * @param reader the world that uses it. @param expected the value that it should have, where that is known
 */
export function provenance(
  s: Stretch,
  n: number,
  r: number,
  name: Symbolizer,
  { reader = HOST_WORLD, expected }: { readonly reader?: number; readonly expected?: bigint | undefined } = {},
): Provenance | undefined {
  const k = writerOf(s, n, r);
  if (k === undefined) return undefined;
  const { world } = s.steps[k]!;
  const value = `${register(r)} = ${hex(s.gpr(n, r))}`;
  if (world !== HOST_WORLD && reader === HOST_WORLD)
    return {
      text: `${value} is the guest's: ${worldNameOf(world)} set it by ${instructionAt(s, k, name)}, and the host has not loaded its own since${lost(s, n, { r, expected }, name)}`,
      origin: 'guest',
    };
  if (reader === HOST_WORLD && s.steps.slice(k, n).some((step) => step.events.some((e) => e.kind === 'entry')))
    return {
      text: `${value} is the guest's: ${instructionAt(s, k, name)} loaded it for the guest, and the host has not loaded its own since${lost(s, k, { r, expected }, name)}`,
      origin: 'guest',
    };
  const row = s.row(k);
  const from = (more: string): Provenance => ({
    text: `${value} comes from ${instructionAt(s, k, name)}${more}`,
    origin: 'else',
  });
  const access = accessOf(s, k);
  if (access && !access.store) {
    const by = savedAt(s, k, access.address);
    // Its own slot, and what was saved there was wrong already.
    if (by !== undefined && accessOf(s, by)?.rd === r && expected !== undefined && s.gpr(by, r) !== expected) {
      const before = writerOf(s, by, r);
      if (before !== undefined && s.steps[before]!.world === HOST_WORLD)
        return from(
          ` from ${hex(access.address)}, where ${instructionAt(s, by, name)} put it: ${instructionAt(s, before, name)} had overwritten ${register(r)} before it was saved`,
        );
    }
    const saved = savedElsewhere(s, k, { r, expected }, access.address, name);
    return saved === undefined
      ? from(stored(s, k, access.address, name))
      : {
          ...from(` from ${hex(access.address)}; ${saved}`),
          origin: by !== undefined && accessOf(s, by)?.rd !== r ? 'other slot' : 'other place',
        };
  }
  const kept = row?.name === 'csrrd' || row?.name === 'csrwr' ? keptBy(s, k, r) : undefined;
  if (kept !== undefined) return provenance(s, kept, r, name, { reader, expected });
  if (row && /^g?csr(rd|wr|xchg)$/.test(row.name)) return from(source(s, k, s.operand(k, 'csr'), name));
  return from('');
}

/** The step at which the handler that gives a register back by a CSR, at step `k`, has kept it there. */
function keptBy(s: Stretch, k: number, r: number): number | undefined {
  const num = s.operand(k, 'csr');
  const { world } = s.steps[k]!;
  for (let n = k - 1; n >= 0; n--) {
    if (s.row(n)?.name === 'ertn') return undefined;
    if (s.steps[n]!.world !== world || !s.steps[n]!.csr.some((c) => c.num === num)) continue;
    const same = s.row(n)?.name === 'csrwr' && s.operand(n, 'rd') === r && s.gpr(n, r) === s.gpr(k + 1, r);
    return same ? n : undefined;
  }
  return undefined;
}

const worldNameOf = (world: number): string => `VM ${world}`;

/** A general register, and the value that it should have. */
interface Wanted {
  readonly r: number;
  readonly expected: bigint | undefined;
}

/** Where the host saved its own value. */
function lost(s: Stretch, n: number, { r, expected }: Wanted, name: Symbolizer): string {
  const k = lastSave(s, n, r, expected);
  const a = k === undefined ? undefined : accessOf(s, k);
  return k === undefined || !a
    ? ''
    : `; it saved ${hex(s.gpr(k, r))} at ${hex(a.address)} by ${instructionAt(s, k, name)}`;
}

/** Where a register was saved, when that is another place than the one that a load read. */
function savedElsewhere(
  s: Stretch,
  k: number,
  { r, expected }: Wanted,
  address: bigint,
  name: Symbolizer,
): string | undefined {
  const save = lastSave(s, k, r, expected);
  const own = save === undefined ? undefined : accessOf(s, save);
  // Its own slot, which something else was written to.
  const by = savedAt(s, k, address);
  const first = by === undefined || accessOf(s, by)?.rd === r ? undefined : savedFrom(s, by, r, address);
  if (by !== undefined && first !== undefined)
    return `it was saved there by ${instructionAt(s, first, name)}, and ${instructionAt(s, by, name)} has overwritten it`;
  if (save === undefined || !own || own.address === address) return undefined;
  return `it was saved at ${hex(own.address)} (${hex(s.gpr(save, r))}) by ${instructionAt(s, save, name)}`;
}

/** Who stored at the place that a load read. */
function stored(s: Stretch, k: number, address: bigint, name: Symbolizer): string {
  const by = savedAt(s, k, address);
  return by === undefined
    ? ` from ${hex(address)}`
    : ` from ${hex(address)}, where ${instructionAt(s, by, name)} put it`;
}

/** CSRs that hold what software puts there. */
const SCRATCH = /^(SAVE\d|TLBRSAVE)$/;

/** Who wrote a CSR that is read at step `k`: the last writer, and the one before it when that was another instruction. */
function source(s: Stretch, k: number, num: number, name: Symbolizer): string {
  const writers: number[] = [];
  const bank = s.steps[k]!.world === HOST_WORLD ? 'host' : 'guest';
  for (let n = k - 1; n >= 0 && writers.length < 2; n--) {
    const own = s.steps[n]!.world === s.steps[k]!.world;
    const write = own ? s.steps[n]!.csr.find((c) => c.bank === bank && c.num === num) : undefined;
    const last = writers.at(-1);
    if (write && (last === undefined || s.steps[last]!.pc !== s.steps[n]!.pc)) writers.push(n);
  }
  const [last, before] = writers;
  const csr = csrByNumber(num)?.name ?? hex(num);
  const scratch = SCRATCH.test(csr);
  if (last === undefined && scratch && s.neverWritten(num, k)) return `, and the host never wrote ${csr} before`;
  if (last === undefined) return ` (${csr})`;
  const written = (n: number): string => hex(s.steps[n]!.csr.find((c) => c.num === num)!.value);
  const had =
    before === undefined ? '' : `; before that, ${instructionAt(s, before, name)} had put ${written(before)} there`;
  return `: ${csr} was last written (${written(last)}) by ${instructionAt(s, last, name)}${had}`;
}
