/** Chooses few inputs that together reach as much of the program as many do: by the blocks that V8 has seen run. */
import { readdirSync, readFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import type { Area } from './areas.ts';

export interface Candidate {
  readonly name: string;
  readonly data: Uint8Array;
}

/** Files of a folder, the smallest first. */
export const candidatesIn = (folder: string): Candidate[] =>
  readdirSync(folder)
    .map((name) => ({ name, data: new Uint8Array(readFileSync(join(folder, name))) }))
    .sort((a, b) => a.data.length - b.data.length);

/**
 * Which inputs to keep: each reaches a block that those before it do not.
 * @param known inputs that are there in any case, seeds among them
 */
export function chosen({ fuzz }: Area, known: readonly Uint8Array[], candidates: readonly Candidate[]): Candidate[] {
  const session = new Session();
  session.connect();
  session.post('Profiler.enable');
  session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  const seen = new Set<string>();
  /** Runs an input. @returns whether it reaches anything new; not when it is a fault */
  const isNew = (data: Uint8Array): boolean => {
    let fine = true;
    try {
      fuzz(data);
    } catch {
      fine = false;
    }
    const before = seen.size;
    session.post('Profiler.takePreciseCoverage', (_, { result }) => {
      for (const { url, functions } of result)
        if (url.includes('/src/'))
          for (const { ranges } of functions)
            for (const { count, startOffset, endOffset } of ranges)
              if (count > 0) seen.add(`${url}:${startOffset}:${endOffset}`);
    });
    return fine && seen.size > before;
  };
  for (const data of known) isNew(data);
  const out = candidates.filter(({ data }) => isNew(data));
  session.disconnect();
  return out;
}
