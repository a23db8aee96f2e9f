/** What the world switches of a stretch of the past have lost: each is compared with what must stay the same. */
import { CSR, fieldNamed } from '../../cpu/csr-table.ts';
import { ecodeOf, exceptionByCode } from '../../cpu/exception-table.ts';
import { hex } from '../../formats/hex.ts';
import { decode } from '../../isa/decoder.ts';
import { GPR_NAMES } from '../../isa/operands.ts';
import { operandValue } from '../../isa/row.ts';
import { HOST_WORLD } from '../context.ts';
import type { Symbolizer } from '../symbolizer.ts';
import { accessOf, instructionAt, provenance } from './provenance.ts';
import type { RuleId } from './rules.ts';
import type { Stretch } from './stretch.ts';

/** Something that is wrong, by the rule that is broken. */
export interface Finding {
  readonly rule: RuleId;
  /** Instruction count of the machine at which it became visible. */
  readonly at: number;
  readonly text: string;
}

/** Registers that a called function preserves: tp, sp, fp, s0–s8. A hypervisor may leave r21 to its guests. */
const PRESERVED = [2, 3, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31];
/** Arguments and results of a hypercall: a0–a7. */
const ARGUMENTS = [4, 5, 6, 7, 8, 9, 10, 11];
/** CSRs of the guest that a hypervisor writes when it changes the vCPU, or injects an exception. */
const SWITCHED: ReadonlySet<number> = new Set([CSR.CRMD, CSR.ERA, CSR.EENTRY, CSR.CPUID]);
const [HVC, TLBR, INT, GSPR] = [ecodeOf('HVC'), ecodeOf('TLBR'), ecodeOf('INT'), ecodeOf('GSPR')];

/** A guest that goes on elsewhere more often than this has lost its PC: it is not only reset, and takes no injected exception. */
const MOVES = 3;
/** Bytes from EENTRY on in which vectors are. */
const VECTORS = 0x10000n;

/** Causes at which no instruction is emulated. */
const BETWEEN: ReadonlySet<number> = new Set([TLBR, INT]);

/** The last exit of the guest, as a step: the first step behind it is `next`. */
interface Exit {
  readonly next: number;
  readonly pc: bigint;
  readonly badi: number;
  readonly ecode: number;
  readonly world: number;
  readonly badv: bigint;
  /** It is a fault of stage 2, and no refill. */
  readonly faulted: boolean;
}

/** Most calls within each other that are remembered. */
const MOST_CALLS = 64;

/** A call of the host: the step of the call, and where it returns to. */
interface Call {
  readonly step: number;
  readonly back: bigint;
}

