/** Real time as ticks of the stable counter. */
import { type Clock, TIMER_HZ } from '../emu/cpu/clock.ts';

const NS_PER_TICK = 1e9 / TIMER_HZ;

/** Ticks of the monotonic clock of the computer. All threads of a process have the same clock. */
export const monotonicClock: Clock = () => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * TIMER_HZ + Math.floor(nanoseconds / NS_PER_TICK);
};
