/** A shared folder, and a secret file next to it. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SharedTreeOptions } from '../../src/cli/share/tree.ts';
import { openShare } from '../../src/cli/share.ts';
import { P9Client } from './p9-client.ts';

export const SECRET = 'what no guest may see';

/** Open descriptors of this process. */
export const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

export class ShareRig {
  /** The folder that contains both. */
  readonly base = realpathSync(mkdtempSync(join(tmpdir(), 'loongscope-share-')));
  readonly share = join(this.base, 'share');
  readonly canary = join(this.base, 'canary');
  readonly client: P9Client;

  constructor(options: Partial<SharedTreeOptions> = {}) {
    mkdirSync(this.share);
    mkdirSync(this.canary);
    writeFileSync(join(this.canary, 'secret'), SECRET);
    const readOnly = options.readOnly ?? false;
    this.client = new P9Client(openShare({ folder: this.share, tag: 'host', readOnly }, options));
  }

  /** A place in the shared folder. */
  at(...names: string[]): string {
    return join(this.share, ...names);
  }

  dispose(): void {
    this.client.device.reset();
    // Node's recursive removal is slow for deep folders.
    execFileSync('rm', ['-rf', this.base]);
  }
}
