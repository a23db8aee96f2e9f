/** Builds a lab's solution with an edit, and checks it as a student's folder is checked. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { skeletonFolder, solutionSources } from '../../src/cli/labs/folder.ts';
import { checkLab } from '../../src/cli/labs/lab.ts';
import { labNamed } from '../../src/labs/catalog.ts';
import type { Lab, Language } from '../../src/labs/lab.ts';
import { inLanguage } from '../../src/labs/language.ts';
import type { Result } from '../../src/labs/report.ts';

/** Files of the solution by name. */
export const solutionOf = (lab: Lab): Map<string, string> =>
  new Map(solutionSources(lab).map((path) => [basename(path), readFileSync(join(skeletonFolder(lab), path), 'utf8')]));

/** Checks these files as a folder. */
export async function checked(lab: Lab, files: ReadonlyMap<string, string>): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-labs-'));
  try {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of files) writeFileSync(join(folder, name), text);
    return await checkLab(lab, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Checks the solution with one text replaced. @throws Error when it does not occur exactly once */
export async function checkEdited(
  name: string,
  file: string,
  from: string,
  to: string,
  language: Language = 'C',
): Promise<Result> {
  const lab = inLanguage(labNamed(name), language);
  const files = solutionOf(lab);
  const parts = (files.get(file) ?? '').split(from);
  if (parts.length !== 2) throw new Error(`${name}/${file} has '${from}' ${parts.length - 1} times`);
  files.set(file, parts.join(to));
  return checked(lab, files);
}
