/** The last exception or VM exit in words: what happened, to which instruction, how the address translated, what next. */
import type { Machine } from '../board/machine.ts';
import type { Cpu } from '../cpu/cpu.ts';
import { CSR } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { exceptionByCode } from '../cpu/exception-table.ts';
import { disassemble } from '../isa/disassembler.ts';
import { type DebugContext, type GuestSnapshots, guestContext, HOST_WORLD, hostContext } from './context.ts';
import { readVirtual } from './debug-memory.ts';
import { walk } from './walk.ts';

/** Names addresses of a world; undefined where no symbol is known. */
export type Symbolizer = (world: number, address: bigint) => string | undefined;
/** The address of a symbol of the booted image. */
export type SymbolLookup = (name: string) => bigint | undefined;

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

/** What a cause usually means in a guest exit, and where to look. Keyed by exception name. */
const EXIT_ADVICE: Readonly<Record<string, string>> = {
  INT: 'A host interrupt took the CPU; the guest did nothing wrong. Look at R.ESTAT.IS & R.ECFG.LIE.',
  PIL: 'Stage 2 has no valid mapping for this GPA. A device address is emulated by the hypervisor (MMIO); RAM means a mapping is missing in the stage-2 table.',
  PIS: 'Stage 2 has no valid mapping for this GPA. A device address is emulated by the hypervisor (MMIO); RAM means a mapping is missing in the stage-2 table.',
  PIF: 'The guest fetched from a GPA that stage 2 does not map. If PC looks like a vector, see which exception led there; if it is the entry point, the image was not mapped or loaded.',
  PME: 'The stage-2 page is clean (D=0): dirty logging or copy-on-write. The hypervisor must set D and invalidate the entry.',
  PNR: 'The stage-2 page forbids reads (NR).',
  PNX: 'The stage-2 page forbids execution (NX).',
  GSPR: 'A privileged or sensitive instruction: the hypervisor decodes BADI, emulates it and adds 4 to PC.',
  HVC: 'A hypercall: PC stays on the hvcl, the hypervisor adds 4. The code is BADI[14:0].',
  TLBR: 'A stage-2 TLB miss: the refill handler at R.TLBRENTRY fills an entry tagged with GTLBC.TGID and returns to the guest.',
};
const FAULT_ADVICE: Readonly<Record<string, string>> = {
  SYS: 'A system call is delivered to EENTRY of the same world.',
  BRK: 'A `break` instruction of the program itself.',
  INE: 'The word is no instruction of this CPU: wrong PC, code not loaded, or a unit that CPUCFG does not have.',
  IPE: 'A privileged instruction at PLV > 0: check CRMD.PLV, and PRMD.PPLV before the last ertn.',
  ADEF: 'Fetch from an address that is misaligned, not canonical, or behind which there is no memory.',
  ADEM: 'Access to an address that is not canonical or behind which nothing answers.',
  TLBR: 'No TLB entry matches: TLBRENTRY (a physical address) must hold a refill handler.',
  PIL: 'The entry for this page has V=0.',
  PIS: 'The entry for this page has V=0.',
  PIF: 'The entry for this page has V=0.',
  PME: 'A store to a page with D=0.',
  PPI: 'The page belongs to a more privileged level than CRMD.PLV.',
};

/** The register context in which an event happened, as far as it is still known. */
function contextOf(cpu: Cpu, snapshots: GuestSnapshots, world: number): DebugContext | undefined {
  return world === HOST_WORLD ? hostContext(cpu) : guestContext(cpu, world, snapshots);
}

/** `gid 1` or `the host`. */
const worldName = (world: number): string => (world === HOST_WORLD ? 'the host' : `guest gid ${world}`);

function instructionAt(machine: Machine, ctx: DebugContext | undefined, pc: bigint): string | undefined {
  if (!ctx) return undefined;
  const bytes = readVirtual(machine, ctx, pc, 4);
  if (bytes.length < 4) return undefined;
  const word = new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  return `${disassemble(word)} (word ${hex(word)})`;
}

/** One line about an event, as used in histories. */
export function describeEvent(r: EventRecord, name: Symbolizer): string {
  const at = (pc: bigint): string => {
    const symbol = name(r.world, pc);
    return symbol ? `${hex(pc)} <${symbol}>` : hex(pc);
  };
  if (r.kind === 'entry') return `[${r.time}] VM entry -> gid ${r.world} at ${at(r.pc)}`;
  const row = exceptionByCode(r.ecode, r.esub);
  const what = `${row?.name ?? 'reserved'} (Ecode ${hex(r.ecode)})`;
  const where = r.kind === 'exit' ? `VM exit from gid ${r.world}` : `exception in ${worldName(r.world)}`;
  return `[${r.time}] ${where}: ${what} at ${at(r.pc)}${r.hasBadv ? ` badv ${hex(r.badv)}` : ''}`;
}

