/** Waits for an event, instead of sleeping for a fixed time. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Client } from '../../src/emu/debug/stop.ts';

/** Longest wait, on a busy computer. */
const PATIENCE_MS = 30_000;

/** Resolves when a condition is true. @throws Error when it does not become true */
export async function until(what: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  while (!what()) {
    if (Date.now() > end) throw new Error(`did not happen: ${what}`);
    await sleep(2);
  }
}

/** The clients that are connected. */
export const clientsOf = (control: RunControl): readonly Client[] => [
  ...(Reflect.get(Reflect.get(control, 'clients'), 'list') as ReadonlySet<Client>),
];
