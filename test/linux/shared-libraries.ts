/** The shared libraries that a program needs, found as the dynamic loader does: by the names in its dynamic section. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { elfSections, stringsOf } from '../../src/emu/boot/elf-sections.ts';
import { viewOf } from '../../src/emu/formats/little-endian.ts';

const SHT_DYNAMIC = 6;
const DT_NEEDED = 1n;
const ENTRY_BYTES = 16;

/** Names of the libraries that one file asks for. */
function needed(file: string): string[] {
  const sections = elfSections(readFileSync(file));
  const dynamic = sections.find((s) => s.type === SHT_DYNAMIC);
  if (!dynamic) return [];
  const nameAt = stringsOf(sections[dynamic.link]!.data);
  const view = viewOf(dynamic.data);
  const out: string[] = [];
  for (let at = 0; at + ENTRY_BYTES <= dynamic.data.length; at += ENTRY_BYTES)
    if (view.getBigUint64(at, true) === DT_NEEDED) out.push(nameAt(Number(view.getBigUint64(at + 8, true))));
  return out;
}

/**
 * Names of all libraries that a program needs, also through libraries.
 * @param folder where all of them are
 * @throws Error when one is missing
 */
export function librariesOf(program: string, folder: string): string[] {
  const out = new Set<string>();
  const visit = (file: string): void => {
    for (const name of needed(file)) {
      if (out.has(name)) continue;
      out.add(name);
      visit(join(folder, name));
    }
  };
  visit(program);
  return [...out];
}