/** The register that an exception takes its vector from, and how much a world has done about it. */
function vectorRegister(cpu: Cpu, r: EventRecord): { name: string; num: number; neverWritten: boolean } {
  const refill = exceptionByCode(r.ecode, r.esub)?.name === 'TLBR';
  const num = refill ? CSR.TLBRENTRY : CSR.EENTRY;
  return { name: refill ? 'TLBRENTRY' : 'EENTRY', num, neverWritten: !cpu.hasWrittenCsr(r.world, num) };
}

/** A guest exception whose delivery is what failed next: the event before `back`, if its vector is where it failed. */
function ledHere(cpu: Cpu, r: EventRecord): EventRecord | undefined {
  for (let back = 1; back < 64; back++) {
    const before = cpu.events.at(back);
    if (!before) return undefined;
    if (before.kind === 'exception' && before.world === r.world && before.vector === r.pc) return before;
  }
  return undefined;
}

/**
 * Lines that explain the newest exception or exit of a CPU.
 * @param name names addresses
 */
export function explainLast(machine: Machine, cpu: Cpu, snapshots: GuestSnapshots, name: Symbolizer): string[] {
  const r = cpu.events.lastException();
  if (!r) return ['no exception or VM exit so far'];
  const out: string[] = [];
  const row = exceptionByCode(r.ecode, r.esub);
  const at = (world: number, a: bigint): string => {
    const symbol = name(world, a);
    return symbol ? `${hex(a)} <${symbol}>` : hex(a);
  };
  const ctx = contextOf(cpu, snapshots, r.world);
  const cause = row ? `${row.name}: ${row.text}` : 'reserved code';
  out.push(
    r.kind === 'exit'
      ? `VM exit from ${worldName(r.world)} on cpu${cpu.index}: ${cause} (Ecode ${hex(r.ecode)}${r.esub ? `, EsubCode ${r.esub}` : ''})`
      : `exception in ${worldName(r.world)} on cpu${cpu.index}: ${cause} (Ecode ${hex(r.ecode)}${r.esub ? `, EsubCode ${r.esub}` : ''})`,
  );
  const fetch = r.hasBadv && r.va === r.pc;
  const instruction = fetch ? undefined : instructionAt(machine, ctx, r.pc);
  out.push(
    `  pc          ${at(r.world, r.pc)}${instruction ? `: ${instruction}` : fetch ? ': the fetch itself failed' : ''}`,
  );
  if (r.hasBadv) {
    if (r.stage2) {
      out.push(`  address     GVA ${hex(r.va)}, which stage 1 turns into GPA ${hex(r.badv)} (R.BADV holds the GPA)`);
    } else out.push(`  address     ${hex(r.badv)} (BADV)`);
    if (ctx) {
      out.push('  translation');
      for (const step of walk(ctx, machine.ram, r.va).steps) out.push(`    ${step}`);
      const mapped = r.stage2 ? machine.bus.at(Number(r.badv)) : undefined;
      if (mapped) out.push(`    GPA ${hex(r.badv)} is where the board has its ${mapped.device.name}: an MMIO access`);
    }
  }
  if (row?.name === 'HVC')
    out.push(
      `  hypercall   code ${hex(r.badi & 0x7fff)}, a0 = ${hex(ctx?.gpr(4) ?? 0n)}, a1 = ${hex(ctx?.gpr(5) ?? 0n)}`,
    );
  const to = r.kind === 'exit' ? HOST_WORLD : r.world;
  out.push(`  delivered   to ${worldName(to)}, vector ${at(to, r.vector)}`);
  const guilty = ledHere(cpu, r);
  if (guilty) {
    const g = exceptionByCode(guilty.ecode, guilty.esub);
    const register = vectorRegister(cpu, guilty);
    const value = ctx ? ctx.csr(register.num) : 0n;
    out.push(
      `  root cause  this address is a vector: ${worldName(guilty.world)} took ${g?.name} (${g?.text}) at ${at(guilty.world, guilty.pc)} before`,
      register.neverWritten
        ? `              and its ${register.name} is ${hex(value)}: ${register.name} was never written, so the exception went to address ${hex(guilty.vector)}`
        : `              and its ${register.name} is ${hex(value)}, where nothing can be fetched`,
      `  look at     where the guest sets ${register.name} (csrwr ${register.name}), before the first instruction that can raise ${g?.name}`,
    );
  } else {
    const register = vectorRegister(cpu, r);
    if (r.kind === 'exception' && register.neverWritten)
      out.push(
        `  suspicious  ${worldName(r.world)} never wrote its ${register.name}: the vector ${hex(r.vector)} is what it had before`,
      );
    const advice = (r.kind === 'exit' ? EXIT_ADVICE : FAULT_ADVICE)[row?.name ?? ''];
    if (advice) out.push(`  look at     ${advice}`);
  }
  return out;
}
