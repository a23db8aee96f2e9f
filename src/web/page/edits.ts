/** Assembly that the user has changed. It stays in the browser, where that keeps something. */
import type { LabText, SourceText } from '../content.ts';

/** What a lab's program is made of. `mixed`: C of the solution, assembly of the skeleton. */
export const VARIANTS = ['skeleton', 'solution', 'mixed'] as const;
export type Variant = (typeof VARIANTS)[number];

/** Texts by {@link placeOf}. */
export type Edits = Readonly<Record<string, string>>;

const KEPT_AS = 'loongscope assembly';

/** Names a source of a lab. */
export const placeOf = (lab: string, variant: Variant, file: string): string => `${lab}/${variant}/${file}`;

export const isAssembly = ({ name }: SourceText): boolean => name.endsWith('.S');

/** The sources of a lab as it comes. */
export const originals = ({ skeleton, solution }: LabText, variant: Variant): readonly SourceText[] =>
  variant === 'mixed'
    ? [...solution.filter((s) => !isAssembly(s)), ...skeleton.filter(isAssembly)]
    : variant === 'solution'
      ? solution
      : skeleton;

/** Does a lab have holes in its assembly? Then they can be filled in the page, whatever its C. */
export const hasMixed = ({ skeleton, solution }: LabText): boolean =>
  skeleton.filter(isAssembly).some((s) => solution.find((o) => o.name === s.name)?.text !== s.text);

/** The assembly of a lab with what was changed. */
export const assemblyOf = (
  lab: LabText,
  variant: Variant,
  edits: Edits,
): readonly (SourceText & { readonly edited: boolean })[] =>
  originals(lab, variant)
    .filter(isAssembly)
    .map(({ name, text }) => {
      const changed = edits[placeOf(lab.name, variant, name)];
      return { name, text: changed ?? text, edited: changed !== undefined };
    });

/** What was changed in an earlier visit. */
export function readEdits(): Edits {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEPT_AS) ?? '{}');
    const isText = (entry: [string, unknown]): entry is [string, string] => typeof entry[1] === 'string';
    return typeof kept === 'object' && kept !== null ? Object.fromEntries(Object.entries(kept).filter(isText)) : {};
  } catch {
    return {};
  }
}

export function keepEdits(edits: Edits): void {
  try {
    localStorage.setItem(KEPT_AS, JSON.stringify(edits));
  } catch {
    // A browser may keep nothing: the texts stay as long as the page is open.
  }
}
