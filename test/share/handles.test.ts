/** Handles of the shared folder are objects that were looked up once: nothing that is moved about afterwards leads elsewhere. */
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ObjectNumbers } from '../../src/cli/share/numbers.ts';
import { openShare } from '../../src/cli/share.ts';
import { P9Error } from '../../src/emu/devices/virtio/p9-files.ts';
import type { Chain, VirtQueue } from '../../src/emu/devices/virtio/queue.ts';
import { E, O, P9Client, SET, T } from '../support/p9-client.ts';
import { openDescriptors, SECRET, ShareRig } from '../support/share-rig.ts';

const errno = P9Client.errno;
const REMOVE_FOLDER = 0x200;

let rig: ShareRig;
let c: P9Client;
let root: number;

function fresh(options: ConstructorParameters<typeof ShareRig>[0] = {}): void {
  rig = new ShareRig(options);
  c = rig.client;
  root = c.attach();
}

beforeEach(() => fresh());
afterEach(() => rig.dispose());

/** What is in the canary folder, and what it is like. */
const canary = (): unknown => {
  const path = join(rig.canary, 'secret');
  const { mode, size, mtimeMs, nlink } = statSync(path);
  return [readdirSync(rig.canary), readFileSync(path, 'utf8'), mode, size, mtimeMs, nlink];
};

describe('a folder that has been replaced by a link', () => {
  /** A handle of a folder, and of a file below it; then both go, and a link to the canary folder has the folder's name. */
  function replaced(byHost: boolean): { folder: number; file: number } {
    c.mkdir(root, 'd');
    const folder = c.walk(root, 'd');
    c.clunk(c.create(folder, 'secret'));
    writeFileSync(rig.at('d', 'secret'), 'of the guest');
    const file = c.walk(root, 'd', 'secret');
    if (byHost) {
      rmSync(rig.at('d'), { recursive: true });
      symlinkSync(rig.canary, rig.at('d'));
    } else {
      c.unlink(folder, 'secret');
      c.unlink(root, 'd', REMOVE_FOLDER);
      c.symlink(root, 'd', rig.canary);
    }
    expect(lstatSync(rig.at('d')).isSymbolicLink()).toBe(true);
    return { folder, file };
  }

  describe.each([
    ['the guest', false],
    ['the host', true],
  ])('by %s', (_, byHost) => {
    test('a file that was looked up before stays that file', () => {
      const before = canary();
      const { file } = replaced(byHost);
      const { size, links } = c.attributes(file);
      expect([size, links]).toEqual([12n, 0n]);
      c.open(file, O.readWrite);
      expect(c.read(file)).toBe('of the guest');
      c.write(file, 'overwritten');
      c.set(file, SET.size, { size: 0n });
      c.set(file, SET.mode, { mode: 0o600 });
      c.set(file, SET.mtime | SET.mtimeSet, { mtime: 5_000_000_000n });
      expect(c.attributes(file).mode & 0o777).toBe(0o600);
      expect(canary()).toEqual(before);
    });

    test('the folder that was looked up before stays that folder', () => {
      const before = canary();
      const { folder } = replaced(byHost);
      expect(c.list(c.open(c.walk(folder)))).toEqual(['.', '..']);
      expect(errno(() => c.walk(folder, 'secret'))).toBe(E.ENOENT);
      expect(errno(() => c.create(folder, 'new'))).toBe(E.ENOENT);
      expect(errno(() => c.mkdir(folder, 'new'))).toBe(E.ENOENT);
      expect(errno(() => c.symlink(folder, 'new', 'x'))).toBe(E.ENOENT);
      expect(errno(() => c.unlink(folder, 'secret'))).toBe(E.ENOENT);
      expect(errno(() => c.rename(folder, 'secret', root, 'stolen'))).toBe(E.ENOENT);
      c.clunk(c.create(root, 'own'));
      expect(errno(() => c.link(folder, c.walk(root, 'own'), 'new'))).toBe(E.ENOENT);
      expect(errno(() => c.rename(root, 'own', folder, 'new'))).toBe(E.ENOENT);
      expect(canary()).toEqual(before);
    });

    test('an old handle of the file takes nothing out of the canary folder', () => {
      const before = canary();
      const { file } = replaced(byHost);
      expect([E.ENOENT, E.ESTALE, E.ENOTDIR]).toContain(errno(() => c.link(root, file, 'stolen')));
      expect([E.ENOENT, E.ESTALE, E.ENOTDIR]).toContain(errno(() => c.renameItself(file, root, 'stolen')));
      expect([E.ENOENT, E.ESTALE, E.ENOTDIR]).toContain(errno(() => c.remove(file)));
      expect(existsSync(rig.at('stolen'))).toBe(false);
      expect(canary()).toEqual(before);
    });
  });

  test('a link is what it is, whoever made it, and nothing goes through it', () => {
    symlinkSync(rig.canary, rig.at('out'));
    const link = c.walk(root, 'out');
    expect(c.attributes(link).mode & 0o170000).toBe(0o120000);
    expect(c.readlink(link)).toBe(rig.canary);
    expect(errno(() => c.walk(root, 'out', 'secret'))).toBe(E.ENOENT);
    expect(errno(() => c.walk(link, 'secret'))).toBe(E.ENOTDIR);
    expect(errno(() => c.open(link))).toBe(E.ELOOP);
    expect(errno(() => c.create(link, 'new'))).toBe(E.ENOTDIR);
    expect(errno(() => c.mkdir(link, 'new'))).toBe(E.ENOTDIR);
    expect(errno(() => c.unlink(link, 'secret'))).toBe(E.ENOTDIR);
    expect(errno(() => c.set(link, SET.mode, { mode: 0o777 }))).toBe(E.EOPNOTSUPP);
    expect(errno(() => c.set(link, SET.size))).toBe(E.EINVAL);
    // Its own times, not those of what it leads to.
    const { mtimeMs } = statSync(rig.canary);
    c.set(link, SET.mtime | SET.mtimeSet, { mtime: 7_000_000_000n });
    expect(lstatSync(rig.at('out')).mtimeMs).toBe(7000);
    expect(statSync(rig.canary).mtimeMs).toBe(mtimeMs);
    // A second name for the link itself.
    c.link(root, link, 'again');
    expect(readlinkSync(rig.at('again'))).toBe(rig.canary);
  });

  test('a file that is replaced by a link is not followed by a create without O_EXCL', () => {
    symlinkSync(join(rig.canary, 'secret'), rig.at('f'));
    const before = canary();
    expect(errno(() => c.create(root, 'f', O.write | O.truncate))).toBe(E.ELOOP);
    symlinkSync(join(rig.canary, 'new'), rig.at('g'));
    expect(errno(() => c.create(root, 'g'))).toBe(E.ELOOP);
    expect(canary()).toEqual(before);
  });
});

