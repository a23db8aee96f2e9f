/** Host time as ticks of the stable counter. */
import { type Clock, TIMER_HZ } from '../emu/cpu/clock.ts';

const NS_PER_TICK = 1e9 / TIMER_HZ;

/** Ticks of the host's monotonic clock, which is one for all threads of a process. */
export const monotonicClock: Clock = () => {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * TIMER_HZ + Math.floor(nanoseconds / NS_PER_TICK);
};
