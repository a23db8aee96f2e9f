/** Runs a lab's program and judges it: what it prints, how it ends, what the auditor finds, and what `explain` says of a failure. */
import { csrByName, fieldValue } from '../emu/cpu/csr-table.ts';
import { explaining } from '../emu/debug/explain-stop.ts';
import { RunControl } from '../emu/debug/run-control.ts';
import type { End } from '../emu/debug/stop.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { worldName } from '../emu/debug/vms.ts';
import { explainLoop } from '../emu/debug/why/report.ts';
import { RULES } from '../emu/debug/why/rules.ts';
import { hex } from '../emu/formats/hex.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { finish } from '../emu/runtime/steps.ts';
import { type EntryState, type KnownMistake, type Lab, STEPS, type StepNumber } from './lab.ts';

/** A machine with a lab's program, before its first instruction. */
export interface Subject {
  readonly machine: Machine;
  readonly symbolize: Symbolizer;
  /** Begins to watch the world switches. */
  readonly audit: (control: RunControl) => Auditor;
}

export interface Auditor {
  /** What it has found so far, a line each. */
  findings(): readonly string[];
}

/** A thing that is not as it must be. */
export interface Problem {
  readonly kind: 'loop' | 'died' | 'limit' | 'console' | 'entry' | 'audit' | 'state';
  readonly text: string;
}

export interface Verdict {
  readonly lab: string;
  readonly passed: boolean;
  readonly console: string;
  readonly instructions: number;
  /** How often guests were entered. */
  readonly entries: number;
  readonly problems: readonly Problem[];
  /** What `explain` says of the failure; empty when it names nothing. */
  readonly explanation: readonly string[];
  /** What this lab says of a mistake that it knows. */
  readonly hint: { readonly step: StepNumber; readonly text: string; readonly zh: string } | undefined;
}

/** RAM of the machine that a lab needs. */
export const LAB_MEMORY = 128 * 2 ** 20;
/** Bytes of console that are kept: a program in a loop prints without an end. */
const MOST_CONSOLE = 16_384;
/** So much of a line is shown. */
const LONGEST_LINE = 100;
/** How the cause begins in the lines of an explanation. */
const CAUSE = /^(root )?cause +/;
/** What labs/lib prints of an exception of the host itself. */
const HOST_DIED = /^host: exception /m;

/**
 * Runs a lab's program to its end, at most `lab.limit` instructions.
 * @param make makes the machine. @param make.console what it must do with each byte that is printed
 */
export async function judge(
  lab: Lab,
  make: (console: (byte: number) => void) => Subject | Promise<Subject>,
): Promise<Verdict> {
  let text = '';
  let control: RunControl | undefined;
  const { machine, symbolize, audit } = await make((byte) => {
    if (!control?.repeating && text.length < MOST_CONSOLE) text += String.fromCharCode(byte);
  });
  let loop: { readonly text: string; readonly lines: readonly string[] } | undefined;
  control = new RunControl(machine, {
    limits: { maxInstructions: lab.limit },
    remembers: true,
    onLoop: (cpu, found) => {
      const running = control!;
      void running.between(() => {
        loop ??= { text: found.text, lines: finish(explainLoop(running, cpu, found, symbolize)) };
        running.quit();
      });
    },
  });
  const auditor = audit(control);
  const watch = watchEntries(lab, control);
  const end = await control.run();
  const instructions = machine.instructions;
  const printed = text.replaceAll('\r', '');
  const problems = [
    ...(loop ? [{ kind: 'loop', text: loop.text } as const] : endProblems(end, lab, control, symbolize)),
    ...consoleProblems(lab.prints, printed),
    ...(watch.entries === 0 ? [{ kind: 'entry', text: 'no guest was entered' } as const] : []),
    ...watch.missing.map((m) => ({ kind: 'state', text: stateText(m) }) as const),
    // In a loop the auditor sees what follows from it.
    ...(loop ? [] : auditor.findings().map((finding) => ({ kind: 'audit', text: finding }) as const)),
  ];
  const explanation = problems.length === 0 ? [] : (loop?.lines ?? explained(control, end, printed, symbolize));
  const lines = explanation.map((line) => line.trim());
  const known =
    problems.length === 0 ? undefined : lab.mistakes.find((m) => fits(m, { lab, lines, problems, printed }));
  const [state] = watch.missing;
  return {
    ...{ lab: lab.name, passed: problems.length === 0, console: printed, instructions, entries: watch.entries },
    ...{ problems, explanation: lines },
    hint: hintOf(known ?? state),
  };
}