describe('what the host moves about', () => {
  test('a removed file keeps its content while there is a handle', () => {
    writeFileSync(rig.at('f'), 'kept');
    const file = c.walk(root, 'f');
    const open = c.open(c.walk(root, 'f'), O.readWrite);
    unlinkSync(rig.at('f'));
    writeFileSync(rig.at('f'), 'another');
    expect(c.read(open)).toBe('kept');
    c.write(open, 'KEPT');
    expect(c.read(c.open(c.walk(file)))).toBe('KEPT');
    expect(readFileSync(rig.at('f'), 'utf8')).toBe('another');
    // The name is another object's now.
    expect(errno(() => c.remove(file))).toBe(E.ESTALE);
    expect(existsSync(rig.at('f'))).toBe(true);
  });

  test('a renamed file stays the same file', () => {
    writeFileSync(rig.at('a'), 'first');
    const open = c.open(c.walk(root, 'a'), O.readWrite);
    const closed = c.walk(root, 'a');
    renameSync(rig.at('a'), rig.at('b'));
    writeFileSync(rig.at('a'), 'second');
    expect(c.read(open)).toBe('first');
    expect(c.read(c.open(c.walk(closed)))).toBe('first');
    c.write(open, 'FIRST');
    c.set(closed, SET.mode, { mode: 0o640 });
    expect(readFileSync(rig.at('b'), 'utf8')).toBe('FIRST');
    expect(statSync(rig.at('b')).mode & 0o777).toBe(0o640);
    expect(readFileSync(rig.at('a'), 'utf8')).toBe('second');
    // Never the wrong object: neither is linked, moved or removed.
    expect(errno(() => c.link(root, closed, 'l'))).toBe(E.ESTALE);
    expect(errno(() => c.renameItself(closed, root, 'l'))).toBe(E.ESTALE);
    expect(existsSync(rig.at('l'))).toBe(false);
  });

  test('.. never leads out of the folder, even from one that was moved out', () => {
    mkdirSync(rig.at('a', 'b'), { recursive: true });
    const b = c.walk(root, 'a', 'b');
    const top = c.attributes(root).path;
    renameSync(rig.at('a', 'b'), join(rig.canary, 'b'));
    expect(c.attributes(c.walk(b, '..', '..', '..', '..')).path).toBe(top);
    expect(c.attributes(c.walk(root, '..')).path).toBe(top);
    expect(errno(() => c.walk(b, '..', 'secret'))).toBe(E.ENOENT);
    const inside = BigInt(statSync(rig.canary).ino);
    for (const fid of [b, root]) for (const { path } of c.entries(c.open(c.walk(fid)))) expect(path).not.toBe(inside);
  });

  test('handles follow what the guest renames, and what is below it', () => {
    mkdirSync(rig.at('a', 'b'), { recursive: true });
    mkdirSync(rig.at('z'));
    writeFileSync(rig.at('a', 'b', 'f'), 'x');
    const [z, b, f] = [c.walk(root, 'z'), c.walk(root, 'a', 'b'), c.walk(root, 'a', 'b', 'f')];
    c.rename(root, 'a', z, 'moved');
    c.renameItself(f, b, 'g');
    expect(existsSync(rig.at('z', 'moved', 'b', 'g'))).toBe(true);
    c.link(root, f, 'linked');
    expect(readFileSync(rig.at('linked'), 'utf8')).toBe('x');
    c.remove(f);
    expect(readdirSync(rig.at('z', 'moved', 'b'))).toEqual([]);
    expect(c.attributes(c.walk(b, '..', '..')).path).toBe(c.attributes(z).path);
  });

  test('folders that come to lie below each other by turns', () => {
    mkdirSync(rig.at('a', 'b'), { recursive: true });
    const b = c.walk(root, 'a', 'b');
    const a = c.walk(root, 'a');
    renameSync(rig.at('a', 'b'), rig.at('b'));
    // For the guest b lies below a, and now it puts a below b.
    c.rename(root, 'a', b, 'a');
    expect(c.attributes(c.walk(b, ...Array.from({ length: 9 }, () => '..'))).path).toBe(c.attributes(root).path);
    c.handles = structuredClone(c.handles);
    expect(c.list(c.open(c.walk(b)))).toEqual(['.', '..', 'a']);
    expect(errno(() => c.remove(a))).toBe(E.ENOENT);
  });

  test('two names of one file renamed onto each other stay two names', () => {
    writeFileSync(rig.at('a'), '');
    linkSync(rig.at('a'), rig.at('b'));
    const [a, b] = [c.walk(root, 'a'), c.walk(root, 'b')];
    expect(c.attributes(a).path).toBe(c.attributes(b).path);
    c.rename(root, 'a', root, 'b');
    c.remove(b);
    expect(readdirSync(rig.share)).toEqual(['a']);
    c.remove(a);
    expect(readdirSync(rig.share)).toEqual([]);
  });
});

