/** Measures what hostile guests cost, as a table (docs/security.md). Argument: seconds for each guest. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HOSTILE, measure, SPIN } from '../test/support/hostile.ts';

const seconds = Number(process.argv[2] ?? 20);
const wanted = process.argv[3];
const folder = mkdtempSync(join(tmpdir(), 'loongscope-limits-'));
const spin = await measure(SPIN, folder, 2);
const line = (...cells: readonly string[]): void =>
  console.log(cells.map((c, n) => (n === 0 ? c.padEnd(74) : c.padStart(10))).join(''));
line('guest', 'MiB more', 'files', 'CPU', 'end ms', 'exit');
for (const kind of HOSTILE) {
  if (wanted !== undefined && !kind.name.includes(wanted)) continue;
  const cost = await measure(kind, folder, seconds);
  const ending = cost.ending === undefined ? '-' : String(Math.round(cost.ending));
  const more = String(Math.round(cost.peak - spin.peak));
  const files = String(cost.descriptors - spin.descriptors);
  line(kind.name, more, files, `${Math.round(100 * cost.cpu)} %`, ending, String(cost.code));
  if (cost.stderr !== '') console.log(cost.stderr.trim().split('\n').slice(0, 4).join('\n').replace(/^/gm, '    '));
}
rmSync(folder, { recursive: true });
