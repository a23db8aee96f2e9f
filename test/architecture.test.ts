/** The house rules that a machine can check: imports point one way, and what the guides name is there. */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, posix } from 'node:path';
import { execa } from 'execa';
import { describe, expect, test } from 'vitest';
import { PAGES } from '../scripts/generate-docs.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';

/**
 * The rooms of the house from the ground up, as docs/ARCHITECTURE.md draws them. A file imports from its own room and from rooms
 * below it, types included.
 */
const ROOMS = [
  'src/emu/runtime',
  'src/emu/wasm',
  'src/emu/formats',
  'src/emu/state',
  'src/emu/softfloat',
  'src/emu/memory',
  'src/emu/tlb',
  'src/emu/cpu',
  'src/emu/perturb',
  'src/emu/isa',
  'src/emu/assembler',
  'src/emu/fpu',
  'src/emu/mmu',
  'src/emu/devices',
  'src/emu/engine',
  'src/emu/board',
  'src/emu/boot',
  'src/emu/machine',
  'src/emu/replay',
  'src/emu/check',
  'src/emu/debug',
  'src/emu/threads',
  'src/labs',
  'src/hv/awareness',
  'src/hv/audit',
  'src/gdbstub',
  'src/web',
  'src/cli',
] as const;

/** Number of the room that a file is in, from the ground up. */
const roomOf = (file: string): number => ROOMS.findIndex((room) => file.startsWith(`${room}/`));

/** Files that import each other in a circle, each circle once (Tarjan's strongly connected components). */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const stack: string[] = [];
  const found: string[][] = [];
  const visit = (file: string): void => {
    order.set(file, order.size);
    low.set(file, order.get(file)!);
    stack.push(file);
    for (const to of imports.get(file) ?? []) {
      if (!order.has(to)) visit(to);
      if (stack.includes(to)) low.set(file, Math.min(low.get(file)!, low.get(to)!));
    }
    if (low.get(file) !== order.get(file)) return;
    const circle = stack.splice(stack.indexOf(file));
    if (circle.length > 1) found.push(circle.sort());
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return found;
}