describe('what is never opened', () => {
  test('FIFOs, sockets and devices', async () => {
    execFileSync('mkfifo', [rig.at('fifo')]);
    const server = createServer().listen(rig.at('socket'));
    await new Promise((resolve) => server.on('listening', resolve));
    for (const name of ['fifo', 'socket']) {
      const mode = lstatSync(rig.at(name)).mode;
      for (const flags of [0, O.write, O.readWrite, O.write | O.truncate]) {
        // Opening a FIFO waits for a process at its other end, so this would not return.
        expect(errno(() => c.open(c.walk(root, name), flags))).toBe(E.ENXIO);
        expect(errno(() => c.create(root, name, flags))).toBe(E.ENXIO);
      }
      expect(errno(() => c.set(c.walk(root, name), SET.size))).toBe(E.EINVAL);
      expect(errno(() => c.set(c.walk(root, name), SET.mode, { mode: 0o7777 }))).toBe(E.EOPNOTSUPP);
      expect(lstatSync(rig.at(name)).mode).toBe(mode);
    }
    server.close();
  });

  test('a file that becomes a FIFO between two messages', () => {
    writeFileSync(rig.at('f'), 'a file');
    const file = c.walk(root, 'f');
    unlinkSync(rig.at('f'));
    execFileSync('mkfifo', [rig.at('f')]);
    expect(c.read(c.open(file))).toBe('a file');
    expect(errno(() => c.open(c.walk(root, 'f')))).toBe(E.ENXIO);
  });

  test('device nodes are not made', () => {
    for (const kind of [0o010000, 0o020000, 0o060000, 0o140000])
      expect(
        errno(() =>
          c.call(T.mknod, (w) =>
            w
              .u32(root)
              .text('n')
              .u32(kind | 0o666)
              .u32(1)
              .u32(3)
              .u32(0),
          ),
        ),
      ).toBe(E.EPERM);
    expect(readdirSync(rig.share)).toEqual([]);
  });
});

