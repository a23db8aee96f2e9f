/**
 * A guard for ports on loopback. Every program of the machine can open such a port, and a web page can make a browser
 * send a request to it. A browser chooses the first byte itself: the first letter of an HTTP verb, or the 0x16 of TLS. So
 * a port whose protocol begins with other bytes knows by the first one that its peer speaks something else.
 */
export class FirstByteGuard {
  private readonly allowed: ReadonlySet<number>;
  private passed = false;

  /** @param allowed bytes with which a connection of the port's protocol may begin */
  constructor(allowed: Iterable<number>) {
    this.allowed = new Set(allowed);
  }

  /**
   * Looks at what has arrived.
   * @returns the byte with which a stranger has begun; undefined: go on
   */
  stranger(bytes: Uint8Array): number | undefined {
    const [first] = bytes;
    if (this.passed || first === undefined) return undefined;
    if (!this.allowed.has(first)) return first;
    this.passed = true;
    return undefined;
  }
}

/** What a connection that begins with a byte most likely speaks, in words. */
export function describeStranger(first: number): string {
  const hex = `0x${first.toString(16).padStart(2, '0')}`;
  if (first === 0x16) return `${hex}, as TLS does`;
  const letter = String.fromCharCode(first);
  return /[A-Z]/.test(letter) ? `'${letter}', as HTTP does` : hex;
}
