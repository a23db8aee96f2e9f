/** Disks and shared folders of a recorded run: they answer as they did, also after a way back in time. */
import { describe, expect, test } from 'vitest';
import type { P9Server } from '../../src/emu/devices/virtio/p9.ts';
import { type DiskEntry, RecordedDisk, RepeatedDisk } from '../../src/emu/replay/recorded-disk.ts';
import { RecordedShare, RepeatedShare, type ShareEntry } from '../../src/emu/replay/recorded-share.ts';
import { type Fields, restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { failingDisk, MemoryDisk } from '../support/board-programs.ts';
import { seeded } from '../support/random.ts';

const SECTORS = 64;

type Call =
  | { readonly kind: 'read'; readonly offset: number; readonly length: number }
  | { readonly kind: 'write'; readonly offset: number; readonly data: Uint8Array }
  | { readonly kind: 'flush' };

/** What a call gives: bytes, nothing, or an error. */
function done(disk: RecordedDisk | RepeatedDisk, call: Call): Uint8Array | 'failed' | undefined {
  try {
    if (call.kind === 'read') return disk.read(call.offset, call.length);
    if (call.kind === 'write') disk.write(call.offset, call.data);
    else disk.flush();
    return undefined;
  } catch {
    return 'failed';
  }
}

function randomCall(random: () => number): Call {
  const first = random() % SECTORS;
  const length = 512 * (1 + (random() % (SECTORS - first)));
  if (random() % 10 === 0) return { kind: 'flush' };
  if (random() % 3 > 0) return { kind: 'read', offset: 512 * first, length };
  return { kind: 'write', offset: 512 * first, data: Uint8Array.from({ length }, () => random() & 0xff) };
}

describe('a disk', () => {
  test.each([1, 2, 3, 4, 5])('gives what it gave, with writes of others and failures (seed %i)', (seed) => {
    const random = seeded(seed);
    const { below, failing, switched } = failingDisk(SECTORS, random);
    const entries: DiskEntry[] = [];
    const disk = new RecordedDisk(failing, 0, { note: (e) => void entries.push(e), keepsWrites: () => true });
    disk.begin();
    const calls: Call[] = [];
    /** States of the disk, each with the number of calls before it. */
    const states: [number, Fields][] = [];
    const answers = Array.from({ length: 300 }, () => {
      if (random() % 20 === 0) below.bytes[random() % below.bytes.length]! ^= 1;
      switched.broken = random() % 30 === 0;
      const call = randomCall(random);
      if (random() % 20 === 0) {
        disk.noteWritten();
        states.push([calls.length, saveFields(disk)]);
      }
      calls.push(call);
      return done(disk, call);
    });
    for (const [n, state] of states) {
      const entered = new RepeatedDisk(disk, entries);
      restoreFields(entered, state);
      expect(
        calls.slice(n).map((call) => done(entered, call)),
        `from call ${n}`,
      ).toEqual(answers.slice(n));
    }
    const again = new RepeatedDisk(disk, entries);
    let middle: ReturnType<typeof saveFields> | undefined;
    calls.forEach((call, n) => {
      if (n === 150) middle = saveFields(again);
      expect(done(again, call), `call ${n}`).toEqual(answers[n]);
    });
    restoreFields(again, middle!);
    for (let n = 150; n < 300; n++) expect(done(again, calls[n]!), `call ${n} again`).toEqual(answers[n]);
  });

  test('is recorded once, however often it is read', () => {
    const entries: DiskEntry[] = [];
    const below = new MemoryDisk(SECTORS);
    const disk = new RecordedDisk(below, 0, { note: (e) => void entries.push(e), keepsWrites: () => false });
    for (let n = 0; n < 10; n++) disk.read(0, below.size);
    disk.write(512, new Uint8Array(512).fill(7));
    disk.read(0, below.size);
    expect(entries.map((e) => e.bytes!.length)).toEqual([below.size]);
    below.bytes[1024] = 1;
    disk.read(0, below.size);
    expect(entries.map((e) => [e.offset, e.bytes!.length])).toEqual([
      [0, below.size],
      [1024, 512],
    ]);
  });
});

describe('a shared folder', () => {
  const empty = { handles: { nodes: [], fids: [] }, most: 4096 };

  test('gives the answers that it gave, in their order', () => {
    let count = 0;
    const below: P9Server = {
      answer: (message) => Uint8Array.of(message[0]!, count++),
      reset: () => {},
      save: () => empty,
      restore: () => {},
    };
    const entries: ShareEntry[] = [];
    const share = new RecordedShare(below, 0, (e) => void entries.push(e));
    const answers = [5, 6, 7].map((n) => share.answer(Uint8Array.of(n), 100));
    const again = new RepeatedShare(entries);
    expect(again.answer()).toEqual(answers[0]);
    const state = again.save();
    expect([again.answer(), again.answer()]).toEqual(answers.slice(1));
    again.restore(state);
    expect([again.answer(), again.answer()]).toEqual(answers.slice(1));
    expect(() => again.answer()).toThrow(/no longer the recorded one/);
  });
});
