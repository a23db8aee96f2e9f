/** Digests of the sectors of a disk that are known: it says which sectors of some bytes are new. */

const SECTOR = 512;
/** Sectors whose digests are kept together: those of 1 MiB. */
const GROUP = 2048;

/** A digest of a sector; never 0. FNV-1a over 32-bit words. */
function digest(words: Uint32Array, from: number): number {
  let d = 0x811c9dc5;
  for (let n = from; n < from + SECTOR / 4; n++) d = Math.imul(d ^ words[n]!, 0x01000193) ^ (d >>> 15);
  return d >>> 0 || 1;
}

/** A range of bytes. */
interface Range {
  readonly from: number;
  to: number;
  /** Was a sector of it known to be otherwise? */
  known: boolean;
}

export class SectorDigests {
  private readonly groups = new Map<number, Uint32Array>();

  /**
   * The sectors are as these bytes say from now on.
   * @param offset of the bytes on the disk, a multiple of 512, as their number
   * @returns the ranges of the bytes that were not known to be so, neighbours joined
   */
  changed(offset: number, bytes: Uint8Array): readonly Readonly<Range>[] {
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
    const ranges: Range[] = [];
    for (let at = 0; at + SECTOR <= bytes.length; at += SECTOR) {
      const sector = (offset + at) / SECTOR;
      const number = Math.floor(sector / GROUP);
      let group = this.groups.get(number);
      if (!group) {
        group = new Uint32Array(GROUP);
        this.groups.set(number, group);
      }
      const d = digest(words, at >> 2);
      const before = group[sector % GROUP]!;
      if (before === d) continue;
      group[sector % GROUP] = d;
      let last = ranges.at(-1);
      if (last?.to !== at) ranges.push((last = { from: at, to: at, known: false }));
      last.to = at + SECTOR;
      last.known ||= before !== 0;
    }
    return ranges;
  }
}
