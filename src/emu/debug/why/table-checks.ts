/** Checks of page tables as PWCL and PWCH describe them, and as they are walked. */
import { CSR, csrByNumber } from '../../cpu/csr-table.ts';
import { hex } from '../../formats/hex.ts';
import type { Ram } from '../../memory/ram.ts';
import { addressBits, isHuge, Leaf, levelWidth, type TableReader, walkTables } from '../../mmu/page-walk.ts';
import { HOST_WORLD, hostContext } from '../context.ts';
import { describeWrite, hasWritten, lastWrite } from '../csr-words.ts';
import { causeOf, type Moment } from './moment.ts';
import { instructionAt } from './provenance.ts';
import { type Level, levelGap, levelRegister, levelsOf } from './values.ts';

/** The levels must follow each other without gaps, and each that a refill handler walks must be there. */
export function geometry(m: Moment): string | undefined {
  const { cpu, ctx, r, name } = m;
  if (!r.hasBadv && causeOf(r) !== 'INE') return undefined;
  const host = r.kind === 'exit' || r.world === HOST_WORLD;
  const world = host ? HOST_WORLD : r.world;
  const { csr } = host ? hostContext(cpu) : ctx;
  const absent = walkedWithout(m, world, levelsOf(csr));
  if (absent) {
    const { level, step } = absent;
    const why = hasWritten(cpu, world, level.num)
      ? `is 0 (${csrByNumber(level.num)!.name} ${describeWrite(lastWrite(cpu, world, level.num), name)})`
      : 'is 0, because it was never written';
    return `${levelRegister(world, level.num)}.${level.name}width ${why}, and ${instructionAt(m.past, step, name)} takes the first entry whatever the address is: describe this level, or do not walk it`;
  }
  return levelGap({ ...m, world, csr });
}

/** The bits that `lddir` and `ldpte` have in common: a word is looked at sooner than decoded. */
const WALK_AT = 19;
const WALK = 0xc8;

/** Does a world walk tables by `lddir` and `ldpte`, in what has been looked at? Otherwise it fills the TLB in its own way. */
export const walksTables = ({ whole }: Moment, world: number): boolean =>
  whole.steps.some(({ world: of, word }) => of === world && word !== undefined && word >>> WALK_AT === WALK);

/** The last `lddir` or `ldpte` of a world for a level that PWCL and PWCH do not describe. */
function walkedWithout(
  { past }: Moment,
  world: number,
  levels: readonly Level[],
): { readonly level: Level; readonly step: number } | undefined {
  for (let n = past.length - 1; n >= 0; n--) {
    const { world: of, word } = past.steps[n]!;
    if (of !== world || word === undefined || word >>> WALK_AT !== WALK) continue;
    const row = past.row(n)?.name;
    const level = levels[row === 'ldpte' ? 0 : past.operand(n, 'level8')];
    if (level?.width === 0) return { level, step: n };
  }
  return undefined;
}

/** Reads tables from memory, and keeps what it has read. */
class Keeping implements TableReader {
  lo = 0;
  hi = 0;
  readonly entries: { readonly level: number; readonly slot: number; readonly lo: number; readonly hi: number }[] = [];
  private readonly ram: Ram;

  constructor(ram: Ram) {
    this.ram = ram;
  }

  read(_table: number, slot: number, level: number): boolean {
    const bytes = this.ram.read(slot, 8);
    if (bytes.length < 8) return false;
    const view = new DataView(bytes.buffer, bytes.byteOffset, 8);
    this.lo = view.getInt32(0, true);
    this.hi = view.getInt32(4, true);
    this.entries.push({ level, slot, lo: this.lo, hi: this.hi });
    return true;
  }
}

/** V and D: bits of a page. The address of a table has none. */
const PAGE_FLAGS = 3;

/** A directory entry of stage 2 for an address that was meant to be a block, and has no H. */
export function blockWithoutH({ cpu, machine }: Moment, gpa: bigint): string | undefined {
  const reader = new Keeping(machine.ram);
  const root = cpu.host;
  const address = addressBits(Number(BigInt.asIntN(32, gpa)), Number(BigInt.asIntN(32, gpa >> 32n)));
  walkTables(root, addressBits(root.lo(CSR.PGDL), root.hi(CSR.PGDL)), address, false, reader, new Leaf());
  const found = reader.entries.find((e) => e.level > 0 && !isHuge(e.lo) && (e.lo & PAGE_FLAGS) === PAGE_FLAGS);
  if (!found || levelWidth(root, found.level) === 0) return undefined;
  const entry = (BigInt(found.hi >>> 0) << 32n) | BigInt(found.lo >>> 0);
  return `the directory entry ${hex(entry)} at ${hex(found.slot)} (level ${found.level}), for GPA ${hex(gpa)}, has the flags of a page and bit 6 (H) is 0: it is taken for the address of a table, not for a block`;
}
