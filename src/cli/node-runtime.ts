/** What the core asks of a runtime (emu/runtime/runtime.ts), answered by Node. */
import type { Runtime } from '../emu/runtime/runtime.ts';

export const nodeRuntime: Runtime = {
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
