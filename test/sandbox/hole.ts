/**
 * A hole in the emulator, as a mistake in a device might be one: the guest's bytes on the console are orders to the host. The
 * test builds it into the program; each order is a line, `NAME ARGUMENT`, and what became of it goes to the console.
 */
import { execFileSync, fork } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import inspector from 'node:inspector';
import module from 'node:module';
import { createServer } from 'node:net';
import v8 from 'node:v8';
import { WASI } from 'node:wasi';
import { Worker } from 'node:worker_threads';

/** What the process says when it is not allowed to. */
const REFUSALS = new Set([
  'ERR_ACCESS_DENIED',
  'ERR_DLOPEN_DISABLED',
  'ERR_UNKNOWN_BUILTIN_MODULE',
  'ERR_CRYPTO_CUSTOM_ENGINE_NOT_SUPPORTED',
]);
const MOST_DESCRIPTORS = 64;

/** Tries something with each descriptor that the process may have; done when one works. */
function anyDescriptor(body: (fd: number) => void): void {
  let refused: unknown;
  for (let fd = 3; fd < MOST_DESCRIPTORS; fd++)
    try {
      body(fd);
      return;
    } catch (error) {
      if (REFUSALS.has((error as NodeJS.ErrnoException).code ?? '')) refused = error;
    }
  throw refused;
}

const require = module.createRequire(import.meta.url);

const ORDERS: Readonly<Record<string, (argument: string) => void>> = {
  read: (path) => fs.readFileSync(path),
  readBytes: (path) => fs.readFileSync(Buffer.from(path)),
  write: (path) => fs.writeFileSync(path, 'x'),
  list: (path) => fs.readdirSync(path),
  stat: (path) => fs.statSync(path),
  remove: (path) => fs.rmSync(path),
  link: (path) => fs.linkSync(path, `${path}.more`),
  symlink: (path) => fs.symlinkSync('/', path),
  copy: (path) => fs.cpSync(path, `${path}.copy`),
  require: (path) => require(path),
  // A descriptor opened for reading is opened again for writing; what lies beside the folder behind one.
  reopen: () => anyDescriptor((fd) => fs.openSync(`/proc/self/fd/${fd}`, 'r+')),
  beside: (name) => anyDescriptor((fd) => fs.readFileSync(`/proc/self/fd/${fd}/../${name}`)),
  run: (program) => execFileSync(program),
  fork: (path) => fork(path),
  become: (program) => process.execve!(program, [program], {}),
  thread: () => new Worker('0', { eval: true, execArgv: [] }),
  hooks: () => module.register('data:text/javascript,'),
  binding: (name) => (process as unknown as { binding: (name: string) => unknown }).binding(name),
  load: (path) => process.dlopen({ exports: {} }, path),
  engine: (path) => crypto.setEngine(path),
  wasi: (path) => new WASI({ version: 'preview1', preopens: { '/': path } }),
  inspector: () => {
    inspector.open(0);
    inspector.close();
  },
  session: () => new inspector.Session().connect(),
  database: (path) => {
    const { DatabaseSync } = require('node:sqlite') as typeof import('node:sqlite');
    new DatabaseSync(path).exec('CREATE TABLE t (x)');
  },
  report: (path) => process.report.writeReport(path),
  heap: (path) => v8.writeHeapSnapshot(path),
  environment: (path) => process.loadEnvFile(path),
  /** Node 24 has no permission for sockets; docs/security.md says so. */
  listen: (path) => createServer().listen(path).unref(),
};

let line = '';

/** A byte that the guest sends. */
export function hole(byte: number, send: (byte: number) => void): void {
  if (byte !== 10) {
    line += String.fromCharCode(byte);
    return;
  }
  const [name, ...argument] = line.split(' ');
  line = '';
  let outcome = 'open';
  try {
    ORDERS[name!]!(argument.join(' '));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | undefined)?.code ?? String(error);
    outcome = REFUSALS.has(code) ? 'refused' : `open: ${code}`;
  }
  for (const b of Buffer.from(`${name} ${argument.join(' ')} ${outcome}\n`)) send(b);
}
