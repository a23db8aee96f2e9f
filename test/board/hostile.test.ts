/** Hostile guests in a process of their own: what they cost, and that the process obeys (`./scripts/limits` has the figures). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cost, HOSTILE, measure, SPIN } from '../support/hostile.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-hostile-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Seconds that each one runs. */
const SECONDS = 0.7;
/** RAM of the machine, and the peak memory of requests of 48 MiB, in MiB. */
const RAM = 64;
const PASSING = 256;
/** Exit code of a process that was asked to end. */
const INTERRUPTED = 130;

let spin: Cost;
beforeAll(async () => {
  spin = await measure(SPIN, folder, SECONDS);
  expect(spin.code).toBe(INTERRUPTED);
}, 60_000);

test.each(HOSTILE)('$name', { timeout: 60_000 }, async (kind) => {
  const cost = await measure(kind, folder, SECONDS);
  // Ended by SIGTERM, and by nothing before it; no stack trace, no word of an error.
  expect([cost.code, cost.stderr]).toEqual([INTERRUPTED, '']);
  // A second on a machine that does nothing else; tests share theirs.
  expect(cost.ending).toBeLessThan(5000);
  expect(cost.peak - spin.peak).toBeLessThan(RAM + PASSING);
  expect(cost.descriptors - spin.descriptors).toBeLessThanOrEqual(1);
  if (kind.sleeps) expect(cost.cpu).toBeLessThan(0.5);
});
