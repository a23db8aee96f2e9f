/** Disks and shared folders go back and forth in time with their machine, and go on from the past. */
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../src/emu/devices/virtio/block.ts';
import type { P9Server, P9State } from '../../src/emu/devices/virtio/p9.ts';
import { DiskPast } from '../../src/emu/replay/disk-past.ts';
import { SharePast } from '../../src/emu/replay/share-past.ts';
import { type Fields, restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { failingDisk } from '../support/board-programs.ts';
import { seeded } from '../support/random.ts';

const SECTORS = 64;

/** A call, its answer, and the disk's content after it. */
interface Done {
  readonly call: (disk: DiskPast) => Uint8Array | 'failed' | undefined;
  readonly answer: Uint8Array | 'failed' | undefined;
  readonly after: Uint8Array;
}

/** A disk on a server: a write happens when it begins, and is asked for again until it is over. */
function slow(below: Disk, random: () => number): Disk {
  let begun: { readonly of: string; readonly failed: unknown } | undefined;
  const write = (offset: number, data: Uint8Array): void => {
    const of = `${offset} ${data.join()}`;
    const repeated = begun?.of === of ? begun : undefined;
    begun = undefined;
    if (repeated?.failed) throw repeated.failed;
    if (!repeated) below.write(offset, data);
  };
  return {
    ...{ size: below.size, readOnly: false, flush: () => below.flush(), write },
    read: (offset, length) => {
      begun = undefined;
      return below.read(offset, length);
    },
    ready: (call, offset, _length, data) => {
      if (call === 'write' && begun?.of !== `${offset} ${data!.join()}`) {
        let failed: unknown;
        try {
          below.write(offset, data!);
        } catch (error) {
          failed = error;
        }
        begun = { of: `${offset} ${data!.join()}`, failed };
      }
      return random() % 2 === 0;
    },
  };
}

describe('a disk', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'gives in the past what it gave, and takes back what a new future undoes (seed %i)',
    (seed) => {
      const random = seeded(seed);
      const { below, failing, switched } = failingDisk(SECTORS, random);
      const content = below.bytes.slice();
      // Every second one is on a server.
      const disk = new DiskPast(seed % 2 ? failing : slow(failing, random));
      const tried = (body: () => Uint8Array | undefined): Uint8Array | 'failed' | undefined => {
        try {
          return body();
        } catch {
          return 'failed';
        }
      };
      /** A call, after the question whether the disk is ready for it; now and then it is made before. */
      const call =
        (make: (d: DiskPast) => Uint8Array | undefined, ...asked: Parameters<NonNullable<Disk['ready']>>) =>
        (d: DiskPast): Uint8Array | 'failed' | undefined => {
          while (d.ready && !d.ready(...asked) && random() % 8 !== 0);
          return tried(() => make(d));
        };
      const randomCall = (): Done['call'] => {
        const first = random() % SECTORS;
        const length = 512 * (1 + (random() % Math.min(24, SECTORS - first)));
        const kind = random() % 10;
        if (kind === 0) return call((d) => void d.flush(), 'flush', 0, 0);
        if (kind < 5) return call((d) => d.read(512 * first, length).slice(), 'read', 512 * first, length);
        const data = Uint8Array.from({ length }, () => random() & 0xff);
        return call((d) => void d.write(512 * first, data), 'write', 512 * first, length, data);
      };
      const history: Done[] = [];
      const states: Fields[] = [];
      let position = 0;
      disk.begin(() => position);
      const step = (): void => {
        position = history.length;
        states[history.length] = saveFields(disk);
        const call = randomCall();
        switched.broken = random() % 20 === 0;
        const answer = call(disk);
        switched.broken = false;
        history.push({ call, answer, after: below.bytes.slice() });
      };
      let oldest = 0;
      for (let round = 0; round < 40; round++) {
        for (let n = random() % 30; n > 0; n--) step();
        if (history.length <= oldest) continue;
        const forks = random() % 3 === 0;
        // A write that has begun, and has not happened in the new future.
        if (forks && disk.ready) disk.ready('write', 512, 512, new Uint8Array(512).fill(round));
        // Back to some moment, and forward again for a while.
        let at = oldest + (random() % (history.length - oldest));
        restoreFields(disk, states[at]!);
        const latest = below.bytes.slice();
        for (let n = random() % 20; n > 0 && at < history.length; n--, at++)
          expect(history[at]!.call(disk), `round ${round}, call ${at}`).toEqual(history[at]!.answer);
        expect(below.bytes.join()).toBe(latest.join());
        if (forks) {
          disk.fork();
          history.length = at;
          expect(below.bytes, `round ${round}, fork at ${at}`).toEqual(history.at(-1)?.after ?? content);
        } else for (; at < history.length; at++) expect(history[at]!.call(disk)).toEqual(history[at]!.answer);
        if (random() % 5 === 0) {
          oldest += random() % (history.length - oldest + 1);
          disk.forgetBefore(oldest);
        }
      }
      disk.forgetBefore(history.length + 1);
      expect(disk.bytes).toBe(0);
    },
  );
});

describe('a shared folder', () => {
  /** A folder that counts. */
  class Counting implements P9Server {
    count = 0;
    restored = 0;
    answer(message: Uint8Array): Uint8Array {
      return Uint8Array.of(message[0]!, this.count++);
    }
    reset(): void {}
    save(): P9State {
      return { handles: { nodes: [], fids: [] }, most: 4096 };
    }
    restore(): void {
      this.restored++;
    }
  }

  test('answers in the past as it did, without being asked, and says why the machine cannot go on from there', () => {
    const below = new Counting();
    const share = new SharePast(below);
    let position = 0;
    share.begin(() => position);
    const states = [0, 1, 2, 3].map((n) => {
      position = n;
      const state = share.save();
      expect(share.answer(Uint8Array.of(n), 10)).toEqual(Uint8Array.of(n, n));
      return state;
    });
    share.restore(states[1]!);
    expect(share.obstacle).toMatch(/has used a shared folder after this moment/);
    for (const n of [1, 2, 3]) expect(share.answer(Uint8Array.of(n), 10)).toEqual(Uint8Array.of(n, n));
    expect(share.obstacle).toBeUndefined();
    expect([below.count, below.restored]).toEqual([4, 0]);
    share.forgetBefore(2);
    expect(share.bytes).toBe(4);
    share.restore(states[2]!);
    expect(share.answer(Uint8Array.of(2), 10)).toEqual(Uint8Array.of(2, 2));
    // A snapshot, and a state of another past, are for the folder.
    share.begin(() => position);
    share.restore(states[3]!);
    share.restore(below.save());
    expect(below.restored).toBe(2);
    expect(share.answer(Uint8Array.of(9), 10)).toEqual(Uint8Array.of(9, 4));
  });
});
