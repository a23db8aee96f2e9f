/** `loongscope debug`: the machine in this process, a gdb on the terminal, symbols of host and guests loaded. */
import { join, resolve } from 'node:path';
import { execa } from 'execa';
import { openDebugFolder } from './debug-folder.ts';
import { EXIT } from './errors.ts';
import { findGdb } from './find-gdb.ts';
import type { MachineCli } from './options.ts';
import { PROJECT_ROOT } from './paths.ts';
import { start } from './run.ts';
import { enterSandbox } from './sandbox.ts';

/** The Python helper for gdb. */
export const HELPER = join(PROJECT_ROOT, 'src', 'gdbstub', 'python', 'lvz.py');

/** A path as one word of a gdb command. */
const quoted = (path: string): string => JSON.stringify(path);

/** gdb arguments that connect and load symbols. */
export function gdbArguments(port: number | string, imageFile: string, guestFiles: readonly string[]): string[] {
  const target = typeof port === 'number' ? `127.0.0.1:${port}` : port;
  return [
    '-q',
    '-ex',
    'set pagination off',
    '-ex',
    'set confirm off',
    '-ex',
    // The sources of the hypervisor and of the guests are named from there.
    `directory ${quoted(PROJECT_ROOT)}`,
    '-ex',
    `file ${quoted(imageFile)}`,
    '-ex',
    `target extended-remote ${target}`,
    '-x',
    HELPER,
    '-ex',
    `python guest_files.update({${guestFiles.map((f, n) => `${n + 1}: ${JSON.stringify(resolve(f))}`).join(', ')}})`,
    // Each guest is linked at different addresses, so gdb can have its symbols together with those of the hypervisor. `lvz attach`
    // shows each guest with its symbols.
    ...guestFiles.slice(0, 1).flatMap((f) => ['-ex', `add-symbol-file ${quoted(f)}`]),
  ];
}

export async function debug(image: string | undefined, cli: MachineCli): Promise<number> {
  const gdb = await findGdb();
  const folder = openDebugFolder();
  let connected = false;
  // gdb has connected, and the machine has not run yet. From here on no files and processes are needed.
  const onDebugger = (): void => {
    if (connected) return;
    connected = true;
    folder.remove();
    enterSandbox(cli);
  };
  try {
    const running = await start(
      image,
      {
        ...cli,
        gdb: cli.gdb ?? folder.address,
        wait: true,
        serial: cli.serial.kind === 'stdio' ? { kind: 'null' } : cli.serial,
      },
      cli.serial.kind === 'stdio' ? (b) => void process.stdout.write(b) : undefined,
      onDebugger,
    );
    const { booted, control, ports } = running;
    // gdb handles Ctrl-C.
    const ignore = (): void => {};
    process.on('SIGINT', ignore);
    await execa(gdb, gdbArguments(ports[0]!, booted.imageFile, booted.guestFiles), { stdio: 'inherit', reject: false });
    process.off('SIGINT', ignore);
    control.quit();
    await running.done;
    return EXIT.ok;
  } finally {
    if (!connected) folder.remove();
  }
}
