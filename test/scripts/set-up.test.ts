/**
 * The set-up (scripts/lib): in each step the network is cut once. The step says so, leaves nothing that keeps the next run from
 * doing it again, and what was brought before stays. apt, dpkg and npm are small programs here, so nothing is downloaded.
 */
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

/** Programs of the system that the scripts may use. Everything else of the PATH is hidden. */
const SYSTEM =
  'bash sh sed grep awk find mktemp mkdir rm mv cp ln cat tail head sleep touch cut tr sort dirname basename uname df id chmod env cmp';

/** What each fake answers with when the network is cut: as the real one does. */
const APT = `case "$*" in
*update*)
  [ ! -e "$CUT/update" ] || { echo "W: Failed to fetch somewhere  Could not resolve host"; exit 0; }
  mkdir -p "$LISTS"; : > "$LISTS/x_Packages.gz" ;;
*"install -s"*) for name; do case $name in install|-*) ;; *) echo "Inst $name (1)"; echo "Inst lib$name (1)"; echo "Inst gcc-13 (1)" ;; esac; done ;;
*"--download-only"*)
  [ ! -e "$CUT/download" ] || { echo "E: Failed to fetch x.deb  Could not resolve host"; exit 100; }
  folder=$(sed -n 's/^Dir::Cache "\\(.*\\)";/\\1/p' "$APT_CONFIG")/archives
  for name; do case $name in Dir::Cache::archives=*) folder=\${name#*=} ;; esac; done; : > "$folder/$name.deb" ;;
*download*)
  [ ! -e "$CUT/download" ] || { echo "E: Failed to fetch x.deb  Could not resolve host"; exit 100; }
  shift; for name; do : > "\${name%%=*}_1.deb"; done ;;
esac`;
const CACHE = `case "$*" in
*policy*rustc*) echo "  Candidate: 1.97.1+dfsg1-1" ;;
*policy*gdb*) echo "  Candidate: \${GDB_MAJOR:-16}.3-1" ;;
*"depends"*linux-image*) echo "  Depends: linux-image-7.0-loong64" ;;
*depends*" npm") printf '  Depends: node-one\\n  Depends: libc6\\n  Depends: <node-two>\\n    node-both\\n' ;;
esac`;
/** Makes what a package has that the scripts look for. */
const DPKG = `name=$(basename "$2" .deb); name=\${name%_1}; root=$3
[ "$1" = -x ] || exit 0
mkdir -p "$root/usr/bin" "$root/usr/lib/x86_64-linux-gnu"
program() { printf '#!/bin/sh\\n%s\\n' "$2" > "$root/usr/bin/$1"; chmod +x "$root/usr/bin/$1"; }
loader() { mkdir -p "$root/lib64"; printf '#!/bin/sh\\nshift 2; exec "$@"\\n' > "$root/lib64/ld-linux-x86-64.so.2"; chmod +x "$root/lib64/ld-linux-x86-64.so.2"; }
case $name in
clang-19) program clang-19 'echo "clang version 19.1"' ;;
lld-19) program ld.lld-19 'echo "LLD 19.1"' ;;
gdb-multiarch) program gdb-multiarch 'echo "GNU gdb 16.3"; echo "set to \\"Loongarch64\\""' ;;
linux-modules-*) folder="$root/usr/lib/modules/7.0-loong64"; mkdir -p "$folder/kernel/drivers/scsi"; : > "$folder/vmlinuz"; : > "$folder/kernel/drivers/scsi/sd_mod.ko.xz" ;;
busybox-static) program busybox 'echo busybox' ;;
qemu-system-misc) program qemu-system-loongarch64 'echo "QEMU emulator version 10.2"'; mkdir -p "$root/usr/lib/loongarch64-linux-gnu"; : > "$root/usr/lib/loongarch64-linux-gnu/a.so"; loader ;;
qemu-utils) program qemu-nbd 'echo nbd'; program qemu-img 'echo img'; loader ;;
passt) program passt 'echo "  --hostname NAME"'; loader ;;
acpica-tools) program iasl 'echo "ASL+ Optimizing Compiler/Disassembler version 20250404"'; loader ;;
device-tree-compiler) program dtc 'echo dtc' ;;
rustc) program rustc ':'; loader ;;
npm) mkdir -p "$root/usr/share/nodejs/npm/bin"; : > "$root/usr/share/nodejs/npm/bin/npm-cli.js" ;;
esac`;
const NPM = `[ "$1" != --version ] || { echo "\${NPM_VERSION:-11.1.0}"; exit 0; }
[ ! -e "$CUT/npm" ] || { echo "npm error code EAI_AGAIN"; exit 1; }
prefix=; wants=; while [ $# -gt 0 ]; do case $1 in --prefix) prefix=$2; shift ;; *@24) wants=\${1%@*} ;; esac; shift; done
if [ -n "$wants" ]; then mkdir -p "$prefix/node_modules/$wants/bin"; printf '#!/bin/sh\\necho 24\\n' > "$prefix/node_modules/$wants/bin/node"; chmod +x "$prefix/node_modules/$wants/bin/node"
else mkdir -p "$prefix/node_modules"; fi`;

