/** `loongscope doctor`: what is there, what is missing, what that prevents, and what mends it. */
import { accessSync, constants, existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { execa } from 'execa';
import { defaultCacheFile } from './code-cache.ts';
import { EXIT } from './errors.ts';
import { type FoundGdb, gdbs, isGood, OLDEST_GDB } from './find-gdb.ts';
import { gdbSourceOf } from './gdb-sources.ts';
import { lookForRust, rustMend } from './labs/rustc.ts';
import { OLDEST_NODE } from './old-node.ts';
import { guestPath, HYPERVISOR } from './paths.ts';
import { systemName } from './system-name.ts';

const MIB = 2 ** 20;
/** A snapshot of a small machine and a trace need so much. */
const LEAST_SPACE = 256 * MIB;

/** The state of one thing that the program uses. */
export interface Finding {
  readonly name: string;
  /** Can the program run machines without it? */
  readonly needed: boolean;
  readonly ok: boolean;
  /** What was found. */
  readonly found: string;
  /** What does not work while it is not right. */
  readonly prevents?: string;
  /** A command, or what to do. */
  readonly mend?: string;
}

/** What the findings are about; tests give others. */
export interface Surroundings {
  readonly node: string;
  /** Has Node what the sandbox needs? */
  readonly sandbox: boolean;
  readonly gdbs: readonly FoundGdb[];
  /** Is the reference hypervisor built, with its guests? */
  readonly guests: boolean;
  /** Is the program there? */
  readonly programs: Readonly<Record<'passt' | 'qemu-nbd', boolean>>;
  /** Why there is no Rust for the labs; undefined when there is one. */
  readonly rustMissing: string | undefined;
  /** Folders that the program writes to: writable, and bytes that are free. */
  readonly folders: readonly { readonly path: string; readonly writable: boolean; readonly free: number }[];
  /** `debian` (with those that are made from it), another ID of a distribution, or Node's name: `darwin`, `win32`. */
  readonly system: string;
}

/** How a package is installed. */
const install = (system: string, name: string): string =>
  system === 'debian' ? `apt-get install ${name}` : `install the package ${name} of your system`;

function gdbFinding({ gdbs: list, system }: Surroundings): Finding {
  const good = list.find(isGood);
  const base = {
    name: 'gdb',
    needed: false,
    prevents: 'debug, the whole of demo, and gdb on --gdb PORT',
    mend: gdbSourceOf(system),
  };
  if (good) {
    const found = `${good.program} ${good.version}, with LoongArch`;
    if (good.hasPython) return { name: 'gdb', needed: false, ok: true, found: `${found} and Python` };
    return { ...base, ok: false, found: `${found}, without Python`, prevents: 'the helper (commands lvz …) in debug' };
  }
  const [other] = list;
  if (!other) return { ...base, ok: false, found: 'none' };
  const why = other.hasLoongArch ? `older than ${OLDEST_GDB}` : 'which does not know LoongArch';
  return { ...base, ok: false, found: `${other.program} ${other.version ?? ''}, ${why}`.replace(' ,', ',') };
}

/** All findings, the needed ones first. */
export function diagnose(s: Surroundings): Finding[] {
  const major = Number.parseInt(s.node.replace(/^v/, ''), 10);
  const nodeOk = major >= OLDEST_NODE;
  return [
    {
      name: 'Node',
      needed: true,
      ok: nodeOk,
      found: s.node,
      ...(!nodeOk && { prevents: 'everything', mend: `install Node ${OLDEST_NODE} or newer, from nodejs.org` }),
    },
    {
      name: 'hypervisor',
      needed: false,
      ok: s.guests,
      found: s.guests ? 'the reference hypervisor and its guests' : 'not built',
      ...(!s.guests && { prevents: 'run --guest, demo and the labs', mend: './scripts/build-guests (brings clang)' }),
    },
    {
      name: 'sandbox',
      needed: false,
      ok: s.sandbox,
      found: s.sandbox ? 'Node can give up its rights' : `Node ${s.node} cannot give up its rights`,
      ...(!s.sandbox && { prevents: 'run without --no-sandbox', mend: 'install Node 24.18 or newer' }),
    },
    gdbFinding(s),
    program(s, 'passt', '--net user', 'passt'),
    program(s, 'qemu-nbd', 'disks in qcow2 and other formats (--drive nbd:…)', 'qemu-utils'),
    rustFinding(s),
    ...s.folders.map(({ path, writable, free }): Finding => {
      const ok = writable && free >= LEAST_SPACE;
      const space = `${Math.floor(free / MIB)} MiB free`;
      return {
        name: 'folder',
        needed: false,
        ok,
        found: `${path}: ${writable ? space : 'not writable'}`,
        ...(!ok && {
          prevents: 'snapshots, traces and the cache of hot code there',
          mend: writable ? 'make room, or work in another folder' : 'work in a folder that you may write to',
        }),
      };
    }),
  ];
}

function rustFinding({ rustMissing, system }: Surroundings): Finding {
  const ok = rustMissing === undefined;
  return {
    name: 'Rust',
    needed: false,
    ok,
    found: rustMissing ?? 'rustc, with the core library for LoongArch',
    ...(!ok && { prevents: 'the labs in Rust (lab --rust)', mend: rustMend(system) }),
  };
}

function program(s: Surroundings, name: 'passt' | 'qemu-nbd', prevents: string, pack: string): Finding {
  const ok = s.programs[name];
  return {
    name,
    needed: false,
    ok,
    found: ok ? 'is there' : 'none',
    ...(!ok && { prevents, mend: install(s.system, pack) }),
  };
}

const WIDTH = 11;

/** The findings as text, a line each; what is wrong has two more. */
export function report(findings: readonly Finding[]): string {
  const lines = findings.flatMap(({ name, ok, found, prevents, mend, needed }) => [
    `${ok ? 'ok     ' : needed ? 'WRONG  ' : 'missing'}  ${name.padEnd(WIDTH)} ${found}`,
    ...(prevents === undefined ? [] : [`${' '.repeat(9)}${'prevents'.padEnd(WIDTH)} ${prevents}`]),
    ...(mend === undefined ? [] : [`${' '.repeat(9)}${'do'.padEnd(WIDTH)} ${mend}`]),
  ]);
  const wrong = findings.filter((f) => !f.ok).length;
  lines.push(wrong === 0 ? 'All is there.' : `${wrong} of ${findings.length} are not right; the rest works.`);
  return `${lines.join('\n')}\n`;
}

const has = async (name: string): Promise<boolean> =>
  (await execa(name, ['--version'], { reject: false })).exitCode !== undefined;

/** The nearest folder that exists. */
function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path));
}

