/** Which program this is: a run is the same on two machines only with the same program. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT_ROOT } from '../../paths.ts';
import { VERSION } from '../../version.ts';

export interface Identity {
  readonly version: string;
  /** SHA-256 of the program's files. */
  readonly hash: string;
}

/** Hexadecimal digits of a hash that are shown. */
const SHOWN = 12;

export const describeIdentity = ({ version, hash }: Identity): string =>
  `loongscope ${version} (program ${hash.slice(0, SHOWN)})`;

/** Where this process is. */
export const HERE = `${hostname()}, process ${process.pid}`;

/** The bundle is one folder; from the sources it is all of `src`. */
export async function programIdentity(): Promise<Identity> {
  const sources = import.meta.url.endsWith('.ts');
  const folder = sources ? join(PROJECT_ROOT, 'src') : fileURLToPath(new URL('.', import.meta.url));
  const names = (await readdir(folder, { recursive: true })).filter((name) => /\.(ts|js|wasm)$/.test(name)).sort();
  const hash = createHash('sha256');
  for (const name of names)
    hash
      .update(`${name.replaceAll(sep, '/')}\0`)
      .update(readFileSync(join(folder, name)))
      .update('\0');
  return { version: VERSION, hash: hash.digest('hex') };
}
