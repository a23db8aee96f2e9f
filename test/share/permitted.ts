/** Uses a shared folder; run by permissions.test.ts in a process that may touch nothing but names of descriptors. Argument: the folder. */
import { symlinkSync } from 'node:fs';
import { openShare } from '../../src/cli/share.ts';
import { O, P9Client, SET } from '../support/p9-client.ts';

const folder = process.argv[2]!;
const made: string[] = [];
const makeLink = (_: Buffer, path: Buffer): void => {
  made.push(path.toString().replace(/\d+/, 'N'));
};
const c = new P9Client(openShare({ folder, tag: 'host', readOnly: false }, { makeLink }));
const root = c.attach();
c.mkdir(root, 'd');
const d = c.walk(root, 'd');
const f = c.create(d, 'f\xff');
c.write(f, 'text');
c.set(f, SET.mode, { mode: 0o600 });
c.set(f, SET.size, { size: 3n });
c.set(c.walk(d, 'f\xff'), SET.size, { size: 2n });
c.set(f, SET.mtime | SET.mtimeSet, { mtime: 5_000_000_000n });
c.call(50, (w) => w.u32(f).u32(0));
c.link(root, f, 'second');
c.rename(root, 'second', d, 'third');
const link = c.walk(root, 'link');
const target = c.readlink(link);
c.set(link, SET.mtime | SET.mtimeSet, { mtime: 6_000_000_000n });
const names = c.list(c.open(c.walk(d)));
const text = c.read(c.open(c.walk(d, 'third'), O.readWrite));
c.unlink(d, 'third');
c.remove(c.walk(d, 'f\xff'));
c.unlink(root, 'd', 0x200);
// There is nobody who makes it.
const asked = P9Client.errno(() => c.symlink(root, 'new', 'x'));
c.call(8, (w) => w.u32(root));
let denied = '';
try {
  symlinkSync('x', `${folder}/y`);
} catch (error) {
  denied = (error as NodeJS.ErrnoException).code ?? '';
}
console.log(JSON.stringify({ names, text, target, asked, made, denied }));