const hintOf = (from: Pick<KnownMistake, 'step' | 'hint' | 'zh'> | undefined): Verdict['hint'] =>
  from && { step: from.step, text: from.hint, zh: from.zh };

/** Looks at the host's CSRs when a guest is entered for the first time, and counts entries. */
function watchEntries(lab: Lab, control: RunControl): { entries: number; missing: readonly EntryState[] } {
  const watch: { entries: number; missing: readonly EntryState[] } = { entries: 0, missing: [] };
  for (const cpu of control.machine.cpus)
    cpu.observe({
      entered: (c) => {
        if (control.repeating) return;
        if (watch.entries++ > 0) return;
        watch.missing = lab.atEntry.filter(({ bank, csr, field, value }) => {
          const row = csrByName(csr)!;
          return Number(fieldValue(row.fields.find((f) => f.name === field)!, c[bank].get(row.num))) !== value;
        });
      },
    });
  return watch;
}

const stateText = ({ bank, csr, field, value }: EntryState): string =>
  `${bank === 'guest' ? 'the guest’s ' : ''}${csr}.${field} is not ${value} when the guest is entered`;

function endProblems(end: End, lab: Lab, control: RunControl, symbolize: Symbolizer): Problem[] {
  if (end.kind === 'died') return [{ kind: 'died', text: `the machine died: ${end.reason}` }];
  if (end.kind !== 'limit') return [];
  const [cpu] = control.machine.cpus;
  const name = symbolize(cpu!.world, cpu!.pc);
  const place = `${hex(cpu!.pc)}${name === undefined ? '' : ` <${name}>`} in ${worldName(cpu!, cpu!.world)}`;
  return [
    {
      kind: 'limit',
      text: `it was still running after ${lab.limit} instructions, at ${place}: a correct program has ended long before`,
    },
  ];
}

/** The first line that is not as it must be; undefined when all are. A line that is not there is ''. */
function difference(
  wanted: readonly string[],
  printed: string,
): { line: number; want: string; got: string } | undefined {
  const lines = printed.replace(/\n$/, '').split('\n');
  const last = Math.max(wanted.length, lines.length);
  for (let n = 0; n < last; n++)
    if (wanted[n] !== lines[n]) return { line: n + 1, want: wanted[n] ?? '', got: lines[n] ?? '' };
  return undefined;
}

function consoleProblems(wanted: readonly string[], printed: string): Problem[] {
  const found = difference(wanted, printed);
  if (!found) return [];
  const { line, want, got } = found;
  const say = (text: string): string =>
    text === '' ? 'nothing' : `'${text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text}'`;
  return [{ kind: 'console', text: `line ${line} must be ${say(want)} and is ${say(got)}` }];
}

/** What `explain` says at the end, where it names a cause or the end itself is an event. Otherwise nothing: better none than a wrong one. */
function explained(control: RunControl, end: End, printed: string, symbolize: Symbolizer): readonly string[] {
  const lines = finish(explaining(control, control.machine.cpus[0]!, symbolize));
  const telling = end.kind === 'died' || HOST_DIED.test(printed) || lines.some((line) => CAUSE.test(line.trim()));
  return telling ? lines : [];
}

/** What is known of a run that has failed. */
interface Failure {
  readonly lab: Lab;
  readonly lines: readonly string[];
  readonly problems: readonly Problem[];
  readonly printed: string;
}

function fits({ when }: KnownMistake, { lab, lines, problems, printed }: Failure): boolean {
  const causes = lines.filter((line) => CAUSE.test(line));
  // A cause is more certain than a guess by what was printed.
  if (causes.length > 0 && !when.rule && !when.cause && !when.audit && !when.never) return false;
  const rules = RULES.filter(({ must }) => lines.some((line) => /^rule /.test(line) && line.includes(must)));
  const audits = problems.filter((p) => p.kind === 'audit');
  const differs = difference(lab.prints, printed);
  return (
    (!when.rule || rules.some(({ id }) => when.rule!.includes(id))) &&
    (!when.cause || causes.some((line) => when.cause!.test(line))) &&
    (!when.never || problems.some((p) => p.kind === 'entry')) &&
    (!when.audit || audits.some(({ text }) => when.audit!.test(text))) &&
    (!when.printed || (differs !== undefined && when.printed.test(differs.got))) &&
    (!when.expected || (differs !== undefined && when.expected.test(differs.want)))
  );
}

/** A step in words: `step 5, entry and exit`. */
export const stepName = (step: StepNumber): string => `step ${step}, ${STEPS[step - 1]}`;