describe('rights', () => {
  test('a read-only folder stays as it is', () => {
    rig.dispose();
    fresh({ readOnly: true });
    mkdirSync(rig.at('d'));
    writeFileSync(rig.at('f'), 'fixed', { mode: 0o644 });
    const file = c.walk(root, 'f');
    const before = statSync(rig.at('f'));
    const refused: (() => unknown)[] = [
      () => c.open(c.walk(root, 'f'), O.write),
      () => c.open(c.walk(root, 'f'), O.readWrite),
      () => c.open(c.walk(root, 'f'), O.truncate),
      () => c.create(root, 'f', O.readWrite),
      () => c.create(root, 'n', 0),
      () => c.mkdir(root, 'n'),
      () => c.symlink(root, 'n', 'f'),
      () => c.link(root, file, 'n'),
      () => c.unlink(root, 'f'),
      () => c.unlink(root, 'd', REMOVE_FOLDER),
      () => c.rename(root, 'f', root, 'n'),
      () => c.renameItself(file, root, 'n'),
      () => c.remove(c.walk(root, 'f')),
      () => c.set(file, SET.mode, { mode: 0o600 }),
      () => c.set(file, SET.size),
      () => c.set(file, SET.mtime),
      () => c.set(file, SET.atime | SET.atimeSet),
    ];
    for (const body of refused) expect(errno(body), `${body}`).toBe(E.EROFS);
    c.open(file);
    expect(c.read(file)).toBe('fixed');
    expect(errno(() => c.write(file, 'x'))).toBe(E.EBADF);
    const after = statSync(rig.at('f'));
    expect([after.mode, after.mtimeMs, after.size]).toEqual([before.mode, before.mtimeMs, before.size]);
    expect(readdirSync(rig.share)).toEqual(['d', 'f']);
  });

  test('a descriptor can do what it was opened for', () => {
    writeFileSync(rig.at('f'), 'text');
    const reader = c.open(c.walk(root, 'f'));
    const writer = c.open(c.walk(root, 'f'), O.write);
    expect(errno(() => c.write(reader, 'x'))).toBe(E.EBADF);
    expect(errno(() => c.read(writer))).toBe(E.EBADF);
    expect(errno(() => c.read(c.walk(root, 'f')))).toBe(E.EBADF);
    expect(errno(() => c.open(reader))).toBe(E.EINVAL);
    expect(errno(() => c.open(c.walk(root, 'f'), 3))).toBe(E.EINVAL);
    expect(errno(() => c.entries(reader))).toBe(E.ENOTDIR);
    // Even when the file could not be opened that way again.
    const locked = c.create(root, 'locked', O.readWrite, 0o444);
    c.write(locked, '12345');
    c.set(locked, SET.size, { size: 2n });
    expect(c.read(locked)).toBe('12');
    expect(statSync(rig.at('locked')).mode & 0o777).toBe(0o444);
    const adding = c.open(c.walk(root, 'f'), O.write | O.append);
    c.write(adding, '+', 0n);
    expect(readFileSync(rig.at('f'), 'utf8')).toBe('text+');
    c.open(c.walk(root, 'f'), O.write | O.truncate);
    expect(statSync(rig.at('f')).size).toBe(0);
  });

  test("set-user-ID and set-group-ID are not the guest's to give", () => {
    c.clunk(c.create(root, 'f', O.readWrite, 0o6755));
    expect(statSync(rig.at('f')).mode & 0o7777).toBe(0o755);
    c.set(c.walk(root, 'f'), SET.mode, { mode: 0o6711 });
    expect(statSync(rig.at('f')).mode & 0o7777).toBe(0o711);
    c.mkdir(root, 'd', 0o7755);
    c.set(c.walk(root, 'd'), SET.mode, { mode: 0o7777 });
    expect(statSync(rig.at('d')).mode & 0o7777).toBe(0o1777);
  });
});

