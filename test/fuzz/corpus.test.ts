/**
 * Every input that is kept, through the targets, without the fuzzer: what was found once stays mended. Those whose names begin with
 * `fault-` were faults; the rest of the name says which.
 */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { AREAS, corpusOf, loadArea } from './areas.ts';
import { Canary } from './canary.ts';
import { Fault, guarded } from './oracle.ts';
import { Twin } from './twin.ts';

describe.each(AREAS)('%s', async (name) => {
  const { fuzz, seeds } = await loadArea(name);
  const folder = join(PROJECT_ROOT, corpusOf(name));
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  const faults = files.filter((f) => f.startsWith('fault-'));
  const others = files.filter((f) => !f.startsWith('fault-'));

  test('inputs to begin with, and those that reach different code', () => {
    for (const [n, seed] of seeds().entries()) expect(() => fuzz(seed), `seed ${n}`).not.toThrow();
    for (const file of others) expect(() => fuzz(readFileSync(join(folder, file))), file).not.toThrow();
  });

  test.each(faults)('%s', (file) => {
    fuzz(readFileSync(join(folder, file)));
  });
});

describe('the oracles', () => {
  class Ours extends Error {}
  const none = new Uint8Array(0);

  test('an error is a fault unless it is ours', () => {
    const throwing = (error: Error) =>
      guarded({
        ours: [Ours],
        run: () => {
          throw error;
        },
      });
    expect(() => throwing(new Ours('said in words'))(none)).not.toThrow();
    expect(() => throwing(new TypeError('x is undefined'))(none)).toThrow('x is undefined');
  });

  test('so is an answer that takes longer than a second', () => {
    const slow = guarded({
      run: () => {
        const used = (): number => process.threadCpuUsage().user + process.threadCpuUsage().system;
        const began = used();
        while (used() - began < 1_200_000);
      },
    });
    expect(() => slow(none)).toThrow(Fault);
  });

  test('and memory that grows', () => {
    const kept: Uint8Array[] = [];
    const leaking = guarded({ run: () => void kept.push(new Uint8Array(16 << 10)) });
    expect(() => {
      for (let n = 0; n < 20_000; n++) leaking(none);
    }).toThrow(/memory grows/);
  });

  test('and a file outside that is changed, or read', () => {
    const canary = new Canary();
    const { share, outside } = canary;
    writeFileSync(join(share, 'new'), 'x');
    expect(() => canary.check()).not.toThrow();
    expect(existsSync(join(share, 'new'))).toBe(false);
    for (const change of [
      () => writeFileSync(join(outside, 'file'), 'x'),
      () => writeFileSync(join(outside, 'new'), 'x'),
      () => chmodSync(join(outside, 'folder'), 0o700),
    ]) {
      change();
      expect(() => canary.check()).toThrow('a file outside has been changed');
    }
    expect(canary.reveals(readFileSync(join(outside, 'file')))).toBe(true);
    expect(canary.reveals(readFileSync(join(share, 'f')))).toBe(false);
    writeFileSync(join(share, '..', 'beside'), 'x');
    expect(() => canary.check()).toThrow(/beside the folder/);
  });

  test.each([
    ["the host's clock", () => Date.now() & 0xff],
    ["the host's random numbers", () => Math.floor(Math.random() * 256)],
  ])('and a guest that sees %s', (_, secret) => {
    const twin = new Twin();
    expect(() =>
      twin.run(Uint8Array.of(1), (side, input) => void side.poke(input.u8(), Uint8Array.of(1))),
    ).not.toThrow();
    expect(() => twin.run(Uint8Array.of(1), (side, input) => side.poke(input.u8(), Uint8Array.of(secret())))).toThrow(
      /the guest sees what it must not: RAM/,
    );
  });

  test('and one that sees memory beside its own', () => {
    const twin = new Twin();
    const leak = (): void => twin.run(Uint8Array.of(1), (side) => side.poke(0x100, side.machine.mem.u8.slice(-8)));
    expect(leak).toThrow(/the guest sees what it must not: RAM/);
  });
});
