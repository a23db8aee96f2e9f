/** As much of the Telnet protocol as a serial line needs (RFC 854, RFC 856, RFC 857, RFC 858). */
const [IAC, DO, WILL, SB, SE] = [255, 253, 251, 250, 240];
const [BINARY, ECHO, SUPPRESS_GO_AHEAD] = [0, 1, 3];

/** The server echoes, no line waits for its end, and bytes have eight bits. */
export const TELNET_GREETING: Uint8Array = Uint8Array.from(
  [
    [IAC, WILL, ECHO],
    [IAC, WILL, SUPPRESS_GO_AHEAD],
    [IAC, WILL, BINARY],
    [IAC, DO, BINARY],
  ].flat() as number[],
);

/** Doubles the byte that begins a command. */
export function telnetEscape(bytes: Uint8Array): Uint8Array {
  if (!bytes.includes(IAC!)) return bytes;
  return Uint8Array.from([...bytes].flatMap((b) => (b === IAC ? [b, b] : [b])));
}

/** Takes commands out of what a client sends. */
export class TelnetFilter {
  /** Inside a command: how far. */
  private state: 'data' | 'command' | 'option' | 'sub' | 'subCommand' = 'data';

  input(bytes: Uint8Array): Uint8Array {
    const out: number[] = [];
    for (const b of bytes) {
      switch (this.state) {
        case 'data':
          if (b === IAC) this.state = 'command';
          else out.push(b);
          break;
        case 'command':
          if (b === IAC) out.push(b);
          this.state = b === SB ? 'sub' : b >= WILL! && b < IAC! ? 'option' : 'data';
          break;
        case 'option':
          this.state = 'data';
          break;
        case 'sub':
          if (b === IAC) this.state = 'subCommand';
          break;
        case 'subCommand':
          this.state = b === SE ? 'data' : 'sub';
          break;
      }
    }
    return Uint8Array.from(out);
  }
}
