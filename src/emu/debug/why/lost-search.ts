/** Finds where a guest has lost a register, anywhere in the past: its registers at each exit, and at the entry behind it. */
import type { Cpu } from '../../cpu/cpu.ts';
import { CSR } from '../../cpu/csr-table.ts';
import { ecodeOf } from '../../cpu/exception-table.ts';
import type { Steps } from '../../runtime/steps.ts';
import type { RunControl } from '../run-control.ts';

const GPRS = 32;
/** Instructions of a piece of the search, and of the longest past that is searched. */
const PIECE = 50_000;
const FARTHEST = 40_000_000;
const LONGEST_SEARCH_MS = 3_000;
/** Places that are worth a closer look. */
const MOST = 4;
/** More registers than these are another vCPU's. */
const MOST_LOST = 8;
const [HVC, TLBR, INT, GSPR] = [ecodeOf('HVC'), ecodeOf('TLBR'), ecodeOf('INT'), ecodeOf('GSPR')];
/** Causes at which the hypervisor does nothing for the guest, and its registers stay. */
const QUIET: ReadonlySet<number> = new Set([TLBR, INT]);

/** The registers of a guest at its exit. */
interface Left {
  readonly pc: bigint;
  readonly ecode: number;
  readonly gpr: readonly bigint[];
}

/**
 * Positions behind entries into a guest that may have lost something, oldest first: at a refill or an interrupt any register, at
 * another exit more than one, or an instruction; or behind exits whose instruction was sought in BADV. The machine is somewhere else in its past afterwards.
 */
export function* lossesOf(control: RunControl, cpu: Cpu, here: number): Steps<readonly number[]> {
  const { history, replayer, machine } = control;
  const first = history.beginning;
  if (here - first > FARTHEST) return [];
  const found: number[] = [];
  const places = new Set<bigint>();
  const left = new Map<number, Left>();
  const registers = (): bigint[] => Array.from({ length: GPRS }, (_, n) => cpu.gpr(n));
  /** Since the last exit of a guest: its cause, and whether the host has read BADI and BADV. */
  let exited = -1;
  let read = new Set<number>();
  let mistaken = false;
  yield* replayer.going(first);
  const remove = cpu.observe({
    csrRead: (_c, bank, num) => {
      if (bank === 'host') read.add(num);
    },
    exception: (c: Cpu) => {
      const r = c.events.at(0)!;
      if (r.kind !== 'exit') return;
      exited = r.ecode;
      read = new Set();
      left.set(r.world, { pc: r.pc, ecode: r.ecode, gpr: registers() });
    },
    entered: (c: Cpu) => {
      // Once: the instruction is in BADI.
      if (exited === GSPR && !mistaken && read.has(CSR.BADV) && !read.has(CSR.BADI)) {
        mistaken = true;
        found.push(control.position());
      }
      const exit = left.get(c.world);
      if (!exit || places.has(exit.pc) || !isSuspect(exit, c.pc, registers())) return;
      places.add(exit.pc);
      found.push(control.position());
    },
    csrWrite: (_c, w) => {
      if (w.bank === 'guest' && w.num === CSR.CPUID) left.clear();
      return false;
    },
  });
  const { runtime } = machine.options;
  const late = runtime.now() + LONGEST_SEARCH_MS;
  try {
    while (history.position < here && found.length < MOST && runtime.now() < late)
      yield* control.pending.silentlyInPieces(history.replaying(Math.min(history.position + PIECE, here)));
  } finally {
    remove();
  }
  return found;
}

function isSuspect(exit: Left, pc: bigint, now: readonly bigint[]): boolean {
  const different = exit.gpr.filter((v, n) => v !== now[n]).length;
  if (different > MOST_LOST) return false;
  if (QUIET.has(exit.ecode)) return pc === exit.pc && different > 0;
  if (pc === exit.pc + 8n) return true;
  const results = exit.ecode === HVC ? 8 : 1;
  return (pc === exit.pc || pc === exit.pc + 4n) && different > (pc === exit.pc ? 0 : results);
}