describe('names, sizes and numbers', () => {
  test('names are bytes', () => {
    const odd = 'n\xff\xfe\xc3';
    writeFileSync(Buffer.from(`${rig.share}/${odd}`, 'latin1'), 'odd');
    expect(c.list(c.open(c.walk(root)))).toEqual(['.', '..', odd]);
    expect(c.read(c.open(c.walk(root, odd)))).toBe('odd');
    c.clunk(c.create(root, '\xe9\x80'));
    c.symlink(root, 'l', 'to\xff');
    expect(c.readlink(c.walk(root, 'l'))).toBe('to\xff');
    expect(
      readdirSync(rig.share, 'buffer')
        .map((b) => b.toString('latin1'))
        .sort(),
    ).toEqual(['l', odd, '\xe9\x80']);
  });

  test('names that lead elsewhere are none', () => {
    writeFileSync(rig.at('f'), '');
    const file = c.walk(root, 'f');
    for (const name of ['', '.', '/', '../canary/secret', '/etc', 'a/b', 'f\0', '\0']) {
      expect(
        errno(() => c.walk(root, name)),
        name,
      ).toBe(E.EINVAL);
      for (const n of [name, '..']) {
        expect(
          errno(() => c.create(root, n)),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.mkdir(root, n)),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.symlink(root, n, 'x')),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.link(root, file, n)),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.unlink(root, n)),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.rename(root, n, root, 'g')),
          n,
        ).toBe(E.EINVAL);
        expect(
          errno(() => c.rename(root, 'f', root, n)),
          n,
        ).toBe(E.EINVAL);
      }
    }
    for (const length of [256, 5000, 65_535]) {
      const long = 'x'.repeat(length);
      expect(errno(() => c.walk(root, long))).toBe(E.ENAMETOOLONG);
      expect(errno(() => c.create(root, long))).toBe(E.ENAMETOOLONG);
    }
    expect(errno(() => c.walk(root, ...Array.from({ length: 17 }, () => '..')))).toBe(E.EINVAL);
    expect(readdirSync(rig.share)).toEqual(['f']);
  });

  test('sizes and offsets that no file has', () => {
    const file = c.create(root, 'f');
    for (const huge of [2n ** 63n, 2n ** 64n - 1n, 2n ** 53n, 2n ** 63n - 1n]) {
      expect(errno(() => c.set(file, SET.size, { size: huge }))).toBe(E.EFBIG);
      expect(errno(() => c.write(file, 'x', huge))).toBe(E.EFBIG);
      expect(c.read(file, huge)).toBe('');
    }
    expect(errno(() => c.set(file, SET.mtime | SET.mtimeSet, { mtime: 2n ** 62n * 1_000_000_000n }))).toBe(E.EINVAL);
    expect(statSync(rig.at('f')).size).toBe(0);
    c.write(file, 'end', 5_000_000_000n);
    expect(c.read(file, 5_000_000_000n)).toBe('end');
    expect(c.attributes(file).size).toBe(5_000_000_003n);
  });

  test('times, before 1970 too; one that is not given stays', () => {
    const file = c.create(root, 'f');
    const near = (a: bigint, b: bigint): void => expect(Math.abs(Number(a - b))).toBeLessThan(1000);
    c.set(file, SET.mtime | SET.mtimeSet | SET.atime | SET.atimeSet, {
      mtime: 1_234_567_890_123_456_789n,
      atime: 5_000_000_000n,
    });
    near(c.attributes(file).mtime, 1_234_567_890_123_456_789n);
    const now = BigInt(Date.now()) * 1_000_000n;
    c.set(file, SET.atime);
    near(c.attributes(file).mtime, 1_234_567_890_123_456_789n);
    expect(c.attributes(file).atime).toBeGreaterThan(now - 5_000_000_000n);
    c.call(T.setattr, (w) => {
      w.u32(file)
        .u32(SET.mtime | SET.mtimeSet)
        .u32(0)
        .u32(0)
        .u32(0)
        .u64(0n)
        .u64(0n)
        .u64(0n);
      w.u64(2n ** 64n - 10n).u64(500_000_000n);
    });
    expect(statSync(rig.at('f')).mtimeMs).toBe(-9500);
    expect(BigInt.asIntN(64, c.attributes(file).mtime)).toBe(
      BigInt.asIntN(64, (2n ** 64n - 10n) * 1_000_000_000n + 500_000_000n),
    );
  });

  test("errors are the host's", () => {
    mkdirSync(rig.at('d', 'e'), { recursive: true });
    writeFileSync(rig.at('f'), '');
    const [d, f] = [c.walk(root, 'd'), c.walk(root, 'f')];
    expect(errno(() => c.unlink(root, 'd', REMOVE_FOLDER))).toBe(E.ENOTEMPTY);
    expect(errno(() => c.unlink(root, 'd'))).toBe(E.EISDIR);
    expect(errno(() => c.unlink(root, 'f', REMOVE_FOLDER))).toBe(E.ENOTDIR);
    expect(errno(() => c.rename(root, 'd', c.walk(d, 'e'), 'x'))).toBe(E.EINVAL);
    expect(errno(() => c.mkdir(root, 'd'))).toBe(E.EEXIST);
    expect(errno(() => c.create(root, 'f', O.write | O.exclusive))).toBe(E.EEXIST);
    expect(errno(() => c.link(root, d, 'x'))).toBe(E.EPERM);
    expect(errno(() => c.walk(f, 'x'))).toBe(E.ENOTDIR);
    expect(errno(() => c.open(d, O.write))).toBe(E.EISDIR);
    expect(errno(() => c.call(T.write, (w) => w.u32(99).u64(0n).u32(0)))).toBe(E.EBADF);
    expect(errno(() => c.readlink(f))).toBe(E.EINVAL);
    c.clunk(c.create(root, 'f', O.write));
  });

  test('objects have numbers of their own, and versions that change', () => {
    const file = c.create(root, 'f');
    const before = c.attributes(file);
    c.write(file, 'x');
    const after = c.attributes(file);
    expect(after.path).toBe(before.path);
    expect(after.version).not.toBe(before.version);
    expect(after.path).toBe(statSync(rig.at('f'), { bigint: true }).ino);
  });
});

