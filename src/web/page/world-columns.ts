/** Which values have changed since the machine stood still before. */
import type { MachineView, WorldView } from '../protocol.ts';

/** The same world in the view before. */
export const earlier = (before: MachineView | undefined, world: WorldView): WorldView | undefined =>
  before?.worlds.find((w) => w.name === world.name);
