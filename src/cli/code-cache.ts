/** The file in which hot code is remembered from run to run. Without it, or with a damaged one, everything works as well. */
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { HotPages } from '../emu/engine/translator/hot-pages.ts';

/** $XDG_CACHE_HOME/loongscope, or ~/.cache/loongscope. */
export const defaultCacheFile = (): string =>
  join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'loongscope', 'hot-pages.json');

/** What earlier runs have noted; nothing when the file is not there or not readable. */
export function readCache(file: string): HotPages {
  try {
    return HotPages.parse(readFileSync(file, 'utf8'));
  } catch {
    return new HotPages();
  }
}

/** Not Node's recursive form: in places like /proc that never comes back. */
function makeFolder(folder: string): void {
  if (!existsSync(folder)) mkdirSync(folder);
}

/**
 * Adds this run's notes to the file, which another process may be writing too: each puts a whole file in place.
 * @returns why it was not possible, undefined when it was
 */
export function writeCache(file: string, pages: HotPages): string | undefined {
  const temporary = `${file}.${process.pid}`;
  try {
    pages.merge(readCache(file));
    makeFolder(dirname(dirname(file)));
    makeFolder(dirname(file));
    writeFileSync(temporary, pages.serialize());
    renameSync(temporary, file);
    return undefined;
  } catch (error) {
    if (existsSync(temporary)) rmSync(temporary);
    return error instanceof Error ? error.message : String(error);
  }
}
