/** Writes recorded.json: what QEMU leaves behind after random programs of every class. Run through scripts/record-programs. */
import { writeFileSync } from 'node:fs';
import { CLASSES, makeProgram } from './classes.ts';
import { digestOutcome, digestProgram } from './digest.ts';
import { Qemu } from './qemu.ts';
import { Random } from './random.ts';

const PER_CLASS = 30;
const LENGTH = 1000;

const oracle = await Qemu.start(process.env.LS_QEMU!);
try {
  const classes: string[] = [];
  for (const c of CLASSES) {
    const rows: string[] = [];
    for (let n = 0; n < PER_CLASS; n++) {
      const seed = 77_000_003 + n;
      const p = makeProgram(c, new Random(seed), LENGTH);
      rows.push(JSON.stringify([seed, digestProgram(p), digestOutcome(c, await oracle.run(p))]));
    }
    classes.push(`${JSON.stringify(c.name)}: [\n${rows.join(',\n')}\n]`);
  }
  writeFileSync(
    new URL('./vectors/recorded.json', import.meta.url),
    `{"oracle": ${JSON.stringify(oracle.name)}, "length": ${LENGTH}, "programs": {\n${classes.join(',\n')}\n}}\n`,
  );
  process.stdout.write(`${PER_CLASS} programs of ${CLASSES.length} classes recorded from ${oracle.name}\n`);
} finally {
  await oracle.close();
}
