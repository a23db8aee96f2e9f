const UNITS: Readonly<Record<string, number>> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

/** `128M` as a number of bytes; undefined: it is no size. */
export function sizeOf(text: string): number | undefined {
  const m = /^(\d+)([KMG]?)B?$/i.exec(text);
  return m ? Number(m[1]) * UNITS[m[2]!.toUpperCase()]! : undefined;
}
