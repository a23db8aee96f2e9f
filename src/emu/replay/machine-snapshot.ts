/** Makes and restores snapshots of a machine, and checks whether a snapshot fits a machine (docs/snapshot.md). */
import { cardName } from '../board/cards.ts';
import type { Machine, MachineState } from '../machine/machine.ts';
import { CPU_STATE_BYTES, STATE } from '../memory/layout.ts';
import { fits, isBytes } from '../state/state-check.ts';
import { type MachineImage, mismatch, SnapshotError, type SnapshotMachine } from './snapshot-file.ts';

/** The properties that two machines must share, so that one can take the state of the other. */
function description({ options }: Machine): SnapshotMachine {
  const { cpus, ramSize, features, seed, model = 'virt', cards = [], virtioOn = 'pci' } = options;
  return { cpus, ramSize, model, features, seed, slots: [virtioOn, ...cards.map(cardName)] };
}

/** Is it the state page of a CPU between two instructions? No floating-point operation waits to be settled then. */
const isStatePage = (v: unknown): boolean =>
  isBytes(v) &&
  v.length === CPU_STATE_BYTES &&
  new DataView(v.buffer, v.byteOffset, v.byteLength).getInt32(STATE.fpPending, true) === 0;

/** Does a state from a file have the form of the state of this machine? */
function accepts(machine: Machine, { parts, cpus, ram }: MachineState): boolean {
  const own = machine.parts();
  return (
    Array.isArray(parts) &&
    parts.length === own.length &&
    own.every((part, n) => fits(part, parts[n])) &&
    Array.isArray(cpus) &&
    cpus.length === machine.cpus.length &&
    cpus.every(isStatePage) &&
    machine.ram.accepts(ram)
  );
}

/** The content of a snapshot file for a machine. @param program version of the program @throws Error before an image was loaded */
export function takeSnapshot(machine: Machine, program: string): MachineImage {
  const files = machine.bootFiles;
  if (!files) throw new Error('machine: no image loaded');
  return { program, machine: description(machine), files, state: machine.save() };
}

/** Restores the state of a snapshot in a machine. @throws SnapshotError when the snapshot is from another kind of machine, or damaged */
export function applySnapshot(machine: Machine, snapshot: MachineImage): void {
  const why = mismatch(snapshot.machine, description(machine));
  if (why) throw new SnapshotError(why);
  if (!accepts(machine, snapshot.state)) throw new SnapshotError('its state is damaged');
  machine.adopt(snapshot.files);
  machine.restore(snapshot.state);
}