let base: string;
let root: string;
let cut: string;

const program = (name: string, text: string): void => {
  const file = join(base, 'bin', name);
  writeFileSync(file, `#!/bin/bash\n${text}\n`);
  chmodSync(file, 0o755);
};

beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'loongscope-set-up-'));
  // Paths have spaces in many homes.
  root = join(base, 'a checkout');
  cut = join(base, 'cut');
  for (const folder of ['bin', 'cut', 'a checkout/scripts', 'a checkout/src'])
    mkdirSync(join(base, folder), { recursive: true });
  cpSync(join(PROJECT_ROOT, 'scripts', 'lib'), join(root, 'scripts', 'lib'), { recursive: true });
  writeFileSync(join(root, 'package.json'), '{}');
  writeFileSync(join(root, 'package-lock.json'), '{"lockfileVersion":3}');
  const { stdout } = await execa('sh', ['-c', `for name in ${SYSTEM}; do command -v $name; done`]);
  for (const file of stdout.split('\n')) symlinkSync(file, join(base, 'bin', file.slice(file.lastIndexOf('/') + 1)));
  program('apt-get', APT);
  program('apt-cache', CACHE);
  program('dpkg-deb', DPKG);
  program('npm', NPM);
  program('tar', 'while read -r line; do :; done; echo "the file of the archive"');
  program('xz', 'echo "a module"');
});
afterEach(() => rmSync(base, { recursive: true }));

/** Runs shell code with the functions of the set-up. */
async function setUp(code: string, env: Record<string, string> = {}) {
  const { all, exitCode } = await execa(
    join(base, 'bin', 'bash'),
    ['-c', `set -euo pipefail; . "$0/scripts/lib/prepare.sh"; ${code}`, root],
    {
      env: {
        PATH: join(base, 'bin'),
        HOME: base,
        CUT: cut,
        LISTS: join(root, '.tools', 'own', 'lists'),
        TMPDIR: base,
        ...env,
      },
      extendEnv: false,
      reject: false,
      all: true,
    },
  );
  return { all, exitCode };
}

const inTools = (...path: string[]): string => join(root, '.tools', ...path);

describe('a network that is cut', () => {
  test.each([
    // thing, what is cut, what is there in the end
    ['node', 'npm', 'bin/node'],
    ['npm_packages', 'npm', '../node_modules/.loongscope-stamp'],
    ['program_packages', 'npm', '../node_modules/.loongscope-program-stamp'],
    ['clang', 'update', 'bin/clang-19'],
    ['clang', 'download', 'bin/ld.lld-19'],
    ['gdb', 'update', 'bin/gdb-multiarch'],
    ['gdb', 'download', 'bin/gdb-multiarch'],
    ['linux', 'update', 'linux/vmlinuz'],
    ['linux', 'download', 'linux/modules/sd_mod.ko'],
    ['firmware', 'update', 'firmware.fd'],
    ['firmware', 'download', 'firmware.fd'],
    ['qemu', 'update', 'bin/qemu-system-loongarch64'],
    ['qemu', 'download', 'bin/qemu-system-loongarch64'],
    ['qemu_loong64', 'update', 'linux/qemu/usr/bin/qemu-system-loongarch64'],
    ['qemu_loong64', 'download', 'linux/qemu/usr/bin/qemu-system-loongarch64'],
    ['qemu_nbd', 'download', 'bin/qemu-img'],
    ['passt', 'download', 'bin/passt'],
    ['table_judges', 'download', 'bin/iasl'],
    ['rust', 'update', 'bin/rustc'],
    ['rust', 'download', 'bin/rustc'],
    ['npm', 'update', 'bin/npm'],
    ['npm', 'download', 'bin/npm'],
  ])('while %s is brought (%s): said in one line, and the next run brings it', async (thing, what, file) => {
    if (thing === 'npm') {
      rmSync(join(base, 'bin', 'npm'));
      program('node', 'echo 24');
    }
    writeFileSync(join(cut, what), '');
    const first = await setUp(`prepare ${thing}`);
    expect(first.exitCode, first.all).not.toBe(0);
    expect(first.all).toMatch(/^loongscope: .* failed: a server was not reached: check the network, and run again/m);
    expect(existsSync(inTools(file)), first.all).toBe(false);
    rmSync(join(cut, what));
    const second = await setUp(`prepare ${thing}`);
    expect([second.exitCode, existsSync(inTools(file))], second.all).toEqual([0, true]);
    const third = await setUp(`prepare ${thing}`);
    expect([third.exitCode, third.all]).toEqual([0, '']);
  });

  test('one suite that is not reached is not the end: the next is tried', async () => {
    writeFileSync(join(cut, 'download'), '');
    const { all, exitCode } = await setUp('from_later_suite gdb-multiarch gdb-multiarch true || echo none', {
      GDB_MAJOR: '13',
    });
    expect(exitCode).toBe(0);
    for (const suite of ['forky', 'trixie', 'sid']) expect(all).toContain(`from ${suite}`);
    expect(all).toMatch(/none$/);
  });
});

