/**
 * Which copies of the past are kept: many of the last seconds, fewer the longer ago. The distance between neighbours grows with their
 * age, and the way from a copy to any moment behind it with it.
 */

/** Most copies that are kept. */
export const MOST_COPIES = 4000;
/** The distance of copies is the same for the newest of them, up to about this age in milliseconds of running. */
const EVEN_MS = 30_000;

/**
 * The copy that would be missed least: the gap that it would leave is the smallest one for its age.
 * @param work for each copy, oldest first, the running time in milliseconds up to the next one, of the last one up to now
 * @param stays the copies that cannot be removed; the oldest and the newest one stay, too
 * @returns its index; undefined when none can be removed
 */
export function leastMissed(work: readonly number[], stays: (n: number) => boolean): number | undefined {
  let least: number | undefined;
  let smallest = Number.POSITIVE_INFINITY;
  let age = work.at(-1) ?? 0;
  for (let n = work.length - 2; n > 0; n--) {
    // Now `age` is that of the copy behind this one.
    const gap = (work[n - 1]! + work[n]!) / (EVEN_MS + age);
    age += work[n]!;
    if (gap >= smallest || stays(n)) continue;
    smallest = gap;
    least = n;
  }
  return least;
}