function folder(path: string): Surroundings['folders'][number] {
  const there = existing(path);
  try {
    accessSync(there, constants.W_OK);
    const { bavail, bsize } = statfsSync(there);
    return { path, writable: true, free: bavail * bsize };
  } catch {
    return { path, writable: false, free: 0 };
  }
}

async function look(): Promise<Surroundings> {
  const rust = await lookForRust();
  return {
    node: process.version,
    sandbox:
      process.allowedNodeEnvironmentFlags.has('--permission') && Number.parseFloat(process.version.slice(1)) >= 24.18,
    gdbs: await gdbs(),
    guests: existsSync(HYPERVISOR) && existsSync(guestPath('hello')),
    programs: { passt: await has('passt'), 'qemu-nbd': await has('qemu-nbd') },
    rustMissing: 'missing' in rust ? rust.missing : undefined,
    folders: [folder(process.cwd()), folder(dirname(defaultCacheFile()))],
    system: systemName(),
  };
}

/** Prints what there is. @returns 1 when the program cannot run machines at all */
export async function doctor({ json }: { readonly json?: boolean }): Promise<number> {
  const findings = diagnose(await look());
  process.stdout.write(json ? `${JSON.stringify(findings, undefined, 2)}\n` : report(findings));
  return findings.some((f) => f.needed && !f.ok) ? EXIT.died : EXIT.ok;
}
