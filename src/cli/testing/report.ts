/** Results of `loongscope test`: TAP for people and programs, JUnit for CI, JSON. */
import { junitFile } from '../../emu/formats/junit.ts';

/** What has become of one program. */
export interface Outcome {
  readonly image: string;
  /** Why it has failed; undefined: it passed. */
  readonly problem: string | undefined;
  readonly seconds: number;
  /** The end of the console, and what the emulator said. */
  readonly console: string;
  readonly said: string;
  /** The recording of the run, where one was kept. */
  readonly recording: string | undefined;
}

/** Lines of a console that a report shows. */
const SHOWN = 20;
// biome-ignore lint/suspicious/noControlCharactersInRegex: a program under test may print anything
const CONTROLS = /[\0-\x08\x0b-\x1f\x7f]/g;
const lastLines = (text: string): string[] => text.trimEnd().replace(CONTROLS, '').split('\n').slice(-SHOWN);

/** What to look at when a program has failed. */
const detail = ({ console, said, recording }: Outcome): string[] => [
  ...lastLines(console).map((line) => `console: ${line}`),
  ...lastLines(said).map((line) => `said: ${line}`),
  ...(recording === undefined ? [] : [`see: loongscope replay ${recording} --at end --gdb 1234`]),
];

/** The lines of one program, in TAP. `#` in a name is a directive there. */
export function tapLines(outcome: Outcome, number: number): string[] {
  const name = outcome.image.replaceAll('#', '\\#');
  if (outcome.problem === undefined) return [`ok ${number} - ${name}`];
  return [`not ok ${number} - ${name}`, `# ${outcome.problem}`, ...detail(outcome).map((line) => `#   ${line}`)];
}

/** A file of JUnit's form. */
export const junit = (outcomes: readonly Outcome[]): string =>
  junitFile(
    'loongscope',
    'loongscope.test',
    outcomes.map((outcome) => ({
      name: outcome.image,
      seconds: outcome.seconds,
      ...(outcome.problem !== undefined && { failure: outcome.problem, detail: detail(outcome).join('\n') }),
    })),
  );

/** For programs: one object. */
export const json = (outcomes: readonly Outcome[]): string =>
  `${JSON.stringify(
    outcomes.map(({ problem, ...rest }) => ({ ...rest, passed: problem === undefined, problem: problem ?? null })),
    undefined,
    2,
  )}\n`;
