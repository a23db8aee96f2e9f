/** `npm run difftest`: random programs on loongscope and on QEMU, class by class. */
import { Command, InvalidArgumentError } from 'commander';
import { CLASSES } from './classes.ts';
import { Loongscope } from './loongscope.ts';
import { Qemu } from './qemu.ts';
import { runClass } from './run.ts';

function positive(text: string): number {
  const n = Number(text.replaceAll('_', ''));
  if (!Number.isSafeInteger(n) || n <= 0) throw new InvalidArgumentError('a positive whole number is needed');
  return n;
}

const names = CLASSES.map((c) => c.name);
const program = new Command('difftest')
  .description(
    'run seeded random programs on loongscope and on qemu-system-loongarch64 and compare all that they leave',
  )
  .option('--seed <n>', 'seed of the programs', positive, 1)
  .option('--count <n>', 'instructions of each class', positive, 100_000)
  .option('--class <names>', `classes, separated by commas: ${names.join(', ')}`)
  .option('--limit <n>', 'divergences of a class after which it ends', positive, 1)
  .option('--verbose', 'show the whole state before a divergence')
  .parse();
const options = program.opts<{ seed: number; count: number; class?: string; limit: number; verbose?: boolean }>();
const wanted = options.class?.split(',') ?? names;
if (wanted.length === 0) program.error('error: --class names no class');
const unknown = wanted.find((n) => !names.includes(n));
if (unknown !== undefined) program.error(`error: no class '${unknown}': there are ${names.join(', ')}`);
const command = process.env.LS_QEMU ?? '';
if (!command) program.error("error: LS_QEMU names no qemu-system-loongarch64: start this through 'npm run difftest'");

const out = (line: string): void => void process.stdout.write(`${line}\n`);
const oracle = await Qemu.start(command);
const ours = new Loongscope();
out(`seed ${options.seed}, ${options.count} instructions a class, against ${oracle.name}`);
let failed = 0;
try {
  for (const c of CLASSES.filter((k) => wanted.includes(k.name))) {
    const start = Date.now();
    const s = await runClass(c, options.seed, options.count, ours, oracle, options.limit);
    const seconds = ((Date.now() - start) / 1000).toFixed(1);
    failed += s.divergences.length;
    out(
      `${c.name.padEnd(10)}  ${String(s.instructions).padStart(9)} instructions  ${String(s.exceptions).padStart(8)} exceptions  ` +
        `${String(s.divergences.length).padStart(2)} divergences  ${seconds.padStart(6)} s   ${c.text}`,
    );
    for (const d of s.divergences) {
      out(`  program ${d.program}, instruction ${d.index}: ${d.text}  (0x${d.word.toString(16)})`);
      for (const line of d.differences.slice(0, 8)) out(`    after:  ${line}`);
      if (options.verbose) for (const line of d.before) out(`    before: ${line}`);
    }
  }
} finally {
  await oracle.close();
}
process.exitCode = failed ? 1 : 0;
