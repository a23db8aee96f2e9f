/**
 * What goes through the WebSocket between `loongscope web` and its page: bytes of gdbs. A frame begins with the number of the gdb,
 * 32 bits, little-endian; its bytes follow. A frame without bytes says that this gdb has ended. The server's first message is a text:
 * the address that gdb connects to.
 */
import { viewOf } from '../emu/formats/little-endian.ts';

/** Where the WebSocket is, on the server of the page. */
export const BRIDGE_PATH = '/gdb';
/** The page's address has the token under this name, and so has that of the WebSocket. */
export const TOKEN_NAME = 'gdb';
/** Codes with which the server closes the WebSocket; the reason is in words. */
export const CLOSED = { otherPage: 4001, tooMuch: 4002 } as const;
/** Most bytes that may wait for somebody who does not read them. */
export const MOST_UNREAD = 8 << 20;

const HEAD_BYTES = 4;

export interface Frame {
  readonly gdb: number;
  /** None: it has ended. */
  readonly bytes: Uint8Array;
}

export function encodeFrame({ gdb, bytes }: Frame): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEAD_BYTES + bytes.length);
  viewOf(frame).setUint32(0, gdb, true);
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/** @returns undefined for what is no frame */
export function decodeFrame(frame: Uint8Array): Frame | undefined {
  if (frame.length < HEAD_BYTES) return undefined;
  return { gdb: viewOf(frame).getUint32(0, true), bytes: frame.subarray(HEAD_BYTES) };
}
