/**
 * Protects ports on loopback. Every program of the computer can connect to such a port, and a web page can make a browser
 * send a request to it. The web page cannot choose the first byte: it is the first letter of an HTTP method, or 0x16 of TLS.
 * So a port whose protocol begins with other bytes can detect a wrong peer by the first byte.
 */
export class FirstByteGuard {
  private readonly allowed: ReadonlySet<number>;
  private passed = false;

  /** @param allowed bytes with which a connection of the port's protocol may begin */
  constructor(allowed: Iterable<number>) {
    this.allowed = new Set(allowed);
  }

  /**
   * Checks the bytes that have arrived.
   * @returns the first byte if it is a wrong one; undefined: go on
   */
  stranger(bytes: Uint8Array): number | undefined {
    const [first] = bytes;
    if (this.passed || first === undefined) return undefined;
    if (!this.allowed.has(first)) return first;
    this.passed = true;
    return undefined;
  }
}

/** The protocol that a connection with this first byte most likely uses, as a text. */
export function describeStranger(first: number): string {
  const hex = `0x${first.toString(16).padStart(2, '0')}`;
  if (first === 0x16) return `${hex}, as TLS does`;
  const letter = String.fromCharCode(first);
  return /[A-Z]/.test(letter) ? `'${letter}', as HTTP does` : hex;
}