describe('numbers of objects', () => {
  test("are unique on several devices, and the folder's own are the host's", () => {
    const numbers = new ObjectNumbers(5n);
    const all = [5n, 6n, 7n].flatMap((device) =>
      [1n, 2n, 2n ** 48n + 1n, 2n ** 63n + 1n].map((inode) => numbers.of(device, inode)),
    );
    expect(new Set(all).size).toBe(12);
    for (const n of all) expect(BigInt.asUintN(64, n)).toBe(n);
    expect(numbers.of(5n, 12_345n)).toBe(12_345n);
    expect(numbers.of(7n, 2n)).toBe(all[9]);
  });

  test('do not run out without an error', () => {
    const numbers = new ObjectNumbers(0n);
    for (let device = 1n; device < 2n ** 16n; device++) numbers.of(device, 1n);
    expect(() => numbers.of(2n ** 16n, 1n)).toThrow(P9Error);
    expect(numbers.of(2n ** 16n - 1n, 2n)).toBe(((2n ** 16n - 1n) << 48n) | 2n);
  });
});

describe('bounds', () => {
  test('few descriptors serve many handles', () => {
    rig.dispose();
    fresh({ descriptors: 64 });
    const before = openDescriptors();
    mkdirSync(rig.at('a', 'b', 'c'), { recursive: true });
    const files = Array.from({ length: 500 }, (_, n) => {
      writeFileSync(rig.at('a', 'b', 'c', `f${n}`), `${n}`);
      return c.walk(root, 'a', 'b', 'c', `f${n}`);
    });
    expect(openDescriptors() - before).toBeLessThan(64);
    for (const [n, fid] of files.entries()) {
      const open = c.open(c.walk(fid));
      expect(c.read(open)).toBe(`${n}`);
      c.clunk(open);
    }
  });

  test('open files are bounded, and closing some makes room', () => {
    rig.dispose();
    fresh({ descriptors: 64 });
    writeFileSync(rig.at('f'), 'x');
    const open: number[] = [];
    let refused = 0;
    for (let n = 0; n < 100 && !refused; n++) refused = errno(() => open.push(c.open(c.walk(root, 'f'))));
    expect(refused).toBe(E.ENFILE);
    expect(open.length).toBeGreaterThan(50);
    c.clunk(open.pop()!);
    c.clunk(open.pop()!);
    expect(c.read(c.open(c.walk(root, 'f')))).toBe('x');
  });

  test('a parked handle is the same object again, or stale', () => {
    rig.dispose();
    fresh({ descriptors: 64 });
    for (let n = 0; n < 200; n++) writeFileSync(rig.at(`f${n}`), `${n}`);
    const fids = Array.from({ length: 200 }, (_, n) => c.walk(root, `f${n}`));
    unlinkSync(rig.at('f1'));
    symlinkSync(join(rig.canary, 'secret'), rig.at('f1'));
    unlinkSync(rig.at('f2'));
    rmSync(rig.at('f3'));
    mkdirSync(rig.at('f3'));
    expect(c.read(c.open(fids[0]!))).toBe('0');
    for (const n of [1, 2, 3]) expect(errno(() => c.open(fids[n]!))).toBe(E.ESTALE);
    // What the guest itself has moved or removed is not forgotten.
    c.rename(root, 'f10', root, 'g');
    const kept = c.walk(root, 'f20');
    c.unlink(root, 'f20');
    for (let n = 100; n < 200; n++) c.attributes(fids[n]!);
    expect(c.read(c.open(fids[10]!))).toBe('10');
    expect(c.read(c.open(kept))).toBe('20');
  });

  test('handles are bounded', () => {
    let refused = 0;
    let n = 0;
    while (!refused && n < 70_000) {
      n++;
      refused = errno(() =>
        c.call(T.walk, (w) =>
          w
            .u32(root)
            .u32(1000 + n)
            .u16(0),
        ),
      );
    }
    expect([refused, n]).toEqual([E.ENFILE, 65_536]);
    c.clunk(1001);
    c.clunk(c.walk(root));
  });

  test('numbers that are in use, or none', () => {
    writeFileSync(rig.at('f'), '');
    const file = c.walk(root, 'f');
    const walk = (from: number, to: number, ...names: string[]): unknown =>
      c.call(T.walk, (w) => names.reduce((x, n) => x.text(n), w.u32(from).u32(to).u16(names.length)));
    expect(errno(() => walk(root, file))).toBe(E.EINVAL);
    expect(errno(() => walk(root, 0xffffffff))).toBe(E.EINVAL);
    expect(errno(() => walk(777, 778))).toBe(E.EBADF);
    expect(errno(() => c.call(T.attach, (w) => w.u32(file).u32(0).text('').text('').u32(0)))).toBe(E.EINVAL);
    // In place: a handle that is open has no second meaning.
    const folder = c.walk(root);
    walk(folder, folder, 'f');
    c.open(folder);
    expect(errno(() => walk(folder, folder))).toBe(E.EINVAL);
    // Names that lead on in part leave the handle alone.
    const top = c.walk(root);
    expect(c.call(T.walk, (w) => w.u32(top).u32(top).u16(2).text('f').text('x')).u16()).toBe(1);
    expect(c.attributes(top).path).toBe(c.attributes(root).path);
  });

  test('messages that are too long, too short, or lie about it', () => {
    const answer = (...bytes: number[]): number => {
      const out = c.send(Uint8Array.from(bytes));
      return out[4] === T.error + 1 ? new DataView(out.buffer, out.byteOffset).getUint32(7, true) : 0;
    };
    expect(answer()).toBe(E.EINVAL);
    expect(answer(7, 0, 0, 0, T.clunk, 0)).toBe(E.EINVAL);
    expect(answer(200, 0, 0, 0, T.clunk, 0, 0, 1, 0, 0, 0)).toBe(E.EINVAL);
    expect(answer(0, 0, 0, 0, T.clunk, 0, 0, 1, 0, 0, 0)).toBe(E.EINVAL);
    expect(errno(() => c.call(T.version, (w) => w.u32(100).text('9P2000.L')))).toBe(E.EMSGSIZE);
    expect(
      errno(() =>
        c.call(T.mkdir, (w) => w.u32(root).text('x'.repeat(60_000)).text('y'.repeat(65_000)).text('z'.repeat(65_000))),
      ),
    ).toBe(E.EMSGSIZE);
    const file = c.create(root, 'f');
    expect(errno(() => c.call(T.write, (w) => w.u32(file).u64(0n).u32(0xffffffff).u8(1)))).toBe(E.EINVAL);
    c.write(file, 'x'.repeat(5000));
    // No more is read than the driver has room for.
    expect(c.call(T.read, (w) => w.u32(file).u64(0n).u32(0xffffffff), 100).u32()).toBe(100 - 11);
    expect(errno(() => c.call(T.read, (w) => w.u32(file).u64(0n).u32(10), 8))).toBe(E.EINVAL);
  });

  test('a request that is longer than any message is not even read', () => {
    const answers: Uint8Array[] = [];
    const chain = {
      readableBytes: 64 * 2 ** 20,
      writableBytes: 4096,
      read: () => {
        throw new Error('it was read');
      },
      write: (answer: Uint8Array) => answers.push(answer),
    } as unknown as Chain;
    const chains = [chain];
    const queues = [{ pop: () => chains.pop() } as unknown as VirtQueue];
    c.device.attach({ queues, complete: () => {}, guard: (body) => body(), live: true, version1: true, now: () => 0 });
    c.device.notified(0);
    expect(answers.map((a) => a[4])).toEqual([T.error + 1]);
  });

  test('a large folder is read in steps, from any place', () => {
    mkdirSync(rig.at('d'));
    for (let n = 0; n < 2000; n++) writeFileSync(rig.at('d', `file-${n}`), '');
    const d = c.open(c.walk(root, 'd'));
    const all = c.list(d);
    expect(all.length).toBe(2002);
    expect(new Set(all).size).toBe(2002);
    const first = c.entries(d, 0n);
    const second = c.entries(d, first.at(-1)!.next);
    expect(c.entries(d, first[10]!.next)[0]).toEqual(first[11]);
    expect(c.entries(d, first.at(-1)!.next)).toEqual(second);
    expect(c.entries(d, 2n ** 63n)).toEqual([]);
    expect(c.entries(d, 2002n)).toEqual([]);
    expect(errno(() => c.entries(d, 0n, 10))).toBe(E.EINVAL);
    // As rm -r does it.
    const again = c.open(c.walk(root, 'd'));
    const folder = c.walk(root, 'd');
    for (let offset = 0n; ; ) {
      const some = c.entries(again, offset);
      if (some.length === 0) break;
      offset = some.at(-1)!.next;
      for (const { name } of some) if (!name.startsWith('.')) c.unlink(folder, name);
    }
    expect(readdirSync(rig.at('d'))).toEqual([]);
    rmdirSync(rig.at('d'));
    expect(c.entries(again, 0n).map((e) => e.name)).toEqual(['.', '..']);
  });

  test('a chain of folders that is longer than there are descriptors', () => {
    rig.dispose();
    fresh({ descriptors: 64 });
    const before = openDescriptors();
    let folder = c.walk(root);
    for (let n = 0; n < 1000; n++) {
      c.mkdir(folder, 'd');
      const next = c.walk(folder, 'd');
      c.clunk(folder);
      folder = next;
    }
    const saved = structuredClone(c.handles);
    expect(saved.nodes.length).toBe(1001);
    const { path } = c.attributes(folder);
    c.device.reset();
    expect(openDescriptors()).toBe(before);
    c.handles = saved;
    expect(c.attributes(folder).path).toBe(path);
    c.device.reset();
    expect(openDescriptors()).toBe(before);
  });
});

