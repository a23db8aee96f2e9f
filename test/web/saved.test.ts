/** Snapshots and recordings of the page: the command line opens them, and the page opens those of the command line. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { execa } from 'execa';
import { afterAll, describe, expect, test } from 'vitest';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { restoreSnapshot, unpackSnapshot } from '../../src/cli/snapshots.ts';
import { registersDigest } from '../../src/emu/check/state-digest.ts';
import { VirtioEntropy } from '../../src/emu/devices/virtio/entropy.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { ramDigest } from '../../src/emu/replay/page-digests.ts';
import type { OwnProgram, SavedKind } from '../../src/web/protocol.ts';
import { Page } from '../support/desk-page.ts';

const MAIN = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
const folder = mkdtempSync(join(tmpdir(), 'loongscope-saved-'));
afterAll(() => rmSync(folder, { recursive: true }));
const loongscope = (...args: string[]) =>
  execa(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, ...args], {
    ...{ cwd: PROJECT_ROOT, reject: false, stdin: 'ignore' },
  });

async function saved(page: Page, what: SavedKind): Promise<OwnProgram> {
  const file = page.next('file');
  page.ask({ kind: 'save', what });
  const { name, bytes } = await file;
  return { name, bytes };
}

/** A file of the page's on the disk. */
function keep({ name, bytes }: OwnProgram): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const plain = (text: string): string => text.replaceAll('\r', '').trimEnd();

/** Digests of the machine that the command line makes of a snapshot: of all its architectural state, and of its RAM. */
function digestsOf({ name, bytes }: OwnProgram): { readonly digest: string; readonly ram: string } {
  const snapshot = unpackSnapshot(bytes, name);
  const { cpus, ramSize, features, seed } = snapshot.machine;
  const cards = [{ virtio: new VirtioEntropy(seed) }];
  const machine = new Machine({ runtime: nodeRuntime, cpus, ramSize, features, seed, cards, console: () => {} });
  restoreSnapshot(machine, snapshot, name);
  return { digest: registersDigest(machine), ram: ramDigest(machine.ram) };
}

describe('a snapshot', () => {
  test('of the page goes on at the command line, with the same state', async () => {
    const page = new Page();
    await page.boot('h1-solution');
    const { at } = await page.state({ kind: 'go', to: 3000 });
    expect(at).toBe(3000);
    const file = await saved(page, 'snapshot');
    expect(file.name).toBe('h1-solution.snapshot');
    await page.state({ kind: 'run' });
    const { stdout, exitCode } = await loongscope('run', '--snapshot', keep(file));
    expect(exitCode).toBe(0);
    const all = plain(page.console);
    expect(all.endsWith(plain(stdout))).toBe(true);
    expect(plain(stdout)).toMatch(/h1: end$/);
    // The recording has the digests of the machine in the page.
    await page.state({ kind: 'go', to: 3000 });
    const { entries } = readRecording(keep(await saved(page, 'recording')));
    expect(entries).toEqual([{ kind: 'check', at: 3000, ...digestsOf(file) }]);
    expect(unpackSnapshot(file.bytes, file.name).symbols?.length).toBe(1);
  });

  test('of the command line goes on in the page, and is saved there with the same state', async () => {
    const page = new Page();
    await page.boot('hello');
    await page.state({ kind: 'go', to: 20000 });
    const first = await saved(page, 'snapshot');
    const packed = zstdCompressSync(zstdDecompressSync(first.bytes));
    const other = new Page();
    const view = await other.state({ kind: 'boot', program: { name: 'hello.snapshot', bytes: packed } });
    expect(view).toMatchObject({ phase: 'stopped', at: 20000 });
    const second = await saved(other, 'snapshot');
    expect(digestsOf(second)).toEqual(digestsOf(first));
    const end = await other.state({ kind: 'run' });
    expect(end.phase).toBe('off');
    expect((await page.state({ kind: 'run' })).at).toBe(end.at);
    // Names of both worlds are there.
    expect(end.worlds[0]!.place).toMatch(/power_off/);
  });

  test.each([
    ['damaged', (b: Uint8Array) => b.map((x, n) => (n === 5 ? 0xff : x)), /is no snapshot, or damaged/],
    ['cut off', (b: Uint8Array) => b.subarray(0, b.length / 2), /is no snapshot, or damaged/],
    ['something else in zstd', () => zstdCompressSync('nothing'), /cannot be loaded/],
  ])('%s is refused in one line', async (_, change, message) => {
    const page = new Page();
    await page.boot('h1-solution');
    const { bytes } = await saved(page, 'snapshot');
    const failed = page.next('failed');
    page.ask({ kind: 'boot', program: { name: 'x.snapshot', bytes: Uint8Array.from(change(bytes)) } });
    const { text } = await failed;
    expect(text).toMatch(message);
    expect(text).not.toMatch(/\n|should not happen/);
  });

  test('of a machine that a page cannot have is refused', async () => {
    const two = join(folder, 'two.snapshot');
    const page = new Page();
    await page.boot('h1-solution');
    const image = unpackSnapshot((await saved(page, 'snapshot')).bytes, 'x');
    const { encodeSnapshot } = await import('../../src/emu/replay/snapshot-file.ts');
    const bytes = zstdCompressSync(encodeSnapshot({ ...image, machine: { ...image.machine, cpus: 2 } }));
    writeFileSync(two, bytes);
    const failed = page.next('failed');
    page.ask({ kind: 'boot', program: { name: 'two.snapshot', bytes: Uint8Array.from(bytes) } });
    expect((await failed).text).toMatch(/two\.snapshot has 2 CPUs .*: loongscope debug --snapshot opens it/);
  });
});

