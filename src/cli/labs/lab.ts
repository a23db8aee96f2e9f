/** `loongscope lab`: lists the labs, starts one in a folder, checks it, debugs it (labs/README.md). */
import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { WorldSwitchAudit } from '../../hv/audit/worldswitch.ts';
import type { OwnDescriptor } from '../../hv/awareness/recognition.ts';
import { LABS, labNamed } from '../../labs/catalog.ts';
import { untouchedHoles } from '../../labs/holes.ts';
import { judge, LAB_MEMORY, type Verdict } from '../../labs/judge.ts';
import { type Lab, type Language, STEPS } from '../../labs/lab.ts';
import { inLanguage } from '../../labs/language.ts';
import { junit, type Result, resultLines, resultObject } from '../../labs/report.ts';
import { type Booted, boot } from '../boot.ts';
import { EXIT, UsageError } from '../errors.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../options.ts';
import { readDescriptor } from '../own-descriptor.ts';
import { run } from '../run.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { unwritable } from '../unwritable.ts';
import * as folders from './folder.ts';
import { findRust } from './rustc.ts';
import { BuildError, build, findToolchain } from './toolchain.ts';

export interface LabCli {
  /** A folder for a copy of the skeleton. */
  readonly start?: string;
  readonly solution?: boolean;
  /** The edition in Rust. */
  readonly rust?: boolean;
  readonly all?: boolean;
  readonly json?: boolean;
  /** A file for the results. */
  readonly junit?: string;
  /** Where a gdb may connect. */
  readonly gdb?: MachineCli['gdb'];
}

const print = (lines: readonly string[]): void => void process.stdout.write(`${lines.join('\n')}\n`);

/**
 * @param name of a lab; with `--all` the folder of copies
 * @param folder a copy
 * @throws UsageError for what does not fit together
 */
export async function lab(name: string | undefined, folder: string | undefined, cli: LabCli): Promise<number> {
  checkOptions(name, folder, cli);
  if (cli.all) return checkAll(name ?? '.', cli);
  if (name === undefined) {
    list(cli);
    return EXIT.ok;
  }
  const which = named(name);
  if (cli.start !== undefined) {
    folders.startLab(inLanguage(which, cli.rust ? 'Rust' : 'C'), cli.start);
    print([`${which.name} is in ${cli.start}: read README.md there, then loongscope lab ${which.name} ${cli.start}`]);
    return EXIT.ok;
  }
  if (cli.gdb) return debugLab(which, folder, cli);
  return report([await checkLab(which, folder, cli)], cli);
}

