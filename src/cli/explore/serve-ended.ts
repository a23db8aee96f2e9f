/** A machine that has ended, for a gdb to look at. */
import { RunControl } from '../../emu/debug/run-control.ts';
import { restoreFields, saveFields } from '../../emu/state/fields.ts';
import { GdbServer } from '../../gdbstub/server.ts';
import { UNKNOWN_PROGRAM } from '../paths.ts';
import type { Running } from '../run.ts';
import type { Served } from './gdb-property.ts';

/** A client that keeps the machine where it is. */
const HOLD = { running: false, stopped: () => {}, ended: () => {} };

/**
 * Serves it on a port of loopback. It does not run again.
 * @returns where, and a function that ends it
 */
export async function serveEnded({
  booted,
  control: { machine, observers },
  symbolize,
}: Running): Promise<Served & { readonly close: () => Promise<void> }> {
  // The control of the run has ended with it. What it has learned of VMs goes on.
  const control = new RunControl(machine, { keep: true, observed: false });
  observers.forEach((o, n) => {
    restoreFields(control.observers[n]!, saveFields(o));
  });
  control.attach(HOLD);
  const server = new GdbServer({
    control,
    view: { kind: 'machine' },
    address: { host: '127.0.0.1', port: 0 },
    symbolize,
    executable: (world, needed) => booted.executable(world) ?? (needed ? UNKNOWN_PROGRAM : undefined),
    log: () => {},
    tell: () => {},
  });
  const { at } = await server.listen();
  return {
    port: at as number,
    close: async () => {
      control.quit(true);
      await server.close();
    },
  };
}
