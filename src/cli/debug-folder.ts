/** Where a gdb that this program starts finds its machine: a socket in a folder of its own, or a port where gdb knows no such sockets. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Address } from '../gdbstub/server.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** gdb on Windows connects to ports alone. */
const HAS_SOCKETS = process.platform !== 'win32';

export interface DebugFolder {
  readonly path: string;
  /** What the machine listens on. */
  readonly address: Address;
  remove(): void;
}

export function openDebugFolder(): DebugFolder {
  const path = temporaryFolder('loongscope-');
  return {
    path,
    address: HAS_SOCKETS ? { path: join(path, 'gdb') } : { host: '127.0.0.1', port: 0 },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** As an option has it. */
export const addressOption = (address: Address): string =>
  'path' in address ? `unix:${address.path}` : `${address.host}:${address.port}`;
