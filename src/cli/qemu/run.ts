/** `loongscope qemu`: runs the machine of a QEMU command line. */
import { writeFileSync } from 'node:fs';
import { boardTree } from '../device-tree.ts';
import { say } from '../ending.ts';
import { EXIT } from '../errors.ts';
import { run } from '../run.ts';
import { requireSandbox } from '../sandbox.ts';
import { unwritable } from '../unwritable.ts';
import { parseQemu } from './parse.ts';

/** @throws UsageError when the file cannot be written */
function writeFile(option: string, path: string, content: string | Uint8Array): void {
  try {
    writeFileSync(path, content);
  } catch (error) {
    throw unwritable(`qemu: ${option}: cannot write ${path}`, error);
  }
}

/** @throws UsageError for options that are not possible */
export async function runQemu(args: readonly string[]): Promise<number> {
  const request = parseQemu(args);
  if (request.kind === 'answer') {
    process.stdout.write(request.text);
    return EXIT.ok;
  }
  const { image, cli, dumpDtb, pidFile, warnings } = request.machine;
  // It may start the program again, so nothing is said before it.
  if (dumpDtb === undefined) requireSandbox(cli);
  for (const text of warnings) say(`warning: qemu: ${text}`);
  if (dumpDtb !== undefined) {
    writeFile('-machine dumpdtb=', dumpDtb, boardTree(undefined, cli));
    return EXIT.ok;
  }
  if (pidFile !== undefined) writeFile('-pidfile', pidFile, `${process.pid}\n`);
  return run(image, cli);
}
