/** What the CPU model tells debuggers, logs and statistics. */

/** What a write does to a CSR: the bits of the mask become those of the value. */
export interface CsrBits {
  readonly num: number;
  readonly lo: number;
  readonly hi: number;
  readonly maskLo: number;
  readonly maskHi: number;
}

/** A write of a CSR that is about to happen. */
export interface CsrWriting extends CsrBits {
  /** Whose register. */
  readonly bank: 'host' | 'guest';
}

/** A TLB instruction, or the hardware page walk, has changed a TLB. */
export interface TlbChange {
  /** Guest-type entries (GVA→GPA) or host-type ones. */
  readonly guestType: boolean;
  /** GID of the entries; −1: every guest. */
  readonly gid: number;
  /** The entry written; −1 for an invalidation. */
  readonly index: number;
  /** Address that an invalidation is limited to, as a page pair number; −1: no address. */
  readonly vppn: number;
  /** Mnemonic. */
  readonly by: string;
}

/**
 * Notifications of the CPU model for debuggers and logs. Every member is optional and costs one test when absent.
 * Listeners observe; they may call `Cpu.requestStop`, and must not change CPU state.
 */
export interface CpuObserver<C> {
  /** An exception has been delivered (PC is the vector); its record is the newest of `cpu.events`. */
  exception?(cpu: C): void;
  /** The same for VM exits alone: other exceptions then cost nothing. */
  exited?(cpu: C): void;
  /** The CPU is about to leave guest mode: all guest registers are still in place. */
  beforeExit?(cpu: C): void;
  /** Guest mode has been entered: PC is the guest's. */
  entered?(cpu: C): void;
  /** Software is about to write a CSR. True stops before the instruction. */
  csrWrite?(cpu: C, write: CsrWriting): boolean;
  /** Software reads a CSR. */
  csrRead?(cpu: C, bank: 'host' | 'guest', num: number): void;
  /** Software has changed a TLB. */
  tlbChanged?(cpu: C, change: TlbChange): void;
  /** Exceptions have been delivered {@link NESTING_LIMIT} times (again) without an `ertn` in between. */
  nested?(cpu: C): void;
}

/** How many deliveries in a row without a return are worth a look: a power of two. */
export const NESTING_LIMIT = 256;

/** Several observers as one: each is told, and a CSR write stops when one of them says so. */
export function combine<C>(list: readonly CpuObserver<C>[]): CpuObserver<C> {
  const out: CpuObserver<C> = {};
  for (const name of ['exception', 'exited', 'beforeExit', 'entered', 'nested'] as const) {
    const all = list.filter((o) => o[name]);
    if (all.length)
      out[name] = (cpu) => {
        for (const o of all) o[name]!(cpu);
      };
  }
  const reads = list.filter((o) => o.csrRead);
  if (reads.length)
    out.csrRead = (cpu, bank, num) => {
      for (const o of reads) o.csrRead!(cpu, bank, num);
    };
  const changes = list.filter((o) => o.tlbChanged);
  if (changes.length)
    out.tlbChanged = (cpu, change) => {
      for (const o of changes) o.tlbChanged!(cpu, change);
    };
  const writes = list.filter((o) => o.csrWrite);
  if (writes.length) out.csrWrite = (cpu, write) => writes.map((o) => o.csrWrite!(cpu, write)).includes(true);
  return out;
}
