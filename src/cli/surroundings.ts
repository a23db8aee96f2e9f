/** What a machine finds around it: files to boot, disks, folders, a network. A recorded run brings its own. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Disk } from '../emu/devices/virtio/block.ts';
import type { Network } from '../emu/devices/virtio/net.ts';
import type { P9Server } from '../emu/devices/virtio/p9.ts';
import { type DriveSpec, openDrive } from './drives.ts';
import { UsageError } from './errors.ts';
import { openShares } from './file-service.ts';
import type { NetSpec } from './net/spec.ts';
import { openNet } from './network.ts';
import type { ShareSpec } from './share.ts';

export interface Surroundings {
  /** Is there a file? */
  exists(path: string): boolean;
  /** The content of a file. @throws UsageError when it cannot be read */
  read(path: string): Uint8Array;
  /** @throws UsageError */
  drive(spec: DriveSpec, inSandbox: boolean): Disk;
  /** @throws UsageError */
  shares(specs: readonly ShareSpec[], inSandbox: boolean): readonly P9Server[];
  /** The other end of a network card. @throws UsageError */
  net(spec: NetSpec): Network | undefined;
}

/** This computer. */
export const COMPUTER: Surroundings = {
  exists: existsSync,
  read: (path) => {
    try {
      // Node's permission model allows everything below the root, but not the root itself.
      if (resolve(path) === '/' || statSync(path).isDirectory())
        throw new UsageError(`${path} is a folder: give a file`);
      return new Uint8Array(readFileSync(path));
    } catch (error) {
      if (error instanceof UsageError) throw error;
      throw new UsageError(`cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? error}): check the path`);
    }
  },
  drive: openDrive,
  shares: openShares,
  net: openNet,
};
