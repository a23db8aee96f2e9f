/**
 * `npm run fuzz`: drives Jazzer.js (libFuzzer for JavaScript) over the areas; docs/fuzzing.md. Run by scripts/fuzz, which brings the
 * fuzzer and says where it is and how Node is to be started for it.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { rolldown } from 'rolldown';
import { AREAS, type Area, type AreaName, corpusOf, loadArea } from './areas.ts';
import { candidatesIn, chosen } from './keep.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const OUT = join(ROOT, 'build', 'fuzz');
/** Longest input, in bytes. */
const MAX_LENGTH = 4096;
/**
 * The clock on the wall after which an input is given up, in seconds: for those that never end. Whether one takes too long is decided by
 * the time on the processor (oracle.ts).
 */
const NEVER_ENDS = 25;
const MEMORY_MB = 3000;
/** Runs below so many seconds are short: continuous integration's. Two of them go side by side. */
const SHORT = 60;
const SIDE_BY_SIDE = 2;
/** Of libFuzzer: nothing found, and something. */
const OK = 0;

const USAGE = `usage: npm run fuzz -- --area NAME | --all  [--seconds N | --minutes N] [--corpus-only] [--keep]
  areas: ${AREAS.join(' ')}
  --corpus-only  runs what is in test/fuzz/corpus, without the fuzzer
  --keep         adds what reaches new code to test/fuzz/corpus, as few inputs as do`;

const hash = (text: string): number => [...text].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) | 0, 7) >>> 0;

/** One file that Jazzer.js instruments: the target and all of the program that it needs. */
async function bundle(name: AreaName): Promise<string> {
  const folder = join(OUT, 'bundles', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'target.cjs');
  const made = await rolldown({ input: join(ROOT, 'test', 'fuzz', 'targets', `${name}.ts`), platform: 'node' });
  await made.write({ file, format: 'cjs', minify: false, codeSplitting: false });
  // Data that the program looks for beside itself.
  cpSync(join(ROOT, 'src', 'hv', 'awareness', 'descriptors'), join(folder, 'descriptors'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(OUT, 'package.json'));
  for (const header of readdirSync(join(ROOT, 'src', 'hv')).filter((f) => f.endsWith('.h')))
    cpSync(join(ROOT, 'src', 'hv', header), join(folder, header));
  return file;
}

/** The words as libFuzzer reads them. */
function writeDictionary(file: string, words: Area['dictionary']): void {
  const lines = words.map((word) => {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'latin1') : word;
    return `"${[...bytes].map((b) => `\\x${b.toString(16).padStart(2, '0')}`).join('')}"`;
  });
  writeFileSync(file, `${lines.join('\n')}\n`);
}

interface Outcome {
  readonly code: number;
  readonly executions: number;
  readonly seconds: number;
  /** Edges of the code that were reached. */
  readonly coverage: number;
  readonly log: string;
}

