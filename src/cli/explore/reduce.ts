/** Delta debugging (Zeller and Hildebrandt, 2002): the smallest list, of those tried, that still does it. */

/**
 * Makes a list shorter by putting two items into one.
 * @param merged the items that two may become; none: they stay two
 * @param most tests at most, about
 */
export async function merge<T>(
  all: readonly T[],
  merged: (a: T, b: T) => readonly T[],
  test: Test<T>,
  most: number,
): Promise<readonly T[]> {
  let list = all;
  for (let left = most; left > 0; ) {
    const candidates = list.flatMap((a, n) => {
      const later = list.findIndex((b, m) => m > n && merged(a, b).length > 0);
      if (later < 0) return [];
      const rest = list.filter((_, m) => m !== n && m !== later);
      return merged(a, list[later]!).map((one) => [...rest.slice(0, n), one, ...rest.slice(n)]);
    });
    if (candidates.length === 0) return list;
    left -= candidates.length;
    const does = await test(candidates);
    const shorter = candidates.find((_, n) => does[n]);
    if (!shorter) return list;
    list = shorter;
  }
  return list;
}

/** @returns for each list whether it still does it; they may be tried at the same time */
export type Test<T> = (lists: readonly (readonly T[])[]) => Promise<readonly boolean[]>;

/**
 * @param all does it @param most tests at most, about
 * @returns a part of it that does it, too; no single item of it can be left out, unless the tests were used up
 */
export async function reduce<T>(all: readonly T[], test: Test<T>, most: number): Promise<readonly T[]> {
  let list = all;
  let left = most;
  for (let parts = 2; list.length > 0 && left > 0; ) {
    const size = Math.ceil(list.length / parts);
    const pieces: T[][] = [];
    for (let at = 0; at < list.length; at += size) pieces.push(list.slice(at, at + size));
    const without = pieces.map((piece) => list.filter((item) => !piece.includes(item)));
    // A small part alone is worth a try while there are few.
    const candidates = pieces.length === 2 ? [...pieces, []] : without;
    left -= candidates.length;
    const does = await test(candidates);
    const smaller = candidates.find((_, n) => does[n]);
    if (smaller) {
      list = smaller;
      parts = Math.max(2, Math.min(parts - 1, list.length));
    } else if (size === 1) break;
    else parts = Math.min(list.length, 2 * parts);
  }
  return list;
}