/** @param isMapped does stage 2 map a GPA to RAM now? */
export function switchFindings(s: Stretch, name: Symbolizer, isMapped: (gpa: bigint) => boolean): Finding[] {
  const out = new Map<string, Finding>();
  const add = (rule: RuleId, n: number, text: string): void => {
    if (!out.has(rule)) out.set(rule, { rule, at: s.steps[n]!.at, text });
  };
  let exit: Exit | undefined;
  let last: Exit | undefined;
  const exits = new Map<number, Exit>();
  let calls: Call[] = [];
  /** Those that had not returned when a guest was entered. */
  let inside: ReadonlySet<Call> = new Set();
  let moved = 0;
  /** By the cause of the first exit of its kind. */
  const asked = new Map<number, Mistaken | undefined>();
  for (let n = 0; n < s.length; n++) {
    const step = s.steps[n]!;
    const entry = step.events.find((e) => e.kind === 'entry');
    const left = step.events.find((e) => e.kind === 'exit');
    if (step.world === HOST_WORLD && !entry) {
      // A call that has returned is over, and those that it has made.
      const jumped = n > 0 && step.pc !== s.steps[n - 1]!.pc + 4n;
      const over = jumped ? calls.findLastIndex((c) => c.back === step.pc) : -1;
      if (over >= 0) {
        const call = calls[over]!;
        calls = calls.slice(0, over);
        if (inside.has(call)) {
          compareHost(s, call, n, name, add);
          inside = new Set();
        }
      }
      const back = returnOf(s, n);
      if (back !== undefined) calls = [...calls.slice(-MOST_CALLS), { step: n, back }];
      if (step.reads.includes(CSR.TLBRBADV) && exit?.faulted && !fieldNamed('TLBRERA', 'IsTLBR', s.csr(n, CSR.TLBRERA)))
        add(
          'gpa-register',
          n,
          `${instructionAt(s, n, name)} reads TLBRBADV after a ${causeOf(exit.ecode)} exit: the GPA of this exit is in BADV (${hex(exit.badv)}); TLBRBADV belongs to refills`,
        );
    }
    // Another vCPU, or an injected exception: registers and PC are no longer those of the exit.
    if (step.csr.some((c) => c.bank === 'guest' && SWITCHED.has(c.num))) exits.clear();
    if (entry) {
      if (last?.world === entry.world) injected(s, last, n, entry.pc, name, add);
      exit = exits.get(entry.world);
      const twice = exit?.pc === entry.pc - 8n && !BETWEEN.has(exit.ecode);
      if (exit && twice && !isVector(s, n, entry.pc) && savesRegisters(s, exit.next, n))
        add(
          'skip-once',
          n,
          `VM ${exit.world} left at ${hex(exit.pc)} (${causeOf(exit.ecode)}) and goes on at ${hex(entry.pc)}: 4 was added to its PC twice, and the instruction at ${hex(exit.pc + 4n)} is lost`,
        );
      const mode = s.guestMode(n);
      if (!fieldNamed('CRMD', 'DA', mode) && !fieldNamed('CRMD', 'PG', mode))
        add(
          'entry-mode',
          n,
          `${instructionAt(s, n, name)} enters VM ${entry.world} with g_crmd = ${hex(mode)}: DA and PG are 0, which the manual leaves undefined; a vCPU begins with CRMD.DA = 1`,
        );
      if (
        exit?.world === entry.world &&
        !twice &&
        !goesOn(exit, entry.pc) &&
        !isVector(s, n, entry.pc) &&
        savesRegisters(s, exit.next, n) &&
        ++moved > MOVES
      )
        add(
          'entry-pc',
          n,
          `VM ${exit.world} left at ${hex(exit.pc)} (${causeOf(exit.ecode)}) and is entered at ${hex(entry.pc)}, and so at every exit: the exit handler must save ERA, and the guest must go on there`,
        );
      if (!fieldNamed('PRMD', 'PIE', s.csr(n, CSR.PRMD)) && !fieldNamed('TLBRERA', 'IsTLBR', s.csr(n, CSR.TLBRERA)))
        add(
          'host-interrupts',
          n,
          `${instructionAt(s, n, name)} enters the guest with PRMD.PIE = 0: host interrupts are off while it runs, so nothing but the guest itself brings the CPU back`,
        );
      if (exit && exit.world === entry.world && n + 1 < s.length)
        compareGuest(s, exit, n, { pc: entry.pc, isMapped }, name, add);
      inside = new Set(calls);
    }
    if (left) {
      const { pc, badi, ecode, world, badv } = left;
      exit = { next: n + 1, pc, badi, ecode, world, badv, faulted: left.stage2 && ecode !== TLBR };
      if (!asked.has(ecode)) asked.set(ecode, takenFrom(s, exit));
      exits.set(world, exit);
      last = exit;
    }
  }
  for (const [ecode, found] of asked) {
    if (!found) continue;
    const { step, wrong, right } = found;
    const what = right === 'BADI' ? 'instruction' : 'GPA';
    add(
      'instruction-register',
      step,
      `${instructionAt(s, step, name)} reads ${wrong} after a ${causeOf(ecode)} exit, and ${right} is not read: the ${what} is in ${right} (${hex(found.value)})`,
    );
  }
  return [...out.values()];
}

