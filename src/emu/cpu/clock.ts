/** Frequency of the stable counter in Hz; virtual time has one tick an instruction. */
export const TIMER_HZ = 100_000_000;
