/**
 * Finds out which tests judge which section of the manual. A test says so itself: a comment `Manual: 5.4.2, 7.5.1` stands
 * above it. Instructions are also found by their names, in recorded vectors and in conformance programs.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';

/** A mark in a test: the section, and where it is. */
export interface Mark {
  readonly section: string;
  /** The file, from the root of the project. */
  readonly file: string;
  readonly line: number;
}

const SOURCES = /\.(ts|S|c)$/;
/** A comment of TypeScript, C or assembly that begins with the word. */
const MARK = /^\s*(?:\/\/|\/?\*+|#)\s*Manual:\s*([\d., and]+)/;

/** The sections that a line names, or none. */
export const sectionsIn = (line: string): string[] => MARK.exec(line)?.[1]?.match(/\d+(?:\.\d+)*/g) ?? [];

/** All marks in the files under `folder`. */
export function marksUnder(root: string, folder: string): Mark[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && SOURCES.test(f.name))
    .map((f) => relative(root, join(f.parentPath, f.name)))
    .sort()
    .flatMap((file) =>
      readFileSync(join(root, file), 'utf8')
        .split('\n')
        .flatMap((text, i) => sectionsIn(text).map((section) => ({ section, file, line: i + 1 }))),
    );
}

/** The recorded results of single instructions, and the programs that use instructions by name. */
const VECTORS = 'test/isa/vectors/qemu.json';
const PROGRAMS = ['test/conformance', 'test/lvz'];

/** A comment of assembly. */
const COMMENT = /\/\*[\s\S]*?\*\/|(?:#|\/\/).*/g;

/** Which files judge an instruction, by its name. */
export class InstructionTests {
  private readonly files: readonly { readonly file: string; readonly names: ReadonlySet<string> }[];

  constructor(root: string) {
    const { vectors } = JSON.parse(readFileSync(join(root, VECTORS), 'utf8')) as { vectors: [text: string][] };
    const recorded = { file: VECTORS, names: new Set(vectors.map(([text]) => text.split(' ')[0]!)) };
    const programs = PROGRAMS.flatMap((folder) =>
      readdirSync(join(root, folder))
        .filter((f) => f.endsWith('.S'))
        .sort()
        .map((f) => {
          const text = readFileSync(join(root, folder, f), 'utf8').replaceAll(COMMENT, ' ');
          return { file: `${folder}/${f}`, names: new Set(text.match(/[a-z][\w.]*/g)) };
        }),
    );
    this.files = [recorded, ...programs];
  }

  of(name: string): string[] {
    return this.files.filter((f) => f.names.has(name)).map((f) => f.file);
  }
}