function named(name: string): Lab {
  try {
    return labNamed(name);
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function checkOptions(name: string | undefined, folder: string | undefined, cli: LabCli): void {
  const needs = (option: string): never => {
    throw new UsageError(`${option} without a lab: name one, as in loongscope lab h1 ${option}`);
  };
  if (cli.all && (cli.start !== undefined || cli.gdb))
    throw new UsageError('--all checks: leave --start and --gdb out');
  if (cli.all && folder !== undefined)
    throw new UsageError('--all takes one folder, the one with h1, h2, …: leave the other out');
  if (cli.solution && folder !== undefined)
    throw new UsageError('--solution checks the project’s solution: leave the folder out');
  if (cli.start !== undefined && (folder !== undefined || cli.solution || cli.gdb || cli.json || cli.junit))
    throw new UsageError('--start copies a skeleton: leave everything else out');
  if (cli.gdb && (cli.json || cli.junit !== undefined))
    throw new UsageError('--gdb checks nothing: leave --json and --junit out');
  if (name !== undefined || cli.all) return;
  if (cli.start !== undefined) needs('--start DIR');
  if (cli.gdb) needs('--gdb PORT');
  if (cli.solution) needs('--solution');
  if (cli.junit !== undefined) needs('--junit FILE');
  if (cli.rust) needs('--rust');
}

/** The labs, and how far the copies here are. */
function list(cli: LabCli): void {
  const rows = LABS.map((l) => ({
    ...{ lab: l.name, title: l.title, steps: l.steps },
    copies: folders.copiesBelow('.', l).map((folder) => ({ folder, state: folders.stateOf(folder, l) })),
  }));
  if (cli.json) {
    print([JSON.stringify(rows, undefined, 2)]);
    return;
  }
  const width = Math.max(...rows.map((r) => r.title.length));
  print([
    ...rows.map(({ lab: l, title, copies }) => {
      const states = copies.map((c) => `${c.folder}: ${c.state}`).join('; ');
      return `${l}  ${title.padEnd(width)}  ${states || 'not started here'}`;
    }),
    '',
    `The seven steps of a port: ${STEPS.join(', ')}.`,
    'Start one:  loongscope lab h1 --start h1',
    'Check it:   loongscope lab h1 h1',
  ]);
}

/** The folder that is meant: the one that is given, or a copy here, or the project's skeleton. */
function folderOf(which: Lab, folder: string | undefined, rust: boolean): string {
  if (folder !== undefined) {
    if (!existsSync(folder))
      throw new UsageError(`there is no folder ${folder}: make it with loongscope lab ${which.name} --start ${folder}`);
    if (!statSync(folder).isDirectory()) throw new UsageError(`${folder} is a file: give the folder of the lab`);
    return folder;
  }
  const meant = (here: string): boolean =>
    folders.isCopyOf(here, which) && (!rust || folders.languageOf(here) === 'Rust');
  return [which.name, '.'].find(meant) ?? folders.skeletonFolder(which);
}

/** What is built: the lab in the language of the folder, its folder, its sources, and an image if there is one already. */
interface Program {
  readonly lab: Lab;
  readonly folder: string;
  readonly sources: readonly string[];
  readonly built: string | undefined;
}

/** What of the project or of a student is meant. */
type Which = Pick<LabCli, 'solution' | 'rust'>;

function programOf(which: Lab, folder: string | undefined, { solution = false, rust = false }: Which): Program {
  const skeleton = folders.skeletonFolder(which);
  const at = solution ? skeleton : folderOf(which, folder, rust);
  const language: Language = rust ? 'Rust' : folders.languageOf(at);
  const lab = inLanguage(which, language);
  const image = folders.builtImage(lab, solution);
  const ours = solution ? folders.solutionSources(lab) : folders.skeletonSources(lab);
  return {
    ...{ lab, folder: at },
    sources: at === skeleton ? ours : folders.sourcesIn(at, lab),
    built: at === skeleton && existsSync(image) ? image : undefined,
  };
}

/** Builds a program if need be, and does something with its image. */
async function withImage<T>(program: Program, use: (image: string) => Promise<T>): Promise<T> {
  if (program.built !== undefined) return use(program.built);
  const place = temporaryFolder('loongscope-lab-');
  try {
    const image = join(place, 'lab.elf');
    await build(await findToolchain(), program.folder, program.sources, image);
    return await use(image);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** @throws BuildError when the program is none that the machine can load: too large, or at a wrong place */
function bootedImage(image: string, console: (byte: number) => void): Booted {
  try {
    return boot(image, { ...DEFAULT_MACHINE, memory: LAB_MEMORY }, console);
  } catch (error) {
    // What the message advises are options of `run`.
    if (error instanceof UsageError)
      throw new BuildError(
        `${error.message.replace(/: .*/s, '')}: the machine of the labs has ${LAB_MEMORY / 2 ** 20} MiB of RAM, so make the program smaller`,
      );
    throw error;
  }
}

/** Runs an image and judges it. */
export async function judgeImage(which: Lab, image: string): Promise<Verdict> {
  return judge(which, async (console) => {
    const booted = bootedImage(image, console);
    await booted.named;
    // One image has the code of both worlds.
    const symbolize = (_world: number, address: bigint): string | undefined => booted.symbolize(-1, address);
    return {
      machine: booted.machine,
      symbolize,
      audit: (control) => {
        const audit = new WorldSwitchAudit(control, booted.symbols, symbolize, () => {});
        return { findings: () => audit.findings.list().map((f) => `${f.check}: ${f.text}`) };
      },
    };
  });
}

/** Checks a folder, a copy here or the skeleton; with `solution` the project's solution. @param which in C */
export async function checkLab(which: Lab, folder?: string, meant: Which = {}): Promise<Result> {
  const program = programOf(which, folder, meant);
  const { lab } = program;
  const solution = meant.solution === true;
  const shown = solution
    ? 'its solution'
    : program.folder === folders.skeletonFolder(which)
      ? 'the skeleton'
      : program.folder;
  const skeleton = folders.skeletonTexts(lab);
  const texts = (): ReadonlyMap<string, string> =>
    shown === 'the skeleton' ? skeleton : folders.textsIn(program.folder, lab);
  const holes = solution ? [] : untouchedHoles(skeleton, texts());
  const base = { lab: lab.name, folder: shown, holes };
  let result: Result;
  try {
    const verdict = await withImage(program, (image) => judgeImage(lab, image));
    result = { ...base, passed: verdict.passed, verdict };
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    result = { ...base, passed: false, buildError: error.message };
  }
  if (!solution) folders.keepResult(program.folder, lab, result.passed);
  return result;
}

/** A folder that cannot be checked is a lab that has failed: the others of a class are checked all the same. */
async function checkOneOfAll(which: Lab, folder: string, cli: LabCli): Promise<Result> {
  try {
    return await checkLab(which, folder, cli);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { lab: which.name, folder, passed: false, buildError: error.message, holes: [] };
  }
}

async function checkAll(below: string, cli: LabCli): Promise<number> {
  if (!cli.solution && !existsSync(below))
    throw new UsageError(`there is no folder ${below}: give the one with h1, h2, …`);
  const results: Result[] = [];
  const copies = LABS.map((which) => join(below, which.name)).filter((folder) => existsSync(folder));
  // Without a compiler nothing can be said of anybody.
  if (!cli.solution) await findToolchain();
  if (!cli.solution && copies.some((folder) => folders.languageOf(folder) === 'Rust')) await findRust();
  for (const which of LABS) {
    const folder = join(below, which.name);
    if (cli.solution) results.push(await checkLab(which, undefined, cli));
    else if (existsSync(folder)) results.push(await checkOneOfAll(which, folder, cli));
  }
  if (results.length === 0)
    throw new UsageError(
      `${below} has no folder h1, h2, …: start a lab with loongscope lab h1 --start h1, or add --solution`,
    );
  return report(results, cli);
}

function report(results: readonly Result[], cli: LabCli): number {
  if (cli.junit !== undefined) {
    try {
      writeFileSync(cli.junit, junit(results));
    } catch (error) {
      throw unwritable(`--junit: cannot write ${cli.junit}`, error);
    }
  }
  if (cli.json) print([JSON.stringify(results.map(resultObject), undefined, 2)]);
  else print(results.flatMap((result) => resultLines(result, speaksChinese())));
  return results.every((r) => r.passed) ? EXIT.ok : EXIT.died;
}

/** The structure that a vCPU is in Rust; labs.json has its name in C, and those of its members, which are the same. */
const RUST_VCPU = 'Vcpu';

/** What a debugger is told of the hypervisors in a language. */
function descriptorOf(language: Language): OwnDescriptor {
  const own = readDescriptor(folders.DESCRIPTOR);
  const { descriptor } = own;
  if (language === 'C') return own;
  return { ...own, descriptor: { ...descriptor, contexts: { ...descriptor.contexts!, type: RUST_VCPU } } };
}

/** The machine of a lab for a debugger, which waits for it, and is told where vCPUs keep their registers. */
export const debugged = ({ language }: Lab): MachineCli => ({
  ...{ ...DEFAULT_MACHINE, memory: LAB_MEMORY, wait: true, sandbox: false },
  descriptor: descriptorOf(language),
});

/** Runs the program with a port for gdb, stopped before its first instruction. */
async function debugLab(which: Lab, folder: string | undefined, cli: LabCli): Promise<number> {
  const program = programOf(which, folder, cli);
  try {
    return await withImage(program, (image) => {
      print([`now, in another terminal: gdb-multiarch ${image}, then target extended-remote ADDRESS`]);
      return run(image, { ...debugged(program.lab), gdb: cli.gdb! });
    });
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    throw new UsageError(
      `${program.folder} does not build: loongscope lab ${which.name} ${folder ?? ''} shows the messages`,
    );
  }
}

/** Does the user's locale ask for Chinese? */
const speaksChinese = (): boolean => {
  const { LC_ALL, LC_MESSAGES, LANG } = process.env;
  return /^zh/.test(LC_ALL || LC_MESSAGES || LANG || '');
};
