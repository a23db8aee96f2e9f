/** What the page of the browser edition brings with it: programs, the labs' pages and sources, descriptors. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DESCRIPTOR, solutionSources } from '../src/cli/labs/folder.ts';
import { guestPath, HYPERVISOR, PROJECT_ROOT } from '../src/cli/paths.ts';
import { VERSION } from '../src/cli/version.ts';
import { emitInterpreter } from '../src/emu/engine/interpreter.ts';
import { planHandlers } from '../src/emu/engine/uop.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';
import { USUAL_PLAN } from '../src/emu/machine/processors.ts';
import { parseDescriptor } from '../src/hv/awareness/descriptor.ts';
import { contextHeader, descriptorTexts } from '../src/hv/awareness/descriptor-texts.ts';
import { Dwarf } from '../src/hv/awareness/dwarf.ts';
import { resolved } from '../src/hv/awareness/resolve.ts';
import { LABS } from '../src/labs/catalog.ts';
import type { Lab } from '../src/labs/lab.ts';
import type { LabText, PageContent, SourceText } from '../src/web/content.ts';
import type { MachineContent, Packed } from '../src/web/protocol.ts';
import { withoutDebugInformation } from './strip-elf.ts';

/** Guests of the reference hypervisor that the page shows. */
const DEMOS = ['hello', 'crash', 'two', 'timer', 'paging'];
const HEADERS = ['context.h', 'csr.h'];

const packed = (bytes: Uint8Array): Packed => gzipSync(bytes, { level: 9 }).toString('base64');
const text = (...path: string[]): string => readFileSync(join(PROJECT_ROOT, ...path), 'utf8');
const labImage = (name: string): string => join(PROJECT_ROOT, 'build', 'labs', `${name}.elf`);

function machineContent(): MachineContent {
  const labs = LABS.flatMap(({ name }) => [name, `${name}-solution`]);
  const files: readonly (readonly [string, string])[] = [
    ['hv', HYPERVISOR],
    ...DEMOS.map((name) => [name, guestPath(name)] as const),
    ...labs.map((name) => [name, labImage(name)] as const),
  ];
  const bytes = (file: string): Packed => packed(withoutDebugInformation(readFileSync(file)));
  const labDescriptor = resolved(parseDescriptor(readFileSync(DESCRIPTOR, 'utf8'), 'labs.json'), {
    types: new Dwarf(readFileSync(labImage(LABS[0]!.name))),
  });
  return {
    version: VERSION,
    programs: [
      ...labs.map((key) => ({ key, image: key, guests: [] })),
      ...DEMOS.map((key) => ({ key, image: 'hv', guests: [key] })),
    ],
    images: Object.fromEntries(files.map(([name, file]) => [name, bytes(file)])),
    interpreter: packed(emitInterpreter({ map: planHandlers(ROWS), ...USUAL_PLAN })),
    descriptors: descriptorTexts(),
    headers: Object.fromEntries(HEADERS.map((name) => [name, contextHeader(name)])),
    labDescriptor: JSON.stringify(labDescriptor),
  };
}

function sources(lab: Lab, files: readonly string[]): SourceText[] {
  return files.map((name) => ({ name: name.replace('solution/', ''), text: text('labs', lab.name, name) }));
}

function labText(lab: Lab): LabText {
  const { name, title, prints } = lab;
  return {
    ...{ name, title, prints },
    pages: { en: text('labs', name, 'README.md'), zh: text('labs', name, 'README.zh-CN.md') },
    skeleton: sources(lab, lab.files),
    solution: sources(lab, solutionSources(lab)),
  };
}

/** All of it; the images must be built. */
export const webContent = (): PageContent => ({
  machine: machineContent(),
  labs: LABS.map(labText),
  demos: DEMOS.map((name) => ({ name, files: demoSources(name) })),
});

const demoSources = (name: string): SourceText[] =>
  readdirSync(join(PROJECT_ROOT, 'guests', name))
    .filter((file) => /\.[cS]$/.test(file))
    .map((file) => ({ name: file, text: text('guests', name, file) }));
