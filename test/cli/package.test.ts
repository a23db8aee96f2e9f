/** The npm package: installed in a clean folder, it runs without the checkout, and its page shows what it prints. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lookForRust } from '../../src/cli/labs/rustc.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { VERSION } from '../../src/cli/version.ts';
import { haveRedis, RedisServer } from '../support/redis-server.ts';

const base = mkdtempSync(join(tmpdir(), 'loongscope-package-'));
// Paths have spaces in many homes.
const folder = join(base, 'a clean folder');
afterAll(() => rmSync(base, { recursive: true }));

const node = (...args: string[]): Promise<{ stdout: string; stderr: string; exitCode?: number | undefined }> =>
  execa(process.execPath, args, { cwd: folder, reject: false, stdin: 'ignore' });
const loongscope = (...args: string[]): ReturnType<typeof node> =>
  node(join('node_modules', 'loongscope', 'build', 'cli', 'main.js'), ...args);

beforeAll(async () => {
  await execa(join(PROJECT_ROOT, 'scripts', 'pack'), { cwd: PROJECT_ROOT });
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  await execa('tar', ['-xzf', join(PROJECT_ROOT, 'build', `loongscope-${VERSION}.tgz`), '-C', modules]);
  await execa('mv', [join(modules, 'package'), join(modules, 'loongscope')]);
}, 120_000);

describe('the package', () => {
  test('needs no other package, and runs no script when it is installed', () => {
    const manifest = JSON.parse(
      readFileSync(join(folder, 'node_modules', 'loongscope', 'package.json'), 'utf8'),
    ) as Record<string, unknown>;
    expect(manifest).toMatchObject({ name: 'loongscope', version: VERSION, engines: { node: '>=24' } });
    for (const field of ['dependencies', 'scripts', 'private', 'devDependencies'])
      expect(manifest).not.toHaveProperty(field);
  });

  test('greets, and says what one can do', async () => {
    const { stdout, stderr, exitCode } = await loongscope();
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^loongscope ${VERSION.replaceAll('.', '\\.')}: a LoongArch64 machine`));
    expect(stdout).toMatch(/loongscope demo .*\n.*loongscope run --guest hello/);
  });

  test('runs a guest, in the sandbox', async () => {
    const { stdout, exitCode } = await loongscope('run', '--guest', 'hello');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/\[hello\] Hello from a LoongArch guest/);
  });

  test('has the labs, with solutions that need no compiler', async () => {
    const { stdout, stderr, exitCode } = await loongscope('lab', '--all', '--solution');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout.match(/^h\d: passed/gm)).toHaveLength(6);
    expect((await loongscope('lab', 'h1', '--start', 'my h1')).exitCode).toBe(0);
    expect((await loongscope('lab', 'h1', 'my h1')).stdout).toMatch(/hint +step 1, detect LVZ/);
  });

  test('has the sources of the labs in Rust, and no programs of them', async () => {
    expect((await loongscope('lab', 'h1', '--rust', '--start', 'my rust')).exitCode).toBe(0);
    const built = await loongscope('lab', 'h1', 'my rust');
    if ('missing' in (await lookForRust())) expect(built.stderr).toMatch(/and labs in Rust are built by rustc/);
    else expect(built.stdout).toMatch(/hint +step 1, detect LVZ: .*main\.rs/);
    const programs = readdirSync(join(folder, 'node_modules', 'loongscope', 'build', 'labs'));
    expect(programs.filter((name) => /rust/.test(name))).toEqual([]);
  });

  test('has the page of the browser edition', () => {
    const page = join(folder, 'node_modules', 'loongscope', 'build', 'web', 'index.html');
    expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>/);
  });

  test('knows numbers, and what is missing', async () => {
    expect((await loongscope('explain', 'estat=0x170000')).stdout).toMatch(/HVC/);
    expect((await loongscope('doctor')).stdout).toMatch(
      /^ok {7}hypervisor {2}the reference hypervisor and its guests$/m,
    );
  });

  test('shows a tour where there is no gdb, and says where one comes from', async () => {
    const program = join(folder, 'node_modules', 'loongscope', 'build', 'cli', 'main.js');
    const { stdout, stderr, exitCode } = await execa(process.execPath, [program, 'demo'], {
      cwd: folder,
      env: { PATH: folder },
      reject: false,
    });
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/VM 1: 0x200000 <_start>: ori/);
    expect(stdout).toMatch(/^ {4}Homebrew +brew install gdb$/m);
    expect(stdout).toMatch(/^All 6 steps were seen, in [\d.]+ s\.$/m);
  });

  test('debugs with the hypervisor’s sources', async () => {
    const commands = ['break _run_guest', 'continue', 'quit'];
    const program = join('node_modules', 'loongscope', 'build', 'cli', 'main.js');
    const { stdout } = await execa(process.execPath, [program, 'debug', '--guest', 'hello'], {
      cwd: folder,
      input: `${commands.join('\n')}\n`,
      reject: false,
    });
    expect(stdout).toMatch(/Breakpoint 1, _run_guest .*\n68\t {2}host_registers/);
  });

  test('on an old Node, program and library say in one sentence what they need', async () => {
    const old = "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.1.0' } })";
    const flags = ['--import', `data:text/javascript,${encodeURIComponent(old)}`];
    const sentence = /loongscope: this is Node v[\d.]+, and the program needs 24 or newer: install it from nodejs\.org/;
    const program = join('node_modules', 'loongscope', 'build', 'cli', 'main.js');
    const { stderr, exitCode } = await node(...flags, program, 'run');
    expect(exitCode).toBe(2);
    expect(stderr.split('\n')).toEqual([expect.stringMatching(sentence)]);
    const library = await node(...flags, '-e', "import('loongscope').catch((e) => console.log(e.message))");
    expect(library.stdout).toMatch(sentence);
  });

  test.skipIf(!haveRedis)('does runs of a queue, which needs a package that is bundled', async () => {
    const server = new RedisServer();
    await server.start();
    const program = join('node_modules', 'loongscope', 'build', 'cli', 'main.js');
    const worker = execa(process.execPath, [program, 'explore-worker', '--queue', server.url], {
      cwd: folder,
      reject: false,
    });
    const { stdout, stderr, exitCode } = await loongscope(
      ...['explore', '--guest', 'hello', '--runs', '2', '--expect', 'Hello', '--queue', server.url],
    );
    worker.kill('SIGTERM');
    expect((await worker).stderr).toMatch(/^loongscope: 3 runs done$/m);
    await server.remove();
    expect([stdout, exitCode]).toEqual(['', 0]);
    expect(stderr).toMatch(/2 runs in .* 0 classes of failures/);
  });

  test('is a library: the lines of docs/library.md print what the page shows', async () => {
    const page = readFileSync(join(PROJECT_ROOT, 'docs', 'library.md'), 'utf8');
    const code = /```js\n([\s\S]*?)```/.exec(page)![1]!;
    const printed = /It prints:\n\n```\n([\s\S]*?)```/.exec(page)![1]!;
    writeFileSync(join(folder, 'twenty.mjs'), code);
    const { stdout, stderr } = await node('twenty.mjs');
    expect(stderr).toBe('');
    expect(stdout.replaceAll('\r', '').trimEnd()).toBe(printed.trimEnd());
    const types = readFileSync(join(folder, 'node_modules', 'loongscope', 'types', 'library.d.ts'), 'utf8');
    expect(types).toMatch(/export declare class Machine/);
    expect(types.match(/(?<=^import .* from )'.*'/gm)).toEqual(["'./errors.ts'"]);
  });

  test.each([
    ['Node', { module: 'nodenext' }],
    ['a bundler', { module: 'preserve', moduleResolution: 'bundler' }],
  ])('is a library with types: a strict program compiles, as for %s', async (_, options) => {
    const project = join(folder, 'typed');
    mkdirSync(project, { recursive: true });
    const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
    const compilerOptions = { ...strict, ...options, skipLibCheck: false, noEmit: true, target: 'es2024', types: [] };
    writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
    const program = (pc: string): string =>
      [
        "import { Machine, type Registers, type Stopped, UsageError } from 'loongscope';",
        "const machine = await Machine.boot({ guests: ['hello'] });",
        'const stopped: Stopped = await machine.run();',
        'const { pc, general }: Registers = machine.registers({ vm: 1 });',
        `const at: ${pc} = pc;`,
        "export const all: readonly [string, bigint | undefined, unknown, Error] = [stopped.text, general['a0'], at, new UsageError('')];",
      ].join('\n');
    const compiled = async (pc: string): Promise<string> => {
      writeFileSync(join(project, 'program.ts'), program(pc));
      const compiler = join(PROJECT_ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      return (await execa(process.execPath, [compiler, '-p', project], { reject: false })).stdout;
    };
    expect(await compiled('bigint')).toBe('');
    expect(await compiled('string')).toMatch(/^[^\n]*program\.ts\(5,7\): error TS2322[^\n]*$/);
  });
});
