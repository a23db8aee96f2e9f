/** Streams whose readers may be slow: pipes and terminals. */

/** A stream whose reader may be slow. */
export interface Reader {
  /** Bytes that wait for it. */
  readonly writableLength: number;
  /** It has been given more than it takes at once, and has not said yet that it took that. */
  readonly writableNeedDrain: boolean;
  on(event: 'drain' | 'error', listener: () => void): unknown;
  off(event: 'drain' | 'error', listener: () => void): unknown;
  listeners(event: 'error'): unknown[];
}

/** Has a terminal that does not go on (Ctrl-S) keep what is written, instead of the whole program. */
export function neverBlock(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return;
  const { _handle } = stream as { _handle?: { setBlocking?: (on: boolean) => void } };
  _handle?.setBlocking?.(false);
}