test('the start says what is missing, how much it is, and how long it takes', async () => {
  const { all, exitCode } = await setUp('prepare node clang gdb');
  expect(exitCode, all).toBe(0);
  expect(all!.split('\n').slice(0, 2)).toEqual([
    '[prepare] the first run brings Node 24, clang and lld 19, a gdb that knows LoongArch',
    expect.stringMatching(
      /^\[prepare\] that is about \d+ MB to download and \d+ MB in ~\/a checkout\/\.tools and node_modules, some \d+ seconds/,
    ),
  ]);
});

test('an npm that does not understand package.json brings one that does', async () => {
  const env = { NPM_VERSION: '9.2.0' };
  program('node', 'if [ "$2" = --version ]; then echo 10.9.0; else echo 24; fi');
  writeFileSync(join(cut, 'npm'), '');
  mkdirSync(join(root, 'node_modules'));
  const first = await setUp('prepare program_packages', env);
  expect(first.all).toMatch(/^loongscope: bringing npm 10 failed: a server was not reached/m);
  rmSync(join(cut, 'npm'));
  const { all, exitCode } = await setUp('prepare program_packages; npm --version', env);
  expect([exitCode, all!.split('\n').at(-1)], all).toEqual([0, '10.9.0']);
  expect(readFileSync(inTools('bin', 'npm'), 'utf8')).toContain('/npm/node_modules/npm/bin/npm-cli.js');
  expect(existsSync(join(root, 'node_modules', '.loongscope-program-stamp'))).toBe(true);
});

test('what apt has computed does not stay', async () => {
  const index = inTools('own', 'cache', 'pkgcache.bin');
  program('apt-get', `${APT.replace('case', ': > "$LISTS/../cache/pkgcache.bin"; case')}`);
  const { all, exitCode } = await setUp('ensure_clang; [ -e "$LS_TOOLS/own/cache/pkgcache.bin" ]; prepare clang');
  expect([exitCode, existsSync(index)], all).toEqual([0, false]);
});

test('the mark of a package is only set when it is there, and headers for this machine are left out', async () => {
  expect((await setUp('prepare clang')).exitCode).toBe(0);
  expect(existsSync(inTools('own', 'have', 'clang-19'))).toBe(true);
  expect(existsSync(inTools('own', 'have', 'gcc-13'))).toBe(false);
});

test('a bundle that could not be made whole is made again', async () => {
  expect(
    (await setUp('bundle() { mkdir -p "$1"; : >"$1/main.js"; return 1; }; LS_NODE=x; ensure_bundle')).exitCode,
  ).not.toBe(0);
  expect(existsSync(join(root, 'build', 'cli', 'main.js'))).toBe(false);
  expect((await setUp('bundle() { mkdir -p "$1"; : >"$1/main.js"; }; LS_NODE=x; ensure_bundle')).exitCode).toBe(0);
  expect(existsSync(join(root, 'build', 'cli', 'main.js'))).toBe(true);
});

