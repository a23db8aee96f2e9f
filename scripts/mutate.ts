/**
 * A mutation run: puts one small mistake after the other into the sources of an area, in a copy of the tree, and lists those
 * that the area's tests do not notice. Run through scripts/mutate.
 */
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { execa } from 'execa';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { seeded } from '../test/support/random.ts';
import { AREAS } from './lib/mutation-areas.ts';
import { describeMutation, type Mutation, mutated, mutationsOf } from './lib/mutations.ts';

/** What tests need of the tree: copied where mistakes are put in, linked else. */
const COPIED = ['src', 'test', 'scripts', 'package.json', 'vitest.config.ts', 'tsconfig.json'];
const LINKED = ['node_modules', '.tools', 'build', 'guests', 'docs'];
/** A run that takes this many times as long as the one without a mistake does not end: the mistake is noticed. */
const PATIENCE = 4;

const whole = (text: string): number => {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0) throw new InvalidArgumentError('a number expected');
  return n;
};
const program = new Command()
  .name('mutate')
  .description('Lists small mistakes in the sources of an area that its tests do not notice.')
  .requiredOption('--area <name>', `one of ${Object.keys(AREAS).join(', ')}`)
  .option('--count <n>', 'how many mistakes to try', whole, 20)
  .option('--seconds <n>', 'begin none after this time', whole, 3600)
  .option('--seed <n>', 'which ones', whole, 1)
  .parse();
const {
  area: name,
  count,
  seconds,
  seed,
} = program.opts<{ area: string; count: number; seconds: number; seed: number }>();
const area = AREAS[name];
if (!area) program.error(`loongscope: there is no area '${name}': use ${Object.keys(AREAS).join(', ')}`);

/** All mistakes of the area, in an order that the seed says. */
function shuffled(): { readonly file: string; readonly mutation: Mutation }[] {
  const files = [...new Set(area!.sources.flatMap((s) => globSync(s, { cwd: PROJECT_ROOT })))].sort();
  const all = files.flatMap((file) =>
    mutationsOf(readFileSync(join(PROJECT_ROOT, file), 'utf8')).map((mutation) => ({ file, mutation })),
  );
  const random = seeded(seed * 2654435761);
  for (let n = all.length - 1; n > 0; n--) {
    const k = random() % (n + 1);
    [all[n], all[k]] = [all[k]!, all[n]!];
  }
  return all;
}

const copy = mkdtempSync(join(tmpdir(), 'loongscope-mutate-'));
process.once('exit', () => rmSync(copy, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));
for (const item of COPIED) cpSync(join(PROJECT_ROOT, item), join(copy, item), { recursive: true });
for (const item of LINKED) symlinkSync(join(PROJECT_ROOT, item), join(copy, item));

/** Do the area's tests pass? @param timeout milliseconds */
async function pass(timeout: number): Promise<boolean> {
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', '--reporter', 'dot', ...area!.tests];
  const options = { cwd: copy, stdio: 'ignore', reject: false, timeout, forceKillAfterDelay: 1000 } as const;
  return (await execa(process.execPath, args, options)).exitCode === 0;
}

const began = performance.now();
const elapsed = (): number => (performance.now() - began) / 1000;
if (!(await pass(600_000)))
  program.error(`loongscope: the tests of ${name} fail without a mistake: run ./scripts/test first`);
const limit = Math.ceil(PATIENCE * elapsed() * 1000) + 10_000;
const candidates = shuffled();
console.log(`${name}: ${candidates.length} mistakes can be made; the tests take ${elapsed().toFixed(1)} s`);
let tried = 0;
let survived = 0;
for (const { file, mutation } of candidates.slice(0, count)) {
  if (elapsed() > seconds) break;
  const path = join(copy, file);
  const source = readFileSync(path, 'utf8');
  writeFileSync(path, mutated(source, mutation));
  tried++;
  if (await pass(limit)) {
    survived++;
    console.log(`${file}:${describeMutation(source, mutation)}`);
  }
  writeFileSync(path, source);
}
console.log(`${name}: ${tried} tried, ${survived} survived (seed ${seed}, ${elapsed().toFixed(0)} s)`);