describe('a recording', () => {
  test.each(['h1-solution', 'hello'])('of %s in the page is repeated by the command line', async (key) => {
    const page = new Page();
    await page.boot(key);
    await page.state({ kind: 'step' });
    await page.state({ kind: 'run' });
    const end = await page.state({ kind: 'back' });
    page.ask({ kind: 'input', text: 'x' });
    const forward = await page.state({ kind: 'run' });
    expect(forward.phase).toBe('off');
    expect(end.at).toBeLessThan(forward.at);
    const file = await saved(page, 'recording');
    const { stdout, stderr, exitCode } = await loongscope('replay', keep(file));
    expect(stderr).toMatch(new RegExp(`${forward.at} instructions, as recorded`));
    expect(exitCode).toBe(0);
    expect(plain(stdout)).toBe(plain(page.console));
  });

  test('up to a moment in the middle ends there', async () => {
    const page = new Page();
    await page.boot('h1-solution');
    await page.state({ kind: 'go', to: 3000 });
    const { stderr, exitCode } = await loongscope('replay', keep(await saved(page, 'recording')));
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/3000 instructions, as recorded/);
  });

  test('of the command line is repeated in the page, there and back, and stays the same file', async () => {
    const path = join(folder, 'hello.recording');
    const run = await loongscope('run', '--guest', 'hello', '--record', path, '--record-images');
    expect(run.exitCode).toBe(0);
    const page = new Page();
    const bytes = Uint8Array.from(readFileSync(path));
    await page.state({ kind: 'boot', program: { name: 'hello.recording', bytes } });
    const end = await page.state({ kind: 'run' });
    expect(end).toMatchObject({ phase: 'off' });
    expect(plain(page.console)).toBe(plain(run.stdout));
    const back = await page.state({ kind: 'go', to: 5000 });
    expect(back.at).toBe(5000);
    expect(Buffer.compare((await saved(page, 'recording')).bytes, bytes)).toBe(0);
  });

  test.each([
    [['--guest', 'hello'], /does not bring .*hv\.elf, which a page cannot read: record it with --record-images/],
    [['--guest', 'hello', '--smp', '2', '--record-images'], /has 2 CPUs .*: loongscope replay opens it/],
    [['--guest', 'hello', '--record-images', '--console', 'virtio'], /has what a page cannot have, console: /],
  ])('%j is refused in one line where a page cannot have it', async (args, message) => {
    const path = join(folder, 'refused.recording');
    const run = await loongscope('run', ...args, '--record', path);
    expect(run.exitCode).toBe(0);
    const page = new Page();
    const failed = page.next('failed');
    page.ask({ kind: 'boot', program: { name: 'x.recording', bytes: Uint8Array.from(readFileSync(path)) } });
    const { text } = await failed;
    expect(text).toMatch(message);
    expect(text).not.toMatch(/\n|should not happen/);
  });

  test('that is damaged, or empty, is refused in one line', async () => {
    const page = new Page();
    await page.boot('h1-solution');
    const { bytes } = await saved(page, 'recording');
    for (const wrong of [bytes.map((x, n) => (n === 100 ? ~x : x)), bytes.subarray(0, 16)]) {
      const failed = page.next('failed');
      page.ask({ kind: 'boot', program: { name: 'x.recording', bytes: Uint8Array.from(wrong) } });
      expect((await failed).text).toMatch(/x\.recording is (damaged at byte|empty)/);
    }
  });

  test('of a machine from a snapshot is not made, and a snapshot is', async () => {
    const page = new Page();
    await page.boot('h1-solution');
    const snapshot = await saved(page, 'snapshot');
    await page.state({ kind: 'boot', program: snapshot });
    const failed = page.next('failed');
    page.ask({ kind: 'save', what: 'recording' });
    expect((await failed).text).toMatch(/from a snapshot cannot be recorded here: save a snapshot/);
    expect((await saved(page, 'snapshot')).name).toBe('h1-solution.snapshot');
  });
});
