/** Content of the page as bytes. */
import type { Packed } from '../protocol.ts';

/** @throws Error when the page is damaged */
export async function unpack(packed: Packed): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