/** Which register the host has taken for another one. */
interface Mistaken {
  readonly step: number;
  readonly wrong: 'BADI' | 'BADV';
  readonly right: 'BADI' | 'BADV';
  readonly value: bigint;
}

/** Does the host look at BADV for an instruction, or at BADI for an address, and never see the right one before it goes on? */
function takenFrom(s: Stretch, exit: Exit): Mistaken | undefined {
  // The code of an hvcl need not be looked at.
  const instruction = exit.ecode === GSPR;
  if (!instruction && !exit.faulted) return undefined;
  const [wrong, right] = instruction ? (['BADV', 'BADI'] as const) : (['BADI', 'BADV'] as const);
  const value = instruction ? BigInt(exit.badi >>> 0) : exit.badv;
  let mistaken = -1;
  for (let n = exit.next; n < s.length; n++) {
    const { world, reads, events } = s.steps[n]!;
    if (world !== HOST_WORLD || events.some((e) => e.kind !== 'exception')) break;
    if (reads.includes(CSR[right])) return undefined;
    if (reads.includes(CSR[wrong]) && mistaken < 0) mistaken = n;
    // It may read the instruction from memory.
    for (let r = 1; instruction && r < 32 && n + 1 < s.length; r++)
      if (s.gpr(n + 1, r) !== s.gpr(n, r) && (s.gpr(n + 1, r) & 0xffff_ffffn) === value) return undefined;
  }
  return mistaken < 0 ? undefined : { step: mistaken, wrong, right, value };
}

const causeOf = (ecode: number): string => exceptionByCode(ecode, 0)?.name ?? hex(ecode);

/** Is a PC one of the guest's vectors, where a hypervisor injects an exception? */
const isVector = (s: Stretch, n: number, pc: bigint): boolean =>
  pc >= s.guestVector(n) && pc < s.guestVector(n) + VECTORS && s.guestVector(n) !== 0n;

/** The guest is entered at a vector by step `n`: was an exception injected whose handler has nowhere to return to? */
function injected(s: Stretch, exit: Exit, n: number, pc: bigint, name: Symbolizer, add: Add): void {
  if (!isVector(s, n, pc) || isVector(s, n, exit.pc)) return;
  const writes = (num: number): number =>
    s.lastStep(exit.next, n + 1, ({ csr }) => csr.some((c) => c.bank === 'guest' && c.num === num));
  const by = writes(CSR.ESTAT);
  if (by < 0 || writes(CSR.ERA) >= 0) return;
  const ecode = fieldNamed('ESTAT', 'Ecode', s.steps[by]!.csr.find((c) => c.num === CSR.ESTAT)!.value);
  if (ecode === 0) return;
  add(
    'injection-pc',
    n,
    `${causeOf(ecode)} is injected into VM ${exit.world} at its ${causeOf(exit.ecode)} exit at ${hex(exit.pc)} (${instructionAt(s, by, name)}), and the guest's ERA is not written: its handler returns to what ERA had before`,
  );
}

/** Does a guest go on at `pc` where its exit left it, or behind that instruction? */
const goesOn = (exit: Exit, pc: bigint): boolean => pc === exit.pc || pc === exit.pc + 4n;

/** The return address of the call at step `n`, if it is one. */
function returnOf(s: Stretch, n: number): bigint | undefined {
  const row = s.row(n);
  const isCall = row?.name === 'bl' || (row?.name === 'jirl' && s.operand(n, 'rd') === 1);
  return isCall ? s.steps[n]!.pc + 4n : undefined;
}

const STACK_POINTER = 3;
/** Registers of a guest that one mistake loses, with the results of an exit. */
const MOST_LOST = 8;

type Add = (rule: RuleId, n: number, text: string) => void;

/** Fewest registers that a world switch saves. A program that lets both worlds work in the same registers saves none. */
const LEAST_SAVED = 8;

