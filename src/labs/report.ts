/** A verdict in words: for people, for programs, and as JUnit's XML for teachers. */
import { junitFile } from '../emu/formats/junit.ts';
import type { Hole } from './holes.ts';
import { stepName, type Verdict } from './judge.ts';

/** The result of checking a folder: a verdict, or that its program could not be built. */
export interface Result {
  readonly lab: string;
  /** What was checked, as the user named it. */
  readonly folder: string;
  readonly passed: boolean;
  /** The compiler's message, where there is no program. */
  readonly buildError?: string;
  readonly verdict?: Verdict;
  /** Holes of the skeleton that nobody has filled. */
  readonly holes: readonly Hole[];
}

const holeNames = (holes: readonly Hole[]): string => holes.map((h) => `${h.number} (${h.file})`).join(', ');

/** What a terminal shows of an explanation: with a cause, that and the event; the rest is what `monitor explain` is for. */
function shortened(explanation: readonly string[]): readonly string[] {
  const telling = explanation.filter((line) => /^((root )?cause|rule|earlier|before|pc) /.test(line));
  const event = explanation.filter((line) => /^(VM exit|exception|VM entry)/.test(line));
  return telling.some((line) => /^(root )?cause /.test(line)) ? [...event, ...telling] : explanation;
}

/** Lines for a terminal. @param chinese is the hint wanted in Chinese? */
export function resultLines(result: Result, chinese = false): string[] {
  const { lab, folder, verdict, buildError, holes } = result;
  const open = result.passed || holes.length === 0 ? [] : [`  not filled  hole ${holeNames(holes)}`];
  if (buildError !== undefined)
    return [
      `${lab}: FAILED, ${folder} does not build`,
      ...buildError
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`),
      ...open,
    ];
  const { instructions, entries, problems, explanation, hint } = verdict!;
  if (result.passed)
    return [
      `${lab}: passed: the lines are right, the auditor is quiet (${instructions} instructions, ${entries} guest entries)`,
    ];
  return [
    `${lab}: FAILED, ${folder}`,
    ...problems.map(({ kind, text }) => `  ${kind.padEnd(11)} ${text}`),
    ...(explanation.length ? ['  explain', ...shortened(explanation).map((line) => `    ${line}`)] : []),
    ...(hint ? [`  hint        ${stepName(hint.step)}: ${chinese ? hint.zh : hint.text}`] : []),
    ...open,
  ];
}

/** One line: why it has failed. */
function reason({ buildError, verdict, folder }: Result): string {
  if (buildError !== undefined) return `${folder} does not build`;
  return verdict!.problems[0]?.text ?? '';
}

/** An object for `--json`. */
export const resultObject = (result: Result): object => {
  const { lab, folder, passed, buildError, verdict, holes } = result;
  if (!verdict) return { lab, folder, passed, problems: [{ kind: 'build', text: buildError }], explanation: [], holes };
  const { problems, explanation, hint, instructions, entries, console } = verdict;
  return { lab, folder, passed, problems, explanation, hint, holes, instructions, entries, console };
};

/** A file of JUnit's form, one test case a lab. */
export const junit = (results: readonly Result[]): string =>
  junitFile(
    'labs',
    'loongscope.labs',
    results.map((result) => ({
      name: result.lab,
      ...(!result.passed && { failure: reason(result), detail: resultLines(result).join('\n') }),
    })),
  );
