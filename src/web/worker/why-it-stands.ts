import type { RunControl } from '../../emu/debug/run-control.ts';
import type { End } from '../../emu/debug/stop.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { hex } from '../../emu/formats/hex.ts';

/** Why the machine does not run, in words. */
export function whyItStands(control: RunControl, end: End | undefined, symbolize: Symbolizer): string {
  const stop = control.stoppedAt;
  if (end?.kind === 'died') return `the machine died: ${end.reason}`;
  if (end) return 'the machine was ended';
  if (control.machine.poweredOff) return 'the program has switched the machine off';
  if (control.history.position === 0) return 'ready: nothing has run yet';
  switch (stop?.kind) {
    case 'breakpoint':
      return `breakpoint at ${symbolize(stop.world, stop.va) ?? hex(stop.va)}`;
    case 'catch':
      return stop.text;
    case 'loop':
      return stop.loop.text;
    case 'step':
      return 'one step';
    case 'beginning':
      return 'the beginning of the past';
    case 'end':
      return 'the end of the recording';
    case 'interrupt':
      return 'paused';
    default:
      return 'stopped';
  }
}
