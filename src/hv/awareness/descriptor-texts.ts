/**
 * The files of the descriptors that come with the program, as Node reads them. It is the only file of this room that does:
 * the page of src/web has another one in its place, with the texts inside.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('./descriptors/', import.meta.url);

/** A file and its content. */
export interface DescriptorText {
  readonly file: string;
  readonly text: string;
}

/** All of them, in the order of their names. */
export function descriptorTexts(): DescriptorText[] {
  const files = readdirSync(FOLDER).filter((f) => f.endsWith('.json'));
  return files.sort().map((file) => ({ file, text: readFileSync(new URL(file, FOLDER), 'utf8') }));
}

/** The text of a descriptor's header file: in a checkout among the hypervisor's sources, in a bundle beside the program. */
export function contextHeader(name: string): string {
  const source = new URL(`../${name}`, import.meta.url);
  return readFileSync(existsSync(source) ? source : new URL(name, import.meta.url), 'utf8');
}