describe('a state that is put back', () => {
  /** As a snapshot: nothing of the device's own is left. */
  const reload = (): void => {
    const saved = structuredClone(c.handles);
    c.device.reset();
    c.handles = saved;
  };

  test('handles, open files and places in folders', () => {
    mkdirSync(rig.at('a', 'b'), { recursive: true });
    writeFileSync(rig.at('a', 'f'), 'text');
    const [b, closed] = [c.walk(root, 'a', 'b'), c.walk(root, 'a', 'f')];
    const file = c.open(c.walk(root, 'a', 'f'), O.write | O.append | O.truncate);
    c.write(file, 'one');
    const list = c.open(c.walk(root, 'a'));
    const [first, ...rest] = c.entries(list);
    reload();
    c.write(file, ' two');
    expect(errno(() => c.read(file))).toBe(E.EBADF);
    expect(readFileSync(rig.at('a', 'f'), 'utf8')).toBe('one two');
    expect(c.read(c.open(closed))).toBe('one two');
    expect(c.entries(list, first!.next)).toEqual(rest);
    expect(c.attributes(c.walk(b, '..', 'b')).path).toBe(c.attributes(b).path);
    c.renameItself(b, root, 'c');
    expect(existsSync(rig.at('c'))).toBe(true);
  });

  test("what is not the same object any more is stale, and never a link's target", () => {
    mkdirSync(rig.at('d'));
    writeFileSync(rig.at('d', 'secret'), 'x');
    writeFileSync(rig.at('f'), 'x');
    const [inside, f] = [c.walk(root, 'd', 'secret'), c.walk(root, 'f')];
    const open = c.open(c.walk(root, 'd', 'secret'), O.readWrite);
    const saved = structuredClone(c.handles);
    c.device.reset();
    renameSync(rig.at('d'), rig.at('e'));
    symlinkSync(rig.canary, rig.at('d'));
    renameSync(rig.at('f'), rig.at('g'));
    writeFileSync(rig.at('f'), 'y');
    c.handles = saved;
    for (const fid of [inside, f]) {
      expect(errno(() => c.attributes(fid))).toBe(E.ESTALE);
      expect(errno(() => c.open(fid, O.readWrite))).toBe(E.ESTALE);
      expect([E.ESTALE, E.ENOTDIR]).toContain(errno(() => c.remove(c.walk(fid))));
    }
    expect(errno(() => c.read(open))).toBe(E.ESTALE);
    expect(errno(() => c.write(open, SECRET))).toBe(E.ESTALE);
    c.clunk(open);
    c.clunk(inside);
    expect(canary()).toEqual([['secret'], SECRET, expect.anything(), SECRET.length, expect.anything(), 1]);
  });

  test('going back keeps what is still open, whatever its name is now', () => {
    const before = openDescriptors();
    const file = c.create(root, 'f', O.readWrite, 0o444);
    c.write(file, 'still here');
    const saved = structuredClone(c.handles);
    c.unlink(root, 'f');
    const later = c.walk(root);
    c.handles = saved;
    expect(c.read(file)).toBe('still here');
    expect(errno(() => c.attributes(later))).toBe(E.EBADF);
    c.device.reset();
    expect(openDescriptors()).toBe(before);
  });

  test('a state that somebody has made up does no harm', () => {
    writeFileSync(rig.at('f'), '');
    const { path } = c.attributes(c.walk(root, 'f'));
    const secret = statSync(join(rig.canary, 'secret'), { bigint: true }).ino;
    const top = { parent: 0, name: undefined, path: c.attributes(root).path, kind: 0o040000 };
    c.handles = {
      nodes: [
        top,
        { parent: 0, name: '../canary/secret', path: secret, kind: 0o100000 },
        { parent: 0, name: '..', path: 1n, kind: 0o040000 },
        { parent: 9, name: 'f', path, kind: 0o100000 },
        { parent: 4, name: 'g', path: 3n, kind: 0o010000 },
      ],
      fids: [1, 2, 3, 4, 5].map((n) => ({ fid: n, node: n, flags: n === 3 ? 0o1001 : -1 })),
    };
    for (const fid of [1, 2, 4]) expect([E.EINVAL, E.ESTALE]).toContain(errno(() => c.attributes(fid)));
    expect(c.write(3, 'x')).toBe(1);
    expect(errno(() => c.attributes(5))).toBe(E.EBADF);
  });
});

test('permissions of the host hold', () => {
  // As root everything may be opened: then there is nothing to see.
  if (process.getuid!() === 0) return;
  writeFileSync(rig.at('f'), 'x');
  chmodSync(rig.at('f'), 0);
  expect(errno(() => c.open(c.walk(root, 'f')))).toBe(13);
});

test('a system without names for open folders refuses', () => {
  const { platform } = process;
  Object.defineProperty(process, 'platform', { value: 'darwin' });
  try {
    expect(() => openShare({ folder: rig.share, tag: 'host', readOnly: false })).toThrow(
      /^--share: this system \(darwin\) has no names for open folders.*: run on Linux/,
    );
  } finally {
    Object.defineProperty(process, 'platform', { value: platform });
  }
});
