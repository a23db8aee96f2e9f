/** Streams whose readers may be slow: pipes and terminals. */

/** A stream whose reader may be slow. */
export interface Reader {
  /** Bytes that wait for the reader. */
  readonly writableLength: number;
  /** It has more data than it takes at once, and its `drain` event has not happened yet. */
  readonly writableNeedDrain: boolean;
  on(event: 'drain' | 'error', listener: () => void): unknown;
  off(event: 'drain' | 'error', listener: () => void): unknown;
  listeners(event: 'error'): unknown[];
}

/** When a terminal is stopped (Ctrl-S), output is buffered, and the program is not blocked. */
export function neverBlock(stream: NodeJS.WriteStream): void {
  if (!stream.isTTY) return;
  const { _handle } = stream as { _handle?: { setBlocking?: (on: boolean) => void } };
  _handle?.setBlocking?.(false);
}
