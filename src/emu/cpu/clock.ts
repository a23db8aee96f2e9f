/** Frequency of the stable counter in Hz; virtual time has one tick an instruction. */
export const TIMER_HZ = 100_000_000;

/** The stable counter in real time: whole ticks since power-on, the same for all CPUs. */
export type Clock = () => number;
