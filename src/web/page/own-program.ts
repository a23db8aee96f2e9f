/** Files that the user brings. */
import type { Store } from './store.ts';

/** The machine has so much RAM. A larger file is not even read. */
const MOST_BYTES = 128 * 2 ** 20;

export async function ownProgram(file: File, store: Store): Promise<void> {
  if (file.size > MOST_BYTES) {
    store.hear({ kind: 'failed', text: `${file.name} is larger than the machine (128 MiB): choose a smaller program` });
    return;
  }
  store.select({ kind: 'own', name: file.name, bytes: new Uint8Array(await file.arrayBuffer()) });
}
