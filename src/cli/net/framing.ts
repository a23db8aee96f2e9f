/**
 * Frames in a stream: each is preceded by its length, four bytes, the most significant first. QEMU's stream and socket back ends
 * and passt speak it.
 */

const LENGTH_BYTES = 4;

/** A stream that does not consist of frames. */
export class FramingError extends Error {}

export function writeFrame(frame: Uint8Array): Uint8Array {
  const out = new Uint8Array(LENGTH_BYTES + frame.length);
  new DataView(out.buffer).setUint32(0, frame.length);
  out.set(frame, LENGTH_BYTES);
  return out;
}

/** Cuts a stream into frames. */
export class FrameReader {
  private readonly most: number;
  private rest: Buffer = Buffer.alloc(0);

  /** @param most bytes of the longest frame */
  constructor(most: number) {
    this.most = most;
  }

  /** The frames that are complete with these bytes. @throws FramingError when a length is impossible */
  *push(data: Uint8Array): Generator<Uint8Array> {
    let bytes =
      this.rest.length > 0 ? Buffer.concat([this.rest, data]) : Buffer.from(data.buffer, data.byteOffset, data.length);
    while (bytes.length >= LENGTH_BYTES) {
      const length = bytes.readUInt32BE(0);
      if (length > this.most) throw new FramingError(`it announces a frame of ${length} bytes`);
      if (bytes.length < LENGTH_BYTES + length) break;
      yield bytes.subarray(LENGTH_BYTES, LENGTH_BYTES + length);
      bytes = bytes.subarray(LENGTH_BYTES + length);
    }
    // A copy, so that a few bytes do not keep a large piece.
    this.rest = Buffer.from(bytes);
  }
}
