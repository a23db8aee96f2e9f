/** Folders of labs: those of the project, a student's copy, and what is known of it. */
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import type { Lab, Language } from '../../labs/lab.ts';
import { inLanguage } from '../../labs/language.ts';
import { UsageError } from '../errors.ts';
import { makeFolder } from '../make-folder.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { unwritable } from '../unwritable.ts';

/** The file in a copy that says which lab it is of, and how its last check went. */
const MARK = '.loongscope-lab.json';

interface Mark {
  readonly lab: string;
  /** The result of the last check, and the digest of what was checked. */
  readonly checked?: { readonly passed: boolean; readonly digest: string };
}

/** What a debugger is told of the labs' hypervisors. */
export const DESCRIPTOR = join(PROJECT_ROOT, 'labs', 'lib', 'labs.json');

/** The project's folder of a lab: its skeleton. */
export const skeletonFolder = (lab: Lab): string => join(PROJECT_ROOT, 'labs', lab.name);
export const solutionFolder = (lab: Lab): string => join(skeletonFolder(lab), 'solution');
/** Where a file of the skeleton is, below its folder; the same below that of the solution. */
const placeOf = (file: string): string => (isRust(file) ? join('rust', file) : file);
/** Is this a source of Rust? */
export const isRust = (file: string): boolean => file.endsWith('.rs');
/** The image that is built already; labs in Rust are always built when they are checked. */
export const builtImage = (lab: Lab, solution: boolean): string =>
  join(
    PROJECT_ROOT,
    'build',
    'labs',
    `${lab.name}${solution ? '-solution' : ''}${lab.language === 'C' ? '' : '-rust'}.elf`,
  );

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** The language of a folder's program; C where that cannot be told. */
export function languageOf(folder: string): Language {
  const has = (file: string): boolean => existsSync(join(folder, file));
  return has('main.rs') && !has('main.c') ? 'Rust' : 'C';
}

/** The option that asks for a lab in this language. */
const option = ({ language }: Lab): string => (language === 'Rust' ? ' --rust' : '');

/** The sources of a folder by name: the lab's own, then others that a student has added. Modules of Rust are found by its compiler. */
export function sourcesIn(folder: string, lab: Lab): string[] {
  const missing = lab.files.find((file) => !isReadable(join(folder, file)));
  if (missing !== undefined)
    throw new UsageError(
      `${folder} has no ${missing} that can be read, which lab ${lab.name} needs: copy the skeleton with loongscope lab ${lab.name}${option(lab)} --start DIR`,
    );
  const more = readdirSync(folder).filter((file) => /\.[cS]$/.test(file) && !lab.files.includes(file));
  return [...lab.files, ...more.sort()];
}

/** The sources of the skeleton, as paths below its folder. */
export const skeletonSources = (lab: Lab): string[] => lab.files.map(placeOf);

/** The sources of the solution, as paths below the skeleton's folder: files that differ are in `solution/`. */
export const solutionSources = (lab: Lab): string[] =>
  skeletonSources(lab).map((path) => (existsSync(join(solutionFolder(lab), path)) ? join('solution', path) : path));

/** Texts of the lab's files in a folder. */
export const textsIn = (folder: string, lab: Lab): ReadonlyMap<string, string> =>
  new Map(lab.files.map((file) => [file, readFileSync(join(folder, file), 'utf8')]));

/** Texts of the lab's files in its skeleton. */
export const skeletonTexts = (lab: Lab): ReadonlyMap<string, string> =>
  new Map(lab.files.map((file) => [file, readFileSync(join(skeletonFolder(lab), placeOf(file)), 'utf8')]));

/** Copies the skeleton. @throws UsageError when the folder is not empty, or cannot be written */
export function startLab(lab: Lab, folder: string): void {
  if (existsSync(folder) && (!statSync(folder).isDirectory() || readdirSync(folder).length > 0))
    throw new UsageError(
      `${folder} is there already and not empty: give another folder, or check it: loongscope lab ${lab.name} ${folder}`,
    );
  try {
    makeFolder(folder);
    const pages = readdirSync(skeletonFolder(lab)).filter((file) => file.endsWith('.md'));
    for (const path of [...pages, ...skeletonSources(lab)])
      copyFileSync(join(skeletonFolder(lab), path), join(folder, basename(path)));
    writeMark(folder, { lab: lab.name });
  } catch (error) {
    throw unwritable(`${folder} cannot be written`, error, 'give another folder');
  }
}

const digestOf = (folder: string, lab: Lab): string => {
  const hash = createHash('sha256');
  const sources = sourcesIn(folder, lab);
  const more = readdirSync(folder).filter((file) => /\.(h|rs)$/.test(file) && !sources.includes(file));
  for (const file of [...sources, ...more.sort()])
    hash
      .update(file)
      .update('\0')
      .update(readFileSync(join(folder, file)))
      .update('\0');
  return hash.digest('hex');
};

function writeMark(folder: string, mark: Mark): void {
  writeFileSync(join(folder, MARK), `${JSON.stringify(mark)}\n`);
}

function markOf(folder: string): Mark | undefined {
  try {
    const mark: unknown = JSON.parse(readFileSync(join(folder, MARK), 'utf8'));
    return typeof mark === 'object' && mark !== null && 'lab' in mark ? (mark as Mark) : undefined;
  } catch {
    return undefined;
  }
}

/** Is this folder a copy of the lab? */
export const isCopyOf = (folder: string, lab: Lab): boolean => markOf(folder)?.lab === lab.name;

/** Keeps the result in a folder that is a copy. A folder that cannot be written is checked all the same. */
export function keepResult(folder: string, lab: Lab, passed: boolean): void {
  if (!isCopyOf(folder, lab)) return;
  try {
    writeMark(folder, { lab: lab.name, checked: { passed, digest: digestOf(folder, lab) } });
  } catch {}
}

/** How far a copy is. */
export type State = 'started' | 'failed' | 'passed' | 'changed since its check';

export function stateOf(folder: string, lab: Lab): State {
  const checked = markOf(folder)?.checked;
  if (!checked) return 'started';
  try {
    if (checked.digest !== digestOf(folder, inLanguage(lab, languageOf(folder)))) return 'changed since its check';
  } catch {
    return 'changed since its check';
  }
  return checked.passed ? 'passed' : 'failed';
}

/** The copies of a lab in a folder and directly below it, as names from there. */
export function copiesBelow(folder: string, lab: Lab): string[] {
  let below: string[] = [];
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    below = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    // A folder that cannot be read has no copies to show.
  }
  return ['.', ...below.sort()].filter((name) => isCopyOf(join(folder, name), lab));
}
