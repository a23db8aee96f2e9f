/** Which system this is, for advice that names its commands. */
import { readFileSync } from 'node:fs';

/** `debian` (with those that are made from it), another ID of a Linux distribution, or Node's name: `darwin`, `win32`. */
export function systemName(): string {
  if (process.platform !== 'linux') return process.platform;
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    const of = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)`, 'm').exec(text)?.[1] ?? '';
    return /debian|ubuntu/.test(`${of('ID')} ${of('ID_LIKE')}`) ? 'debian' : of('ID') || 'linux';
  } catch {
    return 'linux';
  }
}