describe('Rust', () => {
  test('is only brought by who asks for it', () => {
    const script = readFileSync(join(PROJECT_ROOT, 'scripts', 'loongscope'), 'utf8');
    expect(script.match(/\brust\b/g)).toEqual(['rust', 'rust']);
    expect(script).toMatch(/^ {2}lab\)\n(?: {4}.*\n)* {4}case " \$\* " in \*" --rust "\*\) prepare rust ;; esac$/m);
  });

  test('a core library of another version than the compiler is not taken: lists are read again, and it is said', async () => {
    program(
      'apt-get',
      APT.replace('case "$*" in', 'case "$*" in *libstd-rust-dev=*) echo "E: no such version"; exit 100 ;;'),
    );
    const { all, exitCode } = await setUp('prepare rust');
    expect(exitCode).not.toBe(0);
    expect(all!.match(/reading the package lists of forky for loong64/g)).toHaveLength(2);
    expect(all).toMatch(
      /^loongscope: no rustc with a core library for loong64 of the same version could be brought: /m,
    );
    expect(existsSync(inTools('bin', 'rustc'))).toBe(false);
  });

  test('a compiler that is there and serves is used', async () => {
    program('rustc', 'exit 0');
    const { all, exitCode } = await setUp('prepare rust; echo "$LS_RUSTC"');
    expect([exitCode, all]).toEqual([0, join(base, 'bin', 'rustc')]);
  });

  test('one that is too old, or has no core library, is left, and another one brought', async () => {
    program('rustc', 'exit 1');
    const { all, exitCode } = await setUp(
      'has_rust || env | grep LS_RUSTC || echo none; prepare rust; echo "$LS_RUSTC"',
    );
    expect(exitCode, all).toBe(0);
    expect(all).toMatch(/^none$/m);
    expect(all!.split('\n').at(-1)).toBe(inTools('bin', 'rustc'));
  });
});

describe('what cannot be had is named', () => {
  test('no apt', async () => {
    for (const name of ['apt-get', 'npm']) rmSync(join(base, 'bin', name));
    const { all, exitCode } = await setUp('prepare node program_packages guests gdb');
    expect([exitCode, all!.split('\n').at(-1)]).toEqual([
      1,
      'loongscope: this system has no apt-get to bring programs with: install Node 24 with npm, clang and lld 19 or later, gdb 16 or later with LoongArch, and run again',
    ]);
  });

  test('no room', async () => {
    rmSync(join(base, 'bin', 'df'));
    program('df', 'printf "Filesystem\\nx 10 9 7 90%% /\\n"');
    const { all, exitCode } = await setUp('prepare node');
    expect(exitCode).toBe(1);
    expect(all).toMatch(
      /^loongscope: 7 MB are free in .*\.tools, and \d+ MB are needed: make room, or clone to another disk$/m,
    );
  });

  test('a full disk in the middle of a step', async () => {
    program(
      'npm',
      '[ "$1" != --version ] || { echo 11.1.0; exit 0; }; echo "npm error nospc ENOSPC: no space left on device, write"; exit 1',
    );
    const { all } = await setUp('prepare npm_packages');
    expect(all).toMatch(
      /^loongscope: installing npm packages failed: the disk is full: make room for .*\.tools, and run again$/m,
    );
  });

  test('a package that the sources do not have', async () => {
    program('apt-get', `case "$*" in *update*) mkdir -p "$LISTS"; : > "$LISTS/x_Packages.gz" ;; *) exit 100 ;; esac`);
    const { all, exitCode } = await setUp('prepare clang');
    expect(exitCode).not.toBe(0);
    expect(all).toMatch(
      /^loongscope: clang and lld 19: the package sources of this machine do not have clang-19 lld-19: see \/etc\/apt/m,
    );
  });
});

test('Ubuntu has suites and keys of its own', async () => {
  const release = join(base, 'os-release');
  writeFileSync(release, 'ID=ubuntu\nID_LIKE=debian\n');
  expect((await setUp('later_suites', { LS_OS_RELEASE: release })).all).toBe('resolute questing');
  expect((await setUp('later_suites', { LS_OS_RELEASE: join(base, 'none') })).all).toBe('forky trixie sid');
});

test('npm scripts are those that a user tries first, and the fast tests are there', async () => {
  const { scripts } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts).toMatchObject({ test: 'scripts/test', build: 'scripts/build', start: 'scripts/loongscope' });
  for (const name of ['test', 'build', 'start']) expect(existsSync(join(PROJECT_ROOT, scripts[name]!))).toBe(true);
  const { stdout } = await execa(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'list', '--filesOnly', '--config', 'vitest.fast.config.ts'],
    {
      cwd: PROJECT_ROOT,
    },
  );
  const files = stdout.split('\n');
  expect(files.length).toBeGreaterThan(35);
  expect(files.filter((file) => /gdb|linux|sandbox/.test(file))).toEqual([]);
});
