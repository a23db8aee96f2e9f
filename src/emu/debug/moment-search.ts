/** Looks for a moment in the past, or in all of a recorded run. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Steps } from '../runtime/steps.ts';
import type { RunControl } from './run-control.ts';
import { ConsoleText, isEventOf, needsGuest, type Sought } from './sought-moments.ts';

/**
 * The position of a moment; undefined when it is not in what is kept. The machine is somewhere afterwards. What was found in a
 * recorded run is kept ({@link RunControl.findings}).
 */
export function* findingMoment(control: RunControl, moment: Sought): Steps<number | undefined> {
  const { history, findings } = control;
  const known = history.fixed ? findings.get(moment, history.end) : undefined;
  if (known !== undefined) return known;
  const found =
    moment.kind === 'console' ? yield* findingText(control, moment.text) : yield* findingEvent(control, moment);
  if (found !== undefined && history.fixed) findings.add(moment, found, history.end);
  return found;
}

function* findingText(control: RunControl, text: string): Steps<number | undefined> {
  const shown = new ConsoleText(text);
  let found: number | undefined;
  control.onConsole = (byte) => {
    // After the store that has sent it.
    if (found === undefined && shown.put(byte)) found = control.position() + 1;
  };
  try {
    yield* forward(control, control.history.beginning, () => found !== undefined);
  } finally {
    control.onConsole = undefined;
  }
  return found;
}

function* findingEvent(control: RunControl, moment: Sought & { readonly last: boolean }): Steps<number | undefined> {
  const { history, machine, replayer } = control;
  let found: number | undefined;
  const event = (cpu: Cpu): void => {
    if ((moment.last || found === undefined) && isEventOf(moment, cpu.events.at(0))) found = control.position();
  };
  const removers = machine.cpus.map((c) => c.observe({ exception: event, entered: event }));
  try {
    if (!moment.last)
      yield* forward(control, needsGuest(moment) ? history.beforeGuests : history.beginning, () => found !== undefined);
    else
      for (let end: number | undefined = history.end; end !== undefined && found === undefined; )
        end = yield* replayer.searchingStretch(end, () => {});
  } finally {
    for (const remove of removers) remove();
  }
  return found;
}

/** Goes from a position to the end, or until something is true. */
function* forward({ history, pending, replayer }: RunControl, from: number, over: () => boolean): Steps<void> {
  yield* replayer.going(from);
  const steps = pending.silentlyInPieces(history.replaying(history.end));
  try {
    while (!over() && !steps.next().done) yield;
  } finally {
    steps.return();
  }
}
