/** Looks for bytes in bytes, in a time that does not depend on what they are (Knuth, Morris and Pratt). */

/** @param pattern at least one byte. @returns a function that gives the place of the first match in some bytes, −1 when there is none */
export function byteSearch(pattern: Uint8Array): (bytes: Uint8Array) => number {
  /** How many bytes of the pattern still match behind a mismatch. */
  const rest = new Int32Array(pattern.length);
  for (let n = 1, k = 0; n < pattern.length; n++) {
    while (k > 0 && pattern[n] !== pattern[k]) k = rest[k - 1]!;
    if (pattern[n] === pattern[k]) k++;
    rest[n] = k;
  }
  return (bytes) => {
    for (let n = 0, k = 0; n < bytes.length; n++) {
      // The engine finds one byte faster.
      if (k === 0) n = bytes.indexOf(pattern[0]!, n);
      if (n < 0) return -1;
      while (k > 0 && bytes[n] !== pattern[k]) k = rest[k - 1]!;
      if (bytes[n] === pattern[k]) k++;
      if (k === pattern.length) return n + 1 - k;
    }
    return -1;
  };
}
