/** What the core asks of a runtime (emu/runtime/runtime.ts), answered by a worker of a browser. */
import type { Runtime } from '../../emu/runtime/runtime.ts';

/** A timer of 0 ms would wait for 4: a message to oneself comes as soon as the messages of the page before it were heard. */
function soonByMessage(): Runtime['soon'] {
  const { port1, port2 } = new MessageChannel();
  const tasks: (() => void)[] = [];
  port1.onmessage = () => tasks.shift()?.();
  return (task) => {
    tasks.push(task);
    port2.postMessage(undefined);
  };
}

export const browserRuntime = (): Runtime => ({
  now: () => performance.now(),
  timeOfDay: () => Date.now(),
  soon: soonByMessage(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    return () => clearTimeout(timer);
  },
});