/** Runs Jazzer.js. Its output goes to a file. */
async function jazzer(
  name: string,
  target: string,
  folders: readonly string[],
  flags: readonly string[],
  needsEventLoop = false,
): Promise<Outcome> {
  const cli = process.env.LS_JAZZER;
  const node = process.env.LS_FUZZ_NODE?.split('\n').filter(Boolean);
  if (!cli || !node?.length) throw new Error('the fuzzer is not there: use npm run fuzz');
  const log = join(OUT, `${name}.log`);
  const began = performance.now();
  const child = spawn(
    node[0]!,
    [
      ...node.slice(1),
      cli,
      target,
      ...folders,
      ...(needsEventLoop ? [] : ['--sync']),
      '--disable_bug_detectors=.*',
      '--',
      ...flags,
    ],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const sink = createWriteStream(log);
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (part: Buffer) => {
      sink.write(part);
      text = (text + part.toString('latin1')).slice(-200_000);
    });
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (status, signal) => resolve(status ?? (signal ? 1 : 0)));
  });
  sink.end();
  const last = [...text.matchAll(/#(\d+)\t.*?cov: (\d+)/g)].at(-1);
  const executed = /number_of_executed_units: (\d+)/.exec(text)?.[1] ?? last?.[1] ?? '0';
  return {
    code,
    executions: Number(executed),
    seconds: (performance.now() - began) / 1000,
    coverage: Number(last?.[2] ?? 0),
    log,
  };
}

/** Runs inputs without the fuzzer. @returns those that fail */
async function runCorpus(name: AreaName): Promise<string[]> {
  const { fuzz, seeds } = await loadArea(name);
  const wrong: string[] = [];
  const attempt = (label: string, data: Uint8Array): void => {
    try {
      fuzz(data);
    } catch (error) {
      wrong.push(`${label}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  };
  seeds().forEach((seed, n) => {
    attempt(`seed ${n}`, seed);
  });
  const folder = join(ROOT, corpusOf(name));
  const files = existsSync(folder) ? readdirSync(folder).sort() : [];
  for (const file of files) attempt(`${corpusOf(name)}/${file}`, readFileSync(join(folder, file)));
  process.stdout.write(`${name}: ${files.length} inputs, ${wrong.length} faults\n`);
  for (const line of wrong) process.stdout.write(`  ${line}\n`);
  return wrong;
}

/** Fuzzes an area. @returns whether nothing was found */
async function fuzzArea(name: AreaName, seconds: number, keep: boolean): Promise<boolean> {
  const area = await loadArea(name);
  const target = await bundle(name);
  const work = join(OUT, 'work', name);
  const seeds = join(OUT, 'seeds', name);
  const faults = join(OUT, 'faults', name);
  const corpus = join(ROOT, corpusOf(name));
  rmSync(seeds, { recursive: true, force: true });
  for (const folder of [work, seeds, faults, corpus]) mkdirSync(folder, { recursive: true });
  area.seeds().forEach((seed, n) => {
    writeFileSync(join(seeds, `seed-${n}`), seed);
  });
  const dictionary = join(OUT, `${name}.dict`);
  writeDictionary(dictionary, area.dictionary);
  const known = new Set(readdirSync(faults));
  const flags = [
    `-max_total_time=${seconds}`,
    `-max_len=${MAX_LENGTH}`,
    `-timeout=${NEVER_ENDS}`,
    `-rss_limit_mb=${MEMORY_MB}`,
    `-artifact_prefix=${faults}/`,
    '-print_final_stats=1',
    '-reload=0',
    '-len_control=10',
    ...(area.dictionary.length > 0 ? [`-dict=${dictionary}`] : []),
    ...(seconds < SHORT ? [`-seed=${1 + (hash(name) % 1000)}`] : []),
  ];
  // What a short run learns is forgotten: it is the same each time.
  const kept = seconds < SHORT ? join(OUT, 'short', name) : work;
  if (seconds < SHORT) rmSync(kept, { recursive: true, force: true });
  mkdirSync(kept, { recursive: true });
  const folders = [kept, corpus, seeds];
  const r = await jazzer(name, target, folders, flags, area.needsEventLoop);
  const found = readdirSync(faults).filter((f) => !known.has(f));
  const what =
    r.code === OK
      ? 'no fault'
      : `A FAULT (${found.map((f) => join('build/fuzz/faults', name, f)).join(', ')}; ${r.log})`;
  process.stdout.write(
    `${name}: ${r.executions} executions in ${Math.round(r.seconds)} s, ${r.coverage} edges covered, ${what}\n`,
  );
  if (r.code === OK && keep) {
    const known = [...area.seeds(), ...candidatesIn(corpus).map((c) => c.data)];
    const kept = chosen(area, known, candidatesIn(work));
    for (const { name: file, data } of kept) writeFileSync(join(corpus, file), data);
    process.stdout.write(`  ${kept.length} inputs kept\n`);
  }
  return r.code === OK;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      area: { type: 'string', multiple: true },
      all: { type: 'boolean' },
      seconds: { type: 'string' },
      minutes: { type: 'string' },
      'corpus-only': { type: 'boolean' },
      keep: { type: 'boolean' },
    },
  });
  const wanted = values.all ? AREAS : AREAS.filter((a) => values.area?.includes(a));
  const unknown = values.area?.find((a) => !(AREAS as readonly string[]).includes(a));
  const seconds = values.minutes === undefined ? Number(values.seconds ?? 60) : 60 * Number(values.minutes);
  if (wanted.length === 0 || unknown !== undefined || !(seconds > 0)) {
    process.stderr.write(`${unknown === undefined ? '' : `loongscope: no area '${unknown}'\n`}${USAGE}\n`);
    return 2;
  }
  let good = true;
  const left = [...wanted];
  const work = async (): Promise<void> => {
    for (let name = left.shift(); name; name = left.shift()) {
      const fine = values['corpus-only']
        ? (await runCorpus(name)).length === 0
        : await fuzzArea(name, seconds, values.keep === true);
      good = fine && good;
    }
  };
  const lanes = !values['corpus-only'] && seconds < SHORT ? SIDE_BY_SIDE : 1;
  await Promise.all(Array.from({ length: lanes }, work));
  return good ? 0 : 1;
}

process.exit(await main());
