/** What a decision of the dial `store` says, packed into its value. */

/** How the stores of some instructions wait. */
export interface StoreWait {
  /** From the instruction of the decision on, so many instructions of the CPU: 1 to {@link MOST_WAIT}. */
  readonly instructions: number;
  /** Bit n (modulo 8): the store n of them does not wait for those before it. */
  readonly early: number;
  /** They wait so many ticks at least: 1 to {@link MOST_WAIT}. */
  readonly ticks: number;
}

/** Largest numbers that fit. */
export const MOST_WAIT = { instructions: 63, early: 255, ticks: 10_000 } as const;
const [EARLY, TICKS] = [MOST_WAIT.instructions + 1, (MOST_WAIT.instructions + 1) * (MOST_WAIT.early + 1)];

/** Greater than 0, as the value of every decision. */
export const packWait = ({ instructions, early, ticks }: StoreWait): number =>
  instructions + EARLY * early + TICKS * ticks;

/** The opposite of {@link packWait}. Every value of a file means something. */
export const waitOf = (value: number): StoreWait => ({
  instructions: Math.max(1, value % EARLY),
  early: Math.floor(value / EARLY) % (MOST_WAIT.early + 1),
  ticks: Math.min(Math.max(1, Math.floor(value / TICKS)), MOST_WAIT.ticks),
});