/** What is imported: values, types, and what is loaded later. */
const IMPORTS = /(?:^(?:import|export)\b[^;']*?\bfrom|\bimport\(|^import)\s*'([^']+)'/gm;
/** Values alone, at once. */
const FIRST_IMPORTS = /(?:^(?:import|export)\b(?! type\b)[^;']*?\bfrom|^import)\s*'([^']+)'/gm;

/** The product's files, each with what it imports. @param later also types, and what it loads later */
async function importGraph(
  { later } = { later: true },
): Promise<{ files: Map<string, string[]>; packages: [file: string, name: string][] }> {
  const { stdout } = await execa('git', ['ls-files', '-co', '--exclude-standard', 'src/**/*.ts'], {
    cwd: PROJECT_ROOT,
  });
  const files = new Map<string, string[]>();
  const packages: [string, string][] = [];
  for (const file of stdout.split('\n').filter((f) => existsSync(join(PROJECT_ROOT, f)))) {
    const text = readFileSync(join(PROJECT_ROOT, file), 'utf8');
    const to: string[] = [];
    for (const [, name] of text.matchAll(later ? IMPORTS : FIRST_IMPORTS))
      if (name!.startsWith('.')) to.push(posix.join(posix.dirname(file), name!));
      else packages.push([file, name!]);
    files.set(file, to);
  }
  return { files, packages };
}

/** Pages that name files and functions. */
const GUIDES = ['docs/ARCHITECTURE.md', 'CONTRIBUTING.md'] as const;
const page = (file: string): string => readFileSync(join(PROJECT_ROOT, file), 'utf8');
/** What a page has between back quotes, without its blocks of code. */
const spansOf = (text: string): string[] =>
  [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/`([^`\n]+)`/g)].map((m) => m[1]!);
const projectFiles = async (): Promise<string[]> =>
  (await execa('git', ['ls-files', '-co', '--exclude-standard'], { cwd: PROJECT_ROOT })).stdout.split('\n');

/** Is there a function, method or constant of this name in a TypeScript source? */
const declares = (source: string, name: string): boolean =>
  new RegExp(
    `^(?:export )?(?:async )?(?:function\\*? |const )${name}\\b|^  (?:(?:private|protected|static|async|override) )*${name}[(<]`,
    'm',
  ).test(source);

/** Names that every JavaScript engine of use has, though the language's own library does not declare them. */
const EVERYWHERE = new Set(['WebAssembly', 'TextEncoder', 'TextDecoder']);

/**
 * Names in source files that neither the language nor these files declare, with the place of each: what they take of Node or of a
 * browser, by the compiler without the types of either.
 */
async function foreignNames(include: string): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-types-'));
  try {
    const project = join(folder, 'tsconfig.json');
    const compilerOptions = { types: [], lib: ['es2024'] };
    writeFileSync(
      project,
      JSON.stringify({ extends: join(PROJECT_ROOT, 'tsconfig.json'), compilerOptions, include: [include] }),
    );
    const { stdout } = await execa(
      join(PROJECT_ROOT, 'node_modules', '.bin', 'tsc'),
      ['--noEmit', '--pretty', 'false', '-p', project],
      { cwd: PROJECT_ROOT, reject: false },
    );
    const found = [...stdout.matchAll(/^(\S+)\(\d+,\d+\): error TS\d+: Cannot find (?:name|namespace) '(\w+)'/gm)];
    return found.map(([, file, name]) => `${file}: ${name}`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe('architecture', () => {
  test('the core takes nothing of Node or of a browser', async () => {
    const names = [
      ...(await foreignNames(join(PROJECT_ROOT, 'src', 'emu'))),
      ...(await foreignNames(join(PROJECT_ROOT, 'src', 'labs'))),
    ];
    const known = (line: string): boolean => EVERYWHERE.has(line.replace(/^.*: /, ''));
    expect(names.filter((line) => !known(line))).toEqual([]);
    // The compiler has run, and has looked at everything: the core does use these.
    expect(new Set(names.filter(known).map((line) => line.replace(/^.*: /, '')))).toEqual(EVERYWHERE);
    // What the language has, but only the runtime may say.
    const { stdout } = await execa(
      'git',
      ['grep', '-nE', 'Date\\.now|new Date\\(\\)|globalThis', '--', 'src/emu', 'src/labs'],
      {
        cwd: PROJECT_ROOT,
        reject: false,
      },
    );
    expect(stdout).toBe('');
  });

  test('the stub takes nothing of Node but where it listens, so that a page can have it', async () => {
    const listening = /^src\/gdbstub\/(server|owner-socket|connections)\.ts:/;
    const names = await foreignNames(join(PROJECT_ROOT, 'src', 'gdbstub'));
    const own = names.filter((line) => line.startsWith('src/gdbstub/'));
    expect(own.filter((line) => !listening.test(line) && !EVERYWHERE.has(line.replace(/^.*: /, '')))).toEqual([]);
    expect(own.some((line) => listening.test(line))).toBe(true);
  });

  test('what is of Node would be found', async () => {
    const names = await foreignNames(join(PROJECT_ROOT, 'src', 'cli', 'node-runtime.ts'));
    expect(names.map((line) => line.replace(/^.*: /, ''))).toEqual(
      expect.arrayContaining(['performance', 'setImmediate', 'setTimeout', 'clearTimeout']),
    );
  });

  test('imports only go down, types included', async () => {
    const { files, packages } = await importGraph();
    const wrong: string[] = [];
    for (const [file, imports] of files) {
      if (roomOf(file) < 0) wrong.push(`${file} is in no room`);
      for (const to of imports) if (roomOf(to) > roomOf(file) || roomOf(to) < 0) wrong.push(`${file}: ${to}`);
    }
    // The core runs without Node: it takes no package and no module of Node's.
    for (const [file, name] of packages) if (/^src\/(emu|labs)\//.test(file)) wrong.push(`${file}: ${name}`);
    expect(wrong).toEqual([]);
    expect(files.size).toBeGreaterThan(200);
  });

  test('no files import each other in a circle', async () => {
    expect(circles((await importGraph()).files)).toEqual([]);
  });

  test('the command line begins without the packages that only some commands need', async () => {
    const { files, packages } = await importGraph({ later: false });
    const seen = new Set<string>(['src/cli/program.ts']);
    for (const file of seen) for (const to of files.get(file) ?? []) seen.add(to);
    const needed = new Set(
      packages.flatMap(([file, name]) => (seen.has(file) && !name.startsWith('node:') ? [name] : [])),
    );
    expect([...needed]).toEqual(['commander']);
    expect(seen).toContain('src/cli/explore/queue/address.ts');
  });

  test('the rooms stand in docs/ARCHITECTURE.md, in their order', () => {
    const rooms = [...page('docs/ARCHITECTURE.md').matchAll(/^\| `(src\/[\w/]+)` \|/gm)].map((m) => m[1]!);
    expect(rooms).toEqual(ROOMS);
  });

  test.each(GUIDES)('%s names files that are there, and functions that are in them', async (guide) => {
    const tracked = await projectFiles();
    const wrong: string[] = [];
    let functions = 0;
    for (const span of spansOf(page(guide))) {
      const pair = /^([\w./-]+\.\w+): (\w+)$/.exec(span);
      const path = (pair?.[1] ?? span).replace(/\/$/, '');
      const named =
        /^(src|test|docs|scripts|guests)\/[\w./-]+$/.test(path) || /^[\w./-]+\.(ts|S|c|md|sh|json)$/.test(path);
      if (!named) continue;
      if (!tracked.some((f) => f === path || f.startsWith(`${path}/`) || f.endsWith(`/${path}`))) wrong.push(span);
      else if (pair) {
        functions++;
        if (!declares(page(path), pair[2]!)) wrong.push(span);
      }
    }
    expect(wrong).toEqual([]);
    expect(functions).toBeGreaterThan(guide.startsWith('docs/') ? 40 : 0);
  });

  test('each way through the house has at most a dozen steps', () => {
    const ways = page('docs/ARCHITECTURE.md')
      .match(/^## Four ways[\s\S]*?(?=^## )/m)![0]
      .split(/^### /m)
      .slice(1);
    expect(ways.map((w) => w.split('\n')[0])).toEqual([
      'From `run` to the first instruction',
      'From a packet to its answer',
      'From a load to its TLB miss',
      'From an exception to its explanation',
    ]);
    for (const way of ways) {
      const steps = way.match(/^\d+\. .*$/gm)!;
      expect(steps.length).toBeLessThanOrEqual(12);
      for (const step of steps) expect(step).toMatch(/^\d+\. `src\/[\w./-]+: \w+`/);
    }
  });

  test('the examples of CONTRIBUTING.md fit the files that they change', async () => {
    const tracked = await projectFiles();
    const wrong: string[] = [];
    let files = 0;
    for (const [, diff] of page('CONTRIBUTING.md').matchAll(/^```diff\n([\s\S]*?)^```$/gm))
      for (const part of diff!.split(/^(?=[a-z][\w./-]*\.\w+(?: \(new\))?$)/m)) {
        const [name, ...lines] = part.trimEnd().split('\n');
        files++;
        if (name!.endsWith(' (new)')) {
          if (tracked.includes(name!.replace(' (new)', ''))) wrong.push(`${name}: is there`);
          if (lines.some((l) => !l.startsWith('+'))) wrong.push(`${name}: has lines that are not new`);
          continue;
        }
        const text = `\n${page(name!)}`;
        for (const line of lines.filter((l) => !l.startsWith('+')))
          if (!text.includes(`\n${line.slice(1)}`)) wrong.push(`${name}: ${line}`);
      }
    expect(wrong).toEqual([]);
    expect(files).toBeGreaterThan(10);
  });

  test('a circle would be found', () => {
    const imports = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['b']],
    ]);
    expect(circles(imports)).toEqual([['b', 'c']]);
  });

  test('generated documents are current', () => {
    for (const [name, page] of Object.entries(PAGES))
      expect(
        readFileSync(join(PROJECT_ROOT, 'docs', name), 'utf8'),
        `docs/${name}: run node scripts/generate-docs.ts`,
      ).toBe(page());
  });

  test('no host name of a registry and no path of one machine', async () => {
    const { stdout } = await execa(
      'git',
      ['grep', '-nIE', 'registry\\.npmjs|deb\\.debian\\.org|/home/[a-z]+/', '--', '.', ':!test/architecture.test.ts'],
      { cwd: PROJECT_ROOT, reject: false },
    );
    expect(stdout).toBe('');
  });

  test('no package runs a script when it is installed', async () => {
    const { packages } = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { hasInstallScript?: boolean; integrity?: string; license?: string }>;
    };
    const { '': _own, ...others } = packages;
    const wrong = (what: (p: (typeof others)[string]) => boolean): string[] =>
      Object.keys(others).filter((name) => what(others[name]!));
    expect(wrong((p) => p.hasInstallScript === true)).toEqual([]);
    expect(wrong((p) => !p.integrity?.startsWith('sha512-'))).toEqual([]);
    expect(wrong((p) => !p.license)).toEqual([]);
    expect(readFileSync(join(PROJECT_ROOT, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
    const { stdout } = await execa(
      'git',
      ['grep', '-nE', 'npm (install|ci|i|add|rebuild|exec)\\b|npx ', '--', 'scripts', '.ci'],
      {
        cwd: PROJECT_ROOT,
        reject: false,
      },
    );
    const calls = stdout.split('\n').filter((line) => !/:\s*#/.test(line) && !/^[^:]+:\d+:\s*\*/.test(line));
    expect(calls.length).toBeGreaterThan(0);
    expect(calls.filter((line) => !line.includes('--ignore-scripts'))).toEqual([]);
  });

  test('nothing is taken from Debian that is not signed', async () => {
    const { stdout } = await execa(
      'git',
      [
        'grep',
        '-niE',
        'allow-?(unauthenticated|insecure|weak|downgrade)|trusted[=:]|no-check-gpg|check-(valid-until|date)|force-yes|no-check-certificate|curl +.*(-k|--insecure)',
        '--',
        'scripts',
        '.ci',
      ],
      { cwd: PROJECT_ROOT, reject: false },
    );
    expect(stdout).toBe('');
    const prepare = readFileSync(join(PROJECT_ROOT, 'scripts', 'lib', 'debian.sh'), 'utf8');
    const sources = [...prepare.matchAll(/echo "deb ([^"]*)"/g)].map((m) => m[1]!);
    expect(sources.length).toBeGreaterThan(0);
    expect(sources.filter((s) => !s.startsWith('[signed-by='))).toEqual([]);
  });
});
