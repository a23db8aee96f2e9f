/** The host interface of the core (emu/host/host.ts) in Node. */
import type { Host } from '../emu/host/host.ts';

export const nodeHost: Host = {
  now: () => performance.now(),
  timeOfDay: () => Date.now(),
  soon: (task) => {
    setImmediate(task);
  },
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
};
