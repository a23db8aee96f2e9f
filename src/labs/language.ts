/** A lab's main program is in C or in Rust: the assembly, the check and the hints are the same. */
import type { Lab, Language } from './lab.ts';

/** A text about the program in C, in the words of the one in Rust: its files, its members, its tables. */
const inRust = (text: string): string =>
  text
    .replaceAll(/\b(\w+)\.c\b/g, '$1.rs')
    .replaceAll('->', '.')
    .replaceAll('stage2[', 'STAGE2[');

/** The lab with its program in a language. @param lab in C, as src/labs/catalog.ts has it */
export function inLanguage(lab: Lab, language: Language): Lab {
  if (language === lab.language) return lab;
  const said = <T extends { readonly hint: string; readonly zh: string }>(all: readonly T[]): T[] =>
    all.map((one) => ({ ...one, hint: inRust(one.hint), zh: inRust(one.zh) }));
  return {
    ...{ ...lab, language, files: lab.files.map(inRust) },
    ...{ atEntry: said(lab.atEntry), mistakes: said(lab.mistakes) },
  };
}
