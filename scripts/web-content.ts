/** What the page of the browser edition brings with it: programs, the labs' pages and sources, descriptors. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DESCRIPTOR, solutionSources } from '../src/cli/labs/folder.ts';
import { LAB_OBJECTS, LIB_OBJECTS, LIB_SOURCES } from '../src/cli/labs/toolchain.ts';
import { guestPath, HYPERVISOR, PROJECT_ROOT } from '../src/cli/paths.ts';
import { VERSION } from '../src/cli/version.ts';
import { parseObject } from '../src/emu/assembler/elf-object.ts';
import type { AsmObject } from '../src/emu/assembler/object.ts';
import { emitInterpreter } from '../src/emu/engine/interpreter.ts';
import { planHandlers } from '../src/emu/engine/uop.ts';
import { encodeValue } from '../src/emu/formats/value.ts';
import { ROWS } from '../src/emu/isa/table/index.ts';
import { USUAL_PLAN } from '../src/emu/machine/processors.ts';
import { parseDescriptor } from '../src/hv/awareness/descriptor.ts';
import { contextHeader, descriptorTexts } from '../src/hv/awareness/descriptor-texts.ts';
import { Dwarf } from '../src/hv/awareness/dwarf.ts';
import { resolved } from '../src/hv/awareness/resolve.ts';
import { LABS } from '../src/labs/catalog.ts';
import type { Lab } from '../src/labs/lab.ts';
import type { LabText, PageContent, SourceText } from '../src/web/content.ts';
import { type AssemblyContent, LIBRARY, type MachineContent, OBJECTS, type Packed } from '../src/web/protocol.ts';
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
    assembly: assemblyContent(),
  };
}

/** What the C of the labs has become, and what their assembly includes. */
function assemblyContent(): AssemblyContent {
  const objectsIn = (folder: string): AsmObject[] =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.c.o'))
      .map((file) => parseObject(new Uint8Array(readFileSync(join(folder, file))), file.replace(/\.o$/, '')));
  const library = LIB_SOURCES.map((source) => {
    const file = `${basename(source)}.o`;
    return parseObject(new Uint8Array(readFileSync(join(LIB_OBJECTS, file))), basename(source));
  });
  const programs = LABS.flatMap(({ name }) => [name, `${name}-solution`]);
  const objects = Object.fromEntries(programs.map((name) => [name, objectsIn(join(LAB_OBJECTS, name))]));
  return {
    objects: packed(encodeValue(OBJECTS, { ...objects, [LIBRARY]: library })),
    includes: { 'lab.h': text('labs', 'lib', 'lab.h'), 'csr.h': text('src', 'hv', 'csr.h') },
  };
}

function sources(lab: Lab, files: readonly string[]): SourceText[] {
  return files.map((name) => ({ name: name.replace('solution/', ''), text: text('labs', lab.name, name) }));
}

function labText(lab: Lab): LabText {
  const { name, title, prints } = lab;
  const zh = text('labs', name, 'README.zh-CN.md');
  return {
    ...{ name, prints },
    // The page's heading begins with the name.
    titles: { en: title, zh: zh.split('\n', 1)[0]!.replace(/^# \w+：/, '') },
    pages: { en: text('labs', name, 'README.md'), zh },
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
