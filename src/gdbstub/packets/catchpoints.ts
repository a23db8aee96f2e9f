/**
 * `QCatchSyscalls`: gdb's `catch syscall N` is the only catchpoint of gdb whose numbers a server may define. Here they are:
 *
 *   0–999        system calls of programs (SYS exception, number in a7)
 *   1000 + Ecode exceptions
 *   2000 + n     interrupt line n, taken in the world or as a VM exit
 *   3000 + Ecode VM exits
 *   3900         VM entries; 3901 the first one of a GID; 3902 interrupts injected; 3903, 3904 TLB fills, invalidations
 *   4000 + csr   writes of a host CSR, 5000 + csr of a guest CSR, before they happen
 */
import { CSRS } from '../../emu/cpu/csr-table.ts';
import { EXCEPTIONS } from '../../emu/cpu/exception-table.ts';
import type { Catch } from '../../emu/debug/catches.ts';
import type { Target } from '../target.ts';
import type { PacketRow } from './table.ts';

const SYS = 0x0b;
const A7 = 11;
/** Interrupt lines in ESTAT.IS. */
const LINES = 13;
/** Events that no other number range covers. */
const OTHERS: Readonly<Record<number, Catch['kind']>> = {
  3900: 'ertn',
  3901: 'first-entry',
  3902: 'inject',
  3903: 'tlb-fill',
  3904: 'tlb-invalidate',
};
const NUMBERS = { exception: 1000, interrupt: 2000, exit: 3000, hostCsr: 4000, guestCsr: 5000, end: 6000 } as const;

type Spec = Omit<Catch, 'id' | 'hits' | 'syscall' | 'world' | 'text'>;

/** The catch of a number; undefined for numbers without a meaning. */
function specOf(number: number): Spec | undefined {
  const none: ReadonlySet<number> = new Set();
  if (number < NUMBERS.exception)
    return { kind: 'exception', ecodes: new Set([SYS]), when: (cpu) => cpu.gpr(A7) === BigInt(number) };
  if (number < NUMBERS.interrupt) return { kind: 'exception', ecodes: new Set([number - NUMBERS.exception]) };
  if (number < NUMBERS.exit) return { kind: 'interrupt', ecodes: none, irq: number - NUMBERS.interrupt };
  if (number in OTHERS) return { kind: OTHERS[number]!, ecodes: none };
  if (number < NUMBERS.hostCsr) return { kind: 'vmexit', ecodes: new Set([number - NUMBERS.exit]) };
  if (number < NUMBERS.guestCsr)
    return { kind: 'csr-write', ecodes: none, csr: { num: number - NUMBERS.hostCsr, bank: 'host' } };
  if (number < NUMBERS.end)
    return { kind: 'csr-write', ecodes: none, csr: { num: number - NUMBERS.guestCsr, bank: 'guest' } };
  return undefined;
}

/** Every number with a name, for `info os catchpoints`. */
export function catchpointNumbers(): { readonly event: string; readonly name: string; readonly number: number }[] {
  const causes = [...new Map(EXCEPTIONS.map((e) => [e.ecode, e.name])).entries()];
  const of = (event: string, first: number) => causes.map(([ecode, name]) => ({ event, name, number: first + ecode }));
  return [
    ...of('exit', NUMBERS.exit),
    ...of('exception', NUMBERS.exception),
    ...Object.entries(OTHERS).map(([n, kind]) => ({
      event: kind === 'ertn' ? 'entry' : kind,
      name: '-',
      number: Number(n),
    })),
    ...Array.from({ length: LINES }, (_, n) => ({ event: 'irq', name: String(n), number: NUMBERS.interrupt + n })),
    ...CSRS.map((r) => ({ event: 'csr', name: r.name.toLowerCase(), number: NUMBERS.hostCsr + r.num })),
    ...CSRS.filter((r) => r.guest === 'own').map((r) => ({
      event: 'gcsr',
      name: r.name.toLowerCase(),
      number: NUMBERS.guestCsr + r.num,
    })),
  ].filter((e) => specOf(e.number) !== undefined);
}

function catchSyscalls(s: Target, rest: string): string {
  const m = /^([01])((?:;[0-9a-f]+)*)$/i.exec(rest);
  if (!m) return 'E.QCatchSyscalls takes 0, or 1 and numbers';
  const world = s.current.vm ?? 'any';
  s.control.catches.deleteSyscalls(s, world);
  if (m[1] === '0') return 'OK';
  const listed = m[2]!.split(';').filter(Boolean);
  const numbers = [...new Set(listed.map((t) => Number.parseInt(t, 16)))];
  // Without a number gdb means all. Here it means only the system calls of programs, because there are too many other events.
  if (numbers.length === 0)
    s.control.catches.add({
      kind: 'exception',
      ecodes: new Set([SYS]),
      world,
      syscall: { owner: s, number: Number(s.current.cpu.gpr(A7) & 0x3ffn) },
      text: 'catch syscall',
    });
  for (const number of numbers) {
    const spec = specOf(number);
    if (!spec) return `E.catch syscall ${number}: no such event, see docs/gdb.md`;
    s.control.catches.add({ ...spec, world, syscall: { owner: s, number }, text: `catch syscall ${number}` });
  }
  return 'OK';
}

export const CATCHPOINT_PACKETS: readonly PacketRow[] = [
  { name: 'QCatchSyscalls:', supported: ['QCatchSyscalls+'], handle: catchSyscalls },
];
