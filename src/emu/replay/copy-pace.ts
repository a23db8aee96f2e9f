/** How often the running machine is copied: copies may take one part in {@link COST} of the running time. */

const COST = 20;
/** The least and the longest running time between copies, in milliseconds. */
const LEAST_WORK_MS = 30;
const MOST_WORK_MS = 50;
/** About what it costs to keep a page of RAM before it changes, in milliseconds: once for the copy, once to come back to fast code. */
const PAGE_MS = 0.002;

export class CopyPace {
  /** What a copy has cost lately, in milliseconds. */
  private spent = 0;
  /** The running time from one copy to the next, in milliseconds. */
  interval = LEAST_WORK_MS;

  /** A copy was made. @param ms what it took @param pages of RAM that are kept for it */
  paid(ms: number, pages: number): void {
    const spent = ms + pages * PAGE_MS;
    // Another program may have had the processor for some time.
    this.spent += (Math.min(spent, 4 * this.spent + 1) - this.spent) / 4;
    this.interval = Math.min(Math.max(LEAST_WORK_MS, this.spent * COST), MOST_WORK_MS);
  }
}
