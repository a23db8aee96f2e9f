/** Makes and restores snapshots of a machine, and checks whether a snapshot fits a machine (docs/snapshot.md). */
import { cardName } from '../board/cards.ts';
import type { Machine, MachineRest } from '../machine/machine.ts';
import { CPU_STATE_BYTES, STATE } from '../memory/layout.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import { type Fields, restoreFields, type Stateful, saveFields } from '../state/fields.ts';
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

/** Does a state from a file have the form of the state of this machine, but for its RAM? */
export function acceptsRest(machine: Machine, { parts, cpus }: MachineRest): boolean {
  const own = machine.parts();
  return (
    Array.isArray(parts) &&
    parts.length === own.length &&
    own.every((part, n) => fits(part, parts[n])) &&
    Array.isArray(cpus) &&
    cpus.length === machine.cpus.length &&
    cpus.every(isStatePage)
  );
}

/** Does what observers have seen, from a file, have the form of what these have? */
export const acceptsObservers = (observers: readonly Stateful[], saved: readonly Fields[]): boolean =>
  saved.length === observers.length && observers.every((part, n) => fits(part, saved[n]));

/**
 * The content of a snapshot file for a machine.
 * @param program version of the program
 * @param observers parts of a debugger that have seen what the machine did, and whose state goes with it
 * @throws Error before an image was loaded
 */
export function takeSnapshot(machine: Machine, program: string, observers: readonly Stateful[] = []): MachineImage {
  return finish(takingSnapshot(machine, program, observers));
}

/** {@link takeSnapshot} in pieces, between which the machine must not change. */
export function* takingSnapshot(
  machine: Machine,
  program: string,
  observers: readonly Stateful[] = [],
): Steps<MachineImage> {
  const files = machine.bootFiles;
  if (!files) throw new Error('machine: no image loaded');
  const state = yield* machine.saving();
  return { program, machine: description(machine), files, state, observers: observers.map(saveFields) };
}

/** Restores what observers have seen. @throws SnapshotError when it does not fit them: then nothing has changed */
export function applyObservers(observers: readonly Stateful[], saved: readonly Fields[]): void {
  checkObservers(observers, saved);
  observers.forEach((part, n) => {
    restoreFields(part, saved[n]!);
  });
}

function checkObservers(observers: readonly Stateful[], saved: readonly Fields[]): void {
  if (!acceptsObservers(observers, saved)) throw new SnapshotError('what it says of its VMs is damaged');
}

/**
 * Restores the state of a snapshot in a machine.
 * @param observers of which the snapshot has the state, too; none: it is not restored
 * @throws SnapshotError when the snapshot is from another kind of machine, or damaged: then nothing has changed
 */
export function applySnapshot(machine: Machine, snapshot: MachineImage, observers: readonly Stateful[] = []): void {
  const why = mismatch(snapshot.machine, description(machine));
  if (why) throw new SnapshotError(why);
  if (!acceptsRest(machine, snapshot.state) || !machine.ram.accepts(snapshot.state.ram))
    throw new SnapshotError('its state is damaged');
  if (observers.length) checkObservers(observers, snapshot.observers);
  machine.adopt(snapshot.files);
  machine.restore(snapshot.state);
  if (observers.length) applyObservers(observers, snapshot.observers);
}
