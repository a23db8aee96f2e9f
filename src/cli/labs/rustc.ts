/** Rust for the labs: the compiler of this computer, the core library of its target, and how they are called. */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { UsageError } from '../errors.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { systemName } from '../system-name.ts';
import { temporaryFolder } from '../temporary-folder.ts';

/** The first rustc with the edition of the labs. */
const OLDEST = '1.85';
const EDITION = '2024';
/** Debian builds the core library for this target; a program without the operating system needs no other one. */
export const RUST_TARGET = 'loongarch64-unknown-linux-gnu';
/** The library of the labs in Rust. */
const LIB = join(PROJECT_ROOT, 'labs', 'lib', 'rust', 'lib.rs');
const FLAGS = [
  ...['--edition', EDITION, '--target', RUST_TARGET],
  ...['-C', 'target-feature=+lvz,-lsx', '-C', 'relocation-model=static', '-C', 'code-model=medium'],
  ...['-C', 'panic=abort', '-C', 'codegen-units=1', '-C', 'force-frame-pointers=yes', '-g'],
];

/** A compiler, and the libraries that every program is linked with. */
export interface Rust {
  readonly rustc: string;
  readonly libraries: readonly string[];
}

/** Calls a program in a folder. @throws when it fails */
export type Caller = (program: string, args: readonly string[], folder: string) => Promise<void>;

/** The compiler of this computer, or why there is none that serves. */
export async function lookForRust(): Promise<Rust | { readonly missing: string }> {
  const rustc = process.env.LS_RUSTC ?? 'rustc';
  const place = temporaryFolder('loongscope-rust-');
  try {
    const base = ['--edition', EDITION, '--target', RUST_TARGET];
    // It compiles nothing without a core library of its own version.
    const probe = await execa(rustc, [...base, '--crate-type', 'lib', '--emit', 'metadata', '--out-dir', place, '-'], {
      ...{ reject: false, input: '#![no_std]\n' },
    });
    if (probe.exitCode === undefined) return { missing: 'no rustc' };
    const said = /^error.*/m.exec(probe.stderr)?.[0] ?? `it ends with ${probe.exitCode}`;
    if (probe.exitCode !== 0) return { missing: `a rustc that does not serve (${said})` };
    const { stdout } = await execa(rustc, ['--print', 'target-libdir', '--target', RUST_TARGET]);
    const files = readdirSync(stdout).filter((file) => /^lib(core|compiler_builtins)-.*\.rlib$/.test(file));
    return { rustc, libraries: files.sort().map((file) => join(stdout, file)) };
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
}

/** How Rust comes to a system. */
export function rustMend(system: string): string {
  const debian =
    'dpkg --add-architecture loong64, apt-get update, apt-get install rustc libstd-rust-dev:loong64 (of Debian 14 or later)';
  return system === 'debian'
    ? `in a checkout add --rust to ./scripts/loongscope lab, which brings it; or ${debian}`
    : `install rustc ${OLDEST} or newer of your system, with the core library of ${RUST_TARGET}`;
}

let found: Promise<Rust> | undefined;

/** The compiler; it is looked for once. @throws UsageError when there is none */
export const findRust = (): Promise<Rust> => (found ??= demandRust());

async function demandRust(): Promise<Rust> {
  const rust = await lookForRust();
  if (!('missing' in rust)) return rust;
  throw new UsageError(
    `there is ${rust.missing}, and labs in Rust are built by rustc ${OLDEST} or newer with the core library of ${RUST_TARGET}: ${rustMend(systemName())}`,
  );
}

/**
 * Compiles a lab's main program, and the library of the labs.
 * @param folder where the source is, and where the compiler's messages name it from
 * @param place a folder for what they become
 * @param call calls the compiler. @returns what to link
 */
export async function compileRust(
  { rustc, libraries }: Rust,
  folder: string,
  source: string,
  place: string,
  call: Caller,
): Promise<string[]> {
  const [library, object] = [join(place, 'liblab.rlib'), join(place, 'main.o')];
  // Printing is not what a student steps through, and what a run has done last is looked at.
  await call(
    rustc,
    [...FLAGS, '-C', 'opt-level=1', '--crate-type', 'rlib', '--crate-name', 'lab', LIB, '-o', library],
    folder,
  );
  const own = ['--crate-name', 'main', '--extern', `lab=${library}`, '--emit', 'obj'];
  await call(rustc, [...FLAGS, ...own, source, '-o', object], folder);
  return [object, library, ...libraries];
}
