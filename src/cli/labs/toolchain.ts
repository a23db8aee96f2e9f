/** Builds labs: the compiler and linker of this computer, and how they are called. */
import { existsSync, rmSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { execa } from 'execa';
import { UsageError } from '../errors.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { systemName } from '../system-name.ts';
import { temporaryFolder } from '../temporary-folder.ts';
import { isRust } from './folder.ts';
import { compileRust, findRust, RUST_TARGET } from './rustc.ts';

const OLDEST = 19;
const NEWEST = 24;
/** A compiler that has not ended by then never will. */
const PATIENCE_MS = 60_000;

/** What is compiled to run on the machine, as scripts/lib/guest-flags.sh has it. */
export const TARGET_FLAGS = [
  '--target=loongarch64-unknown-linux-gnusf',
  ...['-Xclang', '-target-feature', '-Xclang', '+lvz', '-march=loongarch64', '-msoft-float', '-mno-lsx'],
  ...['-ffreestanding', '-fno-builtin', '-fno-pic', '-mcmodel=medium', '-O0', '-g', '-fno-omit-frame-pointer'],
  ...['-Wall', '-Wextra', '-std=gnu17'],
];
/** The same beside Rust: its target passes numbers in floating-point registers, and only objects of one kind are linked. */
const FLAGS_BESIDE_RUST = TARGET_FLAGS.filter((flag) => flag !== '-msoft-float').map((flag) =>
  flag.replace(/^--target=.*/, `--target=${RUST_TARGET}`),
);
const LIB = join(PROJECT_ROOT, 'labs', 'lib');
/** Where scripts/build-labs puts what the sources of labs/lib become. */
export const LIB_OBJECTS = join(PROJECT_ROOT, 'build', 'labs', 'lib');
/** Where scripts/build-labs puts what the sources of a lab become: the page links them with assembly that is written there. */
export const LAB_OBJECTS = join(PROJECT_ROOT, 'build', 'labs', 'objects');
/** The sources of the library; the world switch is the one that lab h1 asks for. */
export const LIB_SOURCES = ['boot.S', 'console.c', 'memory.c', 'refill.S', 'vcpu.c', '../h1/solution/switch.S'];

export interface Toolchain {
  readonly clang: string;
  readonly lld: string;
}

/** The newest `NAME-N`, or a plain NAME that is new enough. */
async function newest(name: string): Promise<string | undefined> {
  const names = Array.from({ length: NEWEST - OLDEST + 1 }, (_, n) => `${name}-${NEWEST - n}`);
  for (const program of [...names, name]) {
    const { stdout, exitCode } = await execa(program, ['--version'], { reject: false, stdin: 'ignore' });
    const version = /(?:version|LLD) (\d+)/.exec(stdout ?? '')?.[1];
    if (exitCode === 0 && Number(version) >= OLDEST) return program;
  }
  return undefined;
}

let found: Promise<Toolchain> | undefined;

/** The compiler and linker; they are looked for once. @throws UsageError when there is none */
export const findToolchain = (): Promise<Toolchain> => (found ??= lookForTools());

/** How compiler and linker come to a system. */
export function toolchainMend(system: string): string {
  if (system === 'debian') return `apt-get install clang-${OLDEST} lld-${OLDEST}`;
  if (system === 'darwin') return 'brew install llvm lld, and put both into PATH';
  if (system === 'win32') return 'install LLVM, and put its folder bin into PATH';
  return `install clang and lld ${OLDEST} or newer of your system`;
}

async function lookForTools(): Promise<Toolchain> {
  const clang = process.env.LS_CLANG ?? (await newest('clang'));
  const lld = process.env.LS_LLD ?? (await newest('ld.lld'));
  if (clang !== undefined && lld !== undefined) return { clang, lld };
  const missing = clang === undefined ? 'clang' : 'lld';
  throw new UsageError(
    `no ${missing} ${OLDEST} or newer, which builds labs: ${toolchainMend(systemName())} (--solution needs neither)`,
  );
}

/** A program that could not be built. */
export class BuildError extends Error {}

async function call(program: string, args: readonly string[], folder: string): Promise<void> {
  const { all, exitCode, timedOut } = await execa(program, args, {
    ...{ cwd: folder, reject: false, all: true, stdin: 'ignore', timeout: PATIENCE_MS },
  });
  if (timedOut) throw new BuildError(`${basename(program)} has not ended within ${PATIENCE_MS / 1000} seconds`);
  if (exitCode === undefined) throw new BuildError(`${program} could not be started`);
  if (exitCode !== 0) throw new BuildError((all ?? '').replaceAll(`${resolve(folder)}/`, ''));
}

const INCLUDES = ['-I', LIB, '-I', join(PROJECT_ROOT, 'src', 'hv')];

/** @throws BuildError with the compiler's message */
async function compile(
  { clang }: Toolchain,
  folder: string,
  source: string,
  object: string,
  target: readonly string[] = TARGET_FLAGS,
): Promise<void> {
  const flags = [...target, ...INCLUDES, `-fdebug-prefix-map=${PROJECT_ROOT}/=`, '-fdebug-compilation-dir=.'];
  // gdb finds sources by whole paths; a message names them as the student does.
  await call(clang, [...flags, '-c', resolve(folder, source), '-o', object], folder);
}

/** Compiles `labs/lib` into a folder; beside Rust its assembly alone. @returns the objects */
export async function buildLib(tools: Toolchain, folder: string, besideRust = false): Promise<string[]> {
  const sources = besideRust ? LIB_SOURCES.filter((source) => source.endsWith('.S')) : LIB_SOURCES;
  const objects = sources.map((source) => join(folder, `${basename(source)}.o`));
  const flags = besideRust ? FLAGS_BESIDE_RUST : TARGET_FLAGS;
  for (const [n, source] of sources.entries()) await compile(tools, LIB, join(LIB, source), objects[n]!, flags);
  return objects;
}

/** What a program is linked of: its own objects, with options for them, and those of the library. */
interface Parts {
  readonly own: readonly string[];
  readonly lib: readonly string[];
}

/** @param place a folder for a moment. @param objects one to keep what the sources become, if they are to be kept */
async function partsInC(
  tools: Toolchain,
  folder: string,
  sources: readonly string[],
  place: string,
  objects: string | undefined,
): Promise<Parts> {
  const own = sources.map((source, n) =>
    objects ? join(objects, `${basename(source)}.o`) : join(place, `own-${n}.o`),
  );
  for (const [n, source] of sources.entries()) await compile(tools, folder, source, own[n]!);
  const built = LIB_SOURCES.map((source) => join(LIB_OBJECTS, `${basename(source)}.o`));
  return { own, lib: built.every((object) => existsSync(object)) ? built : await buildLib(tools, place) };
}

async function partsInRust(
  tools: Toolchain,
  folder: string,
  sources: readonly string[],
  place: string,
): Promise<Parts> {
  const rust = await findRust();
  const own: string[] = [];
  for (const [n, source] of sources.entries()) {
    const object = join(place, `own-${n}.o`);
    if (isRust(source)) own.push(...(await compileRust(rust, folder, source, place, call)));
    else {
      await compile(tools, folder, source, object, FLAGS_BESIDE_RUST);
      own.push(object);
    }
  }
  // The core library is one object, of which a lab needs little.
  return { own: ['--gc-sections', ...own], lib: await buildLib(tools, place, true) };
}

/**
 * Compiles and links a lab's program. A source of `labs/lib` is linked when the lab does not have its functions itself.
 * @param folder where the names of `sources` begin, and those in the compiler's messages
 * @param sources C and assembly, or Rust and assembly
 * @param output the ELF file to write
 * @param objects a folder for what the sources become, if they are to be kept; not of Rust
 * @throws BuildError with the compiler's message
 */
export async function build(
  tools: Toolchain,
  folder: string,
  sources: readonly string[],
  output: string,
  objects?: string,
): Promise<void> {
  const place = temporaryFolder('loongscope-lab-');
  try {
    const { own, lib } = sources.some(isRust)
      ? await partsInRust(tools, folder, sources, place)
      : await partsInC(tools, folder, sources, place, objects);
    const parts = [...own, '--start-lib', ...lib, '--end-lib'];
    // The entry is in the library, and what it calls brings the rest.
    await call(
      tools.lld,
      ['-static', '--no-relax', '--undefined=_start', '-T', join(LIB, 'link.ld'), ...parts, '-o', output],
      folder,
    );
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}
