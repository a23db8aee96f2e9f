/** What the CPU model reports to debuggers, logs and statistics. */

/** What a write does to a CSR: the bits in the mask get the bits of the value. */
export interface CsrBits {
  readonly num: number;
  readonly lo: number;
  readonly hi: number;
  readonly maskLo: number;
  readonly maskHi: number;
}

/** A write of a CSR that is about to happen. */
export interface CsrWriting extends CsrBits {
  /** The owner of the register. */
  readonly bank: 'host' | 'guest';
}

/** A TLB instruction, or the hardware page walk, has changed a TLB. */
export interface TlbChange {
  /** True: guest-type entries (GVA→GPA). False: host-type entries. */
  readonly guestType: boolean;
  /** The GID of the entries. −1: every guest. */
  readonly gid: number;
  /** The entry that was written. −1 for an invalidation. */
  readonly index: number;
  /** The address to which an invalidation is limited, as a page pair number. −1: no address. */
  readonly vppn: number;
  /** The mnemonic of the instruction. */
  readonly by: string;
  /** The TLB had an entry for the address already. Hardware would have two then, and what it does is undefined (Vol. 1, 5.4.4). */
  readonly doubled?: boolean;
}

/**
 * Notifications of the CPU model for debuggers and logs. A member that is absent costs one test. Listeners only
 * observe. They may call `Cpu.requestStop`, and must not change the state of the CPU.
 */
export interface CpuObserver<C> {
  /** An exception has been delivered (PC is the vector). Its record is the newest of `cpu.events`. */
  exception?(cpu: C): void;
  /** The same for VM exits only. With it, other exceptions cost nothing. */
  exited?(cpu: C): void;
  /** The CPU is about to leave guest mode. All guest registers still have their values. */
  beforeExit?(cpu: C): void;
  /** Guest mode has been entered. PC is the guest's. */
  entered?(cpu: C): void;
  /** Software is about to write a CSR. True stops the CPU before the instruction. */
  csrWrite?(cpu: C, write: CsrWriting): boolean;
  /** Software reads a CSR. */
  csrRead?(cpu: C, bank: 'host' | 'guest', num: number): void;
  /** Software reads the stable counter (`rdtime`). */
  timeRead?(cpu: C): void;
  /** Software accesses a register in the IOCSR space. */
  iocsrAccess?(cpu: C, write: boolean): void;
  /** The host reads a CSR that only software sets, and that it has never written. PC is at the instruction. */
  unwrittenRead?(cpu: C, num: number): void;
  /** Software has changed a TLB. */
  tlbChanged?(cpu: C, change: TlbChange): void;
  /** A stage-2 entry of a guest was written: entry `index` of the host's TLB. Only these cost anything. */
  stage2Filled?(cpu: C, gid: number, index: number): void;
  /** Software has set CRMD.DA and CRMD.PG to the same value, which is undefined. PC is at the instruction. */
  undefinedMode?(cpu: C): void;
  /** Exceptions have been delivered {@link NESTING_LIMIT} times (or a multiple of it) without an `ertn` in between. */
  nested?(cpu: C): void;
}

/** After this many deliveries in a row without a return, the observer is called. It is a power of two. */
export const NESTING_LIMIT = 256;

/** Several observers as one. Each is called, and a CSR write stops when one of them asks for it. */
export function combine<C>(list: readonly CpuObserver<C>[]): CpuObserver<C> {
  const out: CpuObserver<C> = {};
  for (const name of ['exception', 'exited', 'beforeExit', 'entered', 'undefinedMode', 'nested', 'timeRead'] as const) {
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
  const ports = list.filter((o) => o.iocsrAccess);
  if (ports.length)
    out.iocsrAccess = (cpu, write) => {
      for (const o of ports) o.iocsrAccess!(cpu, write);
    };
  const unwritten = list.filter((o) => o.unwrittenRead);
  if (unwritten.length)
    out.unwrittenRead = (cpu, num) => {
      for (const o of unwritten) o.unwrittenRead!(cpu, num);
    };
  const changes = list.filter((o) => o.tlbChanged);
  if (changes.length)
    out.tlbChanged = (cpu, change) => {
      for (const o of changes) o.tlbChanged!(cpu, change);
    };
  const fills = list.filter((o) => o.stage2Filled);
  if (fills.length)
    out.stage2Filled = (cpu, gid, index) => {
      for (const o of fills) o.stage2Filled!(cpu, gid, index);
    };
  const writes = list.filter((o) => o.csrWrite);
  if (writes.length) out.csrWrite = (cpu, write) => writes.map((o) => o.csrWrite!(cpu, write)).includes(true);
  return out;
}
