/** The name that was most likely meant. */

/** Of a name's length, the part that may be wrong. */
const MOST_WRONG = 1 / 3;
/** So many letters say enough, when a name begins with them. */
const BEGINNING = 3;

/** Letters to change, add, remove or exchange with the next one between two words (Damerau's distance). */
function distance(a: string, b: string): number {
  let earlier: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, n) => n);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      let least = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, earlier[j - 2]! + 1);
      next.push(least);
    }
    earlier = row;
    row = next;
  }
  return row[b.length]!;
}

/**
 * The shortest name that begins with the text, otherwise the one with the fewest wrong letters.
 * @param of what of the text is compared with a name; left out: all of it
 * @returns undefined when no name is near
 */
export function nearest(
  text: string,
  names: readonly string[],
  of: (text: string, name: string) => string = (t) => t,
): string | undefined {
  const longer = text.length < BEGINNING ? [] : names.filter((name) => name.startsWith(text));
  if (longer.length > 0) return longer.reduce((a, b) => (b.length < a.length ? b : a));
  let best: { readonly name: string; readonly wrong: number } | undefined;
  for (const name of names) {
    const wrong = distance(
      of(text, name)
        .toLowerCase()
        .slice(0, 2 * name.length),
      name.toLowerCase(),
    );
    if (wrong <= name.length * MOST_WRONG && (!best || wrong < best.wrong)) best = { name, wrong };
  }
  return best?.name;
}
