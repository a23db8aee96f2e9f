/** The benchmark kernels (guests/bench) and the goals for the engine on each. */

export interface Kernel {
  readonly letter: string;
  /** Name of its program in build/bench. */
  readonly name: string;
  readonly text: string;
  /** Speed as a multiple of QEMU's: the minimum, and the goal. Absent: QEMU cannot run it. */
  readonly goal?: { readonly must: number; readonly aim: number };
  /** The event that it repeats, and how often, for a rate. */
  readonly events?: { readonly what: string; readonly count: number };
}

export const KERNELS: readonly Kernel[] = [
  { letter: 'a', name: 'integer', text: 'integer, CoreMark-like', goal: { must: 1.0, aim: 1.5 } },
  { letter: 'b', name: 'memory', text: 'memory, alias-free', goal: { must: 1.2, aim: 2.0 } },
  { letter: 'c', name: 'calls', text: 'calls and branches', goal: { must: 1.0, aim: 1.5 } },
  { letter: 'd', name: 'cold', text: 'cold code, 6000 functions × 100', goal: { must: 0.5, aim: 1.0 } },
  { letter: 'e', name: 'float', text: 'floating point', goal: { must: 1.0, aim: 2.0 } },
  { letter: 'f', name: 'vector', text: 'vectors (LSX)', goal: { must: 1.0, aim: 2.0 } },
  {
    letter: 'g',
    name: 'syscall',
    text: 'system calls and exceptions',
    goal: { must: 1.0, aim: 2.0 },
    events: { what: 'plain exceptions', count: 3_750_000 },
  },
  {
    letter: 'h',
    name: 'hvcl',
    text: 'hvcl exit round trips',
    events: { what: 'exit round trips', count: 2_000_000 },
  },
  {
    letter: 'i',
    name: 'stage2',
    text: 'stage-2 fault storm',
    events: { what: 'stage-2 faults', count: 500_000 },
  },
  { letter: 'j', name: 'context', text: 'context switches with ASID change', goal: { must: 1.0, aim: 1.0 } },
];

/** The speed of a kernel in a guest of the reference hypervisor, compared with the host world. */
export const GUEST_KERNEL = 'integer';
export const GUEST_GOAL = { must: 0.8, aim: 0.95 };
/** Round trips a second. */
export const SWITCH_GOAL = { must: 1e6, aim: 5e6 };
/** Bytes of peak memory beside the RAM that the guest has touched. */
export const MEMORY_GOAL = { must: 300 * 2 ** 20, aim: 150 * 2 ** 20 };
