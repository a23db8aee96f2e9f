/** Programs of labs whose assembly is written in the page. Their C comes prebuilt, as objects. */

import { AsmError } from '../../emu/assembler/asm-error.ts';
import { assemble } from '../../emu/assembler/assembler.ts';
import { elfProgram } from '../../emu/assembler/elf-program.ts';
import { LinkError, link } from '../../emu/assembler/link.ts';
import type { AsmObject } from '../../emu/assembler/object.ts';
import { ImageError } from '../../emu/formats/image-error.ts';
import { decodeValue } from '../../emu/formats/value.ts';
import { LAB_LAYOUT } from '../../labs/layout.ts';
import { type AssembledLab, LIBRARY, type Mistake, OBJECTS } from '../protocol.ts';
import type { Shelf } from './program.ts';
import { unpack } from './unpack.ts';

/** Sources that cannot be assembled, or linked. */
export class Mistakes extends Error {
  readonly list: readonly Mistake[];

  constructor(errors: readonly AsmError[]) {
    super(errors[0]?.line);
    this.list = errors.map(({ place, message }) => ({ ...place, text: message }));
  }
}

/** The ELF file of a lab. @throws Mistakes, ImageError */
export async function assembledLab({ lab, solution, sources }: AssembledLab, { content }: Shelf): Promise<Uint8Array> {
  const { objects, includes } = content.assembly;
  const prebuilt = decodeValue(OBJECTS, await unpack(objects), 'objects') as Readonly<Record<string, AsmObject[]>>;
  const own: AsmObject[] = [];
  const errors: AsmError[] = [];
  for (const { name, text } of sources) {
    const made = assemble(name, text, includes);
    if ('errors' in made) errors.push(...made.errors);
    else own.push(made.object);
  }
  if (errors.length > 0) throw new Mistakes(errors);
  try {
    const parts = [...prebuilt[solution ? `${lab}-solution` : lab]!, ...own];
    return elfProgram(link(parts, prebuilt[LIBRARY]!, LAB_LAYOUT));
  } catch (error) {
    if (error instanceof AsmError) throw new Mistakes([error]);
    throw error instanceof LinkError ? new ImageError(error.message) : error;
  }
}
