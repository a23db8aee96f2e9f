/** One run of a campaign, and what came of it. */
import { hostContext } from '../../emu/debug/context.ts';
import { readVirtual } from '../../emu/debug/debug-memory.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { End } from '../../emu/debug/stop.ts';
import type { Decision } from '../../emu/perturb/decisions.ts';
import type { Taken } from '../../emu/perturb/perturbation.ts';
import type { MachineCli } from '../options.ts';
import { start } from '../run.ts';
import { Pairs } from './coverage.ts';
import type { InputJob } from './fuzz/input.ts';
import type { GdbProperty } from './gdb-property.ts';
import { judge } from './predicate.ts';
import { ConsoleWatch, type Finding, type Properties } from './properties.ts';
import type { ExploreSpec } from './spec.ts';

/** What makes the run: neither of these is the run without perturbation. */
export interface Job {
  readonly explore?: ExploreSpec;
  readonly decisions?: readonly Decision[];
  /** Where it is recorded. */
  readonly record?: string;
  /** A hostile guest, instead of what is above. */
  readonly hostile?: InputJob;
}

export interface Outcome {
  readonly finding: Finding | undefined;
  /** In the order in which they were taken. */
  readonly decisions: readonly Taken[];
  readonly instructions: number;
  /** When it ended, in ticks of the stable counter. */
  readonly ticks: number;
  readonly pairs: readonly string[];
  /** Of the symbols of {@link Properties.invariant}, as hexadecimal digits; undefined: no such symbol, or no memory there. */
  readonly values: Readonly<Record<string, string | undefined>>;
  /** Of a run with a hostile guest: the instructions of the hypervisor that were executed, as runs (code-coverage.ts). */
  readonly covered?: readonly number[];
}

/** How often the deadline is looked at, in milliseconds. */
const LOOK_MS = 20;
const WORD = 8;

/**
 * @param image as for `run` @param cli the machine
 * @param expected what {@link Outcome.values} must be
 * @param gdb asks a gdb, where {@link Properties.askGdb} says so
 */
export async function runOnce(
  image: string | undefined,
  cli: MachineCli,
  properties: Properties,
  job: Job,
  expected: Outcome['values'] = {},
  gdb?: GdbProperty,
): Promise<Outcome> {
  const watch = new ConsoleWatch(properties);
  const decisions: Taken[] = [];
  let finding: Finding | undefined;
  let control: RunControl | undefined;
  let pairs: Pairs | undefined;
  const found = (f: Finding | undefined): void => {
    if (!f || finding) return;
    finding = f;
    control?.quit(true);
    for (const cpu of control?.machine.cpus ?? []) cpu.requestStop();
  };
  let end: End | undefined;
  const running = await start(
    image,
    {
      ...cli,
      ...job,
      quiet: true,
      // VMs have numbers, as in the run that is recorded: a failure is told in the same words.
      observed: true,
      codeCache: false,
      onEnd: (e) => {
        end = e;
      },
      onFinding: ({ check, text }) => found({ kind: 'audit', text: `${check}: ${text}` }),
      prepare: (c) => {
        control = c;
        c.onConsole = (byte) => found(watch.put(byte));
        pairs = new Pairs(c.machine);
        c.machine.perturbation.listen((d) => {
          // How long after the deadline the run is ended is not its own doing.
          if (finding || c.machine.time > properties.deadline) return;
          decisions.push(d);
          pairs!.decided(d);
        });
      },
    },
    () => {},
  );
  const { machine } = running.control;
  const timer = setInterval(() => {
    if (machine.time > properties.deadline) running.control.quit(true);
  }, LOOK_MS);
  await running.booted.named;
  await running.done;
  clearInterval(timer);
  const values = valuesOf(running, properties.invariant);
  found(watch.found());
  if (end?.kind === 'died') found({ kind: 'died', text: end.reason });
  if (machine.time > properties.deadline)
    found({ kind: 'deadline', text: 'the machine has not ended by the deadline' });
  for (const text of properties.expect)
    if (!watch.text.includes(text)) found({ kind: 'expected', text: `the console has not shown '${text}'` });
  for (const name of properties.invariant)
    if (name in expected && values[name] !== expected[name])
      found({ kind: 'invariant', text: `${name} is 0x${values[name]}, and 0x${expected[name]} without perturbation` });
  const { instructions, time: ticks } = machine;
  if (properties.predicate !== undefined && !finding) {
    const word = (name: string): bigint | undefined => {
      const digits = valuesOf(running, [name])[name];
      return digits === undefined || digits === '' ? undefined : BigInt(`0x${digits}`);
    };
    const facts = { console: watch.text, instructions, ticks, poweredOff: end?.kind === 'poweroff', word };
    const text = await judge(properties.predicate, facts);
    if (text !== undefined) found({ kind: 'property', text });
  }
  if (properties.askGdb && gdb && !finding) {
    const { serveEnded } = await import('./serve-ended.ts');
    const served = await serveEnded(running);
    try {
      const text = await gdb({ port: served.port });
      if (text !== undefined) found({ kind: 'property', text });
    } finally {
      await served.close();
    }
  }
  return { finding, decisions, instructions, ticks, pairs: [...(pairs?.seen ?? [])], values };
}

function valuesOf({ booted, control }: Awaited<ReturnType<typeof start>>, names: readonly string[]): Outcome['values'] {
  const ctx = hostContext(control.machine.cpus[0]!);
  return Object.fromEntries(
    names.map((name) => {
      const address = booted.symbols.address(name);
      const bytes = address === undefined ? undefined : readVirtual(control.machine, ctx, address, WORD);
      return [name, bytes && Buffer.from(bytes).reverse().toString('hex')];
    }),
  );
}
