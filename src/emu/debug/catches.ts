/** Events that stop the machine on request: VM exits, VM entries, exceptions, CSR writes. */

import { CSRS } from '../cpu/csr-table.ts';
import type { EventRecord } from '../cpu/event-ring.ts';
import { EXCEPTIONS, exceptionByCode } from '../cpu/exception-table.ts';

export interface Catch {
  readonly id: number;
  readonly kind: 'vmexit' | 'exception' | 'csr-write' | 'ertn';
  /** Ecodes that count; empty: all. */
  readonly ecodes: ReadonlySet<number>;
  /** `host`, a GID, or every world. */
  readonly world: number | 'any';
  /** CSR number for csr-write. */
  readonly csr?: { readonly num: number; readonly bank: 'host' | 'guest' };
  /** Interrupt number, for INT only. */
  readonly irq?: number;
  /** Further condition on the machine at the event. */
  readonly when?: () => boolean;
  /** A catchpoint of gdb (`catch syscall N`): whose, and its number. Not listed among the monitor's catches. */
  readonly syscall?: { readonly owner: object; readonly number: number };
  /** As the user typed it. */
  readonly text: string;
}

/** Ecodes of an exception name or number. @throws Error naming the legal ones */
export function parseEcode(word: string): number {
  const upper = word.toUpperCase();
  const alias = upper === 'ADE' ? 'ADEM' : upper === 'WPE' ? 'WPEF' : upper === 'GCM' ? 'GCSC' : upper;
  const row = EXCEPTIONS.find((e) => e.name === alias);
  if (row) return row.ecode;
  const n = Number(word);
  if (word !== '' && Number.isInteger(n) && n >= 0 && n < 64) return n;
  throw new Error(
    `unknown cause '${word}': use one of ${[...new Set(EXCEPTIONS.map((e) => e.name))].join(' ')}, or an Ecode`,
  );
}

/** The register a CSR name stands for; the prefix `g_` means the guest bank. @throws Error when unknown */
export function parseCsr(word: string): { num: number; bank: 'host' | 'guest' } {
  const bank = word.toLowerCase().startsWith('g_') ? 'guest' : 'host';
  const row = CSRS.find((c) => c.name.toLowerCase() === word.toLowerCase().replace(/^g_/, ''));
  if (!row) throw new Error(`unknown CSR '${word}': use a name from 'info csr'`);
  return { num: row.num, bank };
}

export class Catches {
  private readonly list: Catch[] = [];
  private nextId = 1;

  add(c: Omit<Catch, 'id'>): Catch {
    const added = { ...c, id: this.nextId++ };
    this.list.push(added);
    return added;
  }

  /** @returns false when there is no such number */
  delete(id: number): boolean {
    const i = this.list.findIndex((c) => c.id === id);
    if (i >= 0) this.list.splice(i, 1);
    return i >= 0;
  }

  clear(): void {
    this.list.length = 0;
  }

  /** Forgets gdb's own catchpoints of a client, in one world. */
  deleteSyscalls(owner: object, world?: number | 'any'): void {
    for (let i = this.list.length - 1; i >= 0; i--) {
      const c = this.list[i]!;
      if (c.syscall?.owner === owner && (world === undefined || c.world === world)) this.list.splice(i, 1);
    }
  }

  get isEmpty(): boolean {
    return this.list.length === 0;
  }

  /** Catches set with `monitor catch`. */
  all(): readonly Catch[] {
    return this.list.filter((c) => !c.syscall);
  }

  /** The catch that an exception or exit record meets. */
  onEvent(r: EventRecord): Catch | undefined {
    const kind = r.kind === 'exit' ? 'vmexit' : r.kind === 'entry' ? 'ertn' : 'exception';
    return this.list.find(
      (c) =>
        (c.kind === kind || (c.irq !== undefined && kind === 'vmexit')) &&
        (c.kind === 'ertn' || c.ecodes.size === 0 || c.ecodes.has(r.ecode)) &&
        (c.world === 'any' || c.world === r.world) &&
        (c.irq === undefined || (r.ecode === 0 && c.irq === r.badi)) &&
        (c.when === undefined || c.when()),
    );
  }

  onCsrWrite(bank: 'host' | 'guest', num: number): Catch | undefined {
    return this.list.find((c) => c.kind === 'csr-write' && c.csr!.num === num && c.csr!.bank === bank);
  }
}

/** `HVC` or `Ecode 0x2a`. */
export const causeName = (ecode: number, esub: number): string =>
  exceptionByCode(ecode, esub)?.name ?? `Ecode 0x${ecode.toString(16)}`;