/** Does the host save registers between two steps, as they were before the first one? */
function savesRegisters(s: Stretch, from: number, to: number): boolean {
  const saved = new Set<number>();
  for (let n = from; n < to && saved.size < LEAST_SAVED; n++) {
    const access = s.steps[n]!.world === HOST_WORLD ? accessOf(s, n) : undefined;
    if (access?.store && access.size === 8 && s.isSame(access.rd, n, from)) saved.add(access.rd);
  }
  return saved.size >= LEAST_SAVED;
}

/** The caller of the function that enters guests has control again, at step `n`. */
function compareHost(s: Stretch, call: Call, n: number, name: Symbolizer, add: Add): void {
  const entry = s.firstStep(call.step + 1, s.length, ({ events }) => events.some((e) => e.kind === 'entry'));
  if (!savesRegisters(s, call.step, entry)) return;
  // On another stack it is the same function for another vCPU, unless the stack pointer is the guest's.
  const elsewhere = s.gpr(call.step, STACK_POINTER) !== s.gpr(n, STACK_POINTER);
  for (const r of elsewhere ? [STACK_POINTER] : PRESERVED) {
    const [before, after] = [s.gpr(call.step, r), s.gpr(n, r)];
    if (before === after) continue;
    const why = provenance(s, n, r, name, { expected: before });
    // A value that the host has computed is a later call's at the same place.
    const origin = why?.origin;
    if (!why || origin === 'else' || (elsewhere && origin === 'other place')) continue;
    add(
      'host-registers',
      n,
      `$${GPR_NAMES[r]} of the host came back different: ${hex(before)} before the guest ran, ${hex(after)} after it (${why.text})`,
    );
    return;
  }
}

/** The guest is entered by step `n`, and goes on at `pc` in step `n + 1`. */
function compareGuest(
  s: Stretch,
  exit: Exit,
  n: number,
  { pc, isMapped }: { readonly pc: bigint; readonly isMapped: (gpa: bigint) => boolean },
  name: Symbolizer,
  add: Add,
): void {
  const { next, ecode } = exit;
  if (ecode !== TLBR && !savesRegisters(s, next, n)) return;
  const row = decode(exit.badi);
  const written = row?.operands.includes('rd') ? operandValue(row, exit.badi, 'rd') : 0;
  const skipped = pc === exit.pc + 4n;
  const same = pc === exit.pc;
  if (!skipped && !same) return;
  // More than one register: it is another vCPU, which has stopped at the same place.
  let different = 0;
  for (let r = 1; r < 32; r++) if (!s.isSame(r, next, n + 1)) different++;
  if (different > MOST_LOST) return;
  const may: readonly number[] = ecode === HVC ? ARGUMENTS : ecode === INT || ecode === TLBR ? [] : [written];
  for (let r = 1; r < 32; r++) {
    if (s.isSame(r, next, n + 1) || may.includes(r)) continue;
    const [before, after] = [s.gpr(next, r), s.gpr(n + 1, r)];
    const why = provenance(s, n, r, name, { expected: before });
    add(
      'guest-registers',
      n,
      `$${GPR_NAMES[r]} of VM ${exit.world} was ${hex(before)} at its ${causeOf(ecode)} exit at ${hex(exit.pc)} and is ${hex(after)} when it goes on${why ? ` (${why.text})` : ''}`,
    );
    return;
  }
  const repaired = skipped && REPAIRED.has(ecode) && isMapped(exit.badv);
  if (repaired)
    add(
      'no-skip-after-repair',
      n,
      `VM ${exit.world} goes on at ${hex(pc)}, behind the instruction of its ${causeOf(ecode)} exit for GPA ${hex(exit.badv)}, which stage 2 maps to RAM now: the instruction is lost; after a repaired fault PC stays`,
    );
}

/** Causes that a hypervisor repairs by a mapping. */
const REPAIRED: ReadonlySet<number> = new Set((['PIL', 'PIS', 'PIF'] as const).map(ecodeOf));
