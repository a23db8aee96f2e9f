/** The shared folder as programs in Linux see it, and what the host does to it meanwhile. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { haveLinux, initramfs } from './images.ts';
import { LinuxSession } from './session.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-linux-share-'));
afterAll(() => rmSync(folder, { recursive: true }));
const initrd = join(folder, 'initramfs');
const shared = join(folder, 'shared');
const MOUNT = 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072';

describe.skipIf(!haveLinux())('the shared folder in Linux', () => {
  let linux: LinuxSession;
  const output = async (command: string): Promise<string> => (await linux.run(command)).output;

  beforeAll(async () => {
    writeFileSync(initrd, initramfs());
    mkdirSync(join(shared, 'work'), { recursive: true });
    writeFileSync(join(shared, 'share.sh'), readFileSync(join(PROJECT_ROOT, 'test', 'linux', 'share.sh')));
    linux = await LinuxSession.boot({ initrd, share: [{ folder: shared, tag: 'host', readOnly: false }] });
  });

  afterAll(async () => {
    expect(await linux.powerOff()).toBe(0);
  });

  // Without a cache every look is a message. scripts/share-check does the same with one.
  test('files behave as files do', { timeout: 270_000 }, async () => {
    await linux.run(`${MOUNT} host /mnt`);
    const { output: lines } = await linux.run('sh /mnt/share.sh /mnt/work', 240_000);
    expect(lines.split('\n').filter((line) => !line.startsWith('ok '))).toEqual(['done']);
    expect(lines.split('\n').length).toBeGreaterThan(40);
    expect(readdirSync(join(shared, 'work'))).toEqual([]);
    await linux.run('umount /mnt');
  });

  test('what the host moves, removes and replaces stays what the guest has open', async () => {
    await linux.run(`${MOUNT} host /mnt`);
    const at = (...names: string[]): string => join(shared, 'work', ...names);
    const secret = join(folder, 'secret');
    mkdirSync(secret);
    writeFileSync(join(secret, 'file'), 'of nobody else');
    mkdirSync(at('d'));
    writeFileSync(at('d', 'file'), 'shared');
    expect(await output('cd /mnt/work/d; exec 3<>file; exec 4>>file; ls')).toBe('file');
    renameSync(at('d'), at('e'));
    symlinkSync(secret, at('d'));
    expect(await output('cat <&3; echo more >&4')).toBe('shared');
    expect(readFileSync(at('e', 'file'), 'utf8')).toBe('sharedmore\n');
    await linux.run('echo new >new; mkdir inside');
    expect(readdirSync(at('e')).sort()).toEqual(['file', 'inside', 'new']);
    unlinkSync(at('e', 'file'));
    expect(await output('cat <&3; echo again >&4; cat <&3; exec 3>&- 4>&-')).toBe('more\nagain');
    expect(await output('cat /mnt/work/d/file; ls /mnt/work/d/ 2>&1')).not.toMatch(/of nobody|^file/m);
    expect(readdirSync(secret)).toEqual(['file']);
    expect(readFileSync(join(secret, 'file'), 'utf8')).toBe('of nobody else');
    expect(existsSync(at('new'))).toBe(false);
    await linux.run('cd /; umount /mnt');
  });
});
