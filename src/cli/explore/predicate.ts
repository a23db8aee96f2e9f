/** `--property FILE.ts`: a function of the user's that says what is wrong with a run. */
import { stripTypeScriptTypes } from 'node:module';
import { UsageError } from '../errors.ts';

/** What it is asked about. */
export interface RunFacts {
  /** All that the console has shown. */
  readonly console: string;
  readonly instructions: number;
  /** Virtual time at the end, in ticks of 10 ns. */
  readonly ticks: number;
  /** Has the machine switched itself off? */
  readonly poweredOff: boolean;
  /** The eight bytes at a symbol of the image, at the end; undefined: no such symbol, or no memory there. */
  readonly word: (symbol: string) => bigint | undefined;
}

/** @returns what is wrong, in words; undefined: nothing */
export type Predicate = (run: RunFacts) => string | undefined | Promise<string | undefined>;

const loaded = new Map<string, Promise<Predicate>>();

const reason = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0]!;

/** The function of a module without types. Runs may read no files, so it stands in its own address. @throws UsageError */
export function loadPredicate(source: string): Promise<Predicate> {
  let predicate = loaded.get(source);
  if (!predicate) {
    predicate = import(`data:text/javascript,${encodeURIComponent(source)}`).then(
      ({ default: f }: { default?: unknown }) => {
        if (typeof f !== 'function')
          throw new UsageError('--property: the file exports no function: write export default (run) => …');
        return f as Predicate;
      },
      (error: unknown) => {
        throw new UsageError(
          `--property: the file cannot be loaded (${reason(error)}): mend it; it can import nothing`,
        );
      },
    );
    loaded.set(source, predicate);
  }
  return predicate;
}

/** What a predicate says of a run. @throws UsageError when it fails */
export async function judge(source: string, facts: RunFacts): Promise<string | undefined> {
  const predicate = await loadPredicate(source);
  let told: unknown;
  try {
    told = await predicate(facts);
  } catch (error) {
    throw new UsageError(`--property: the function has failed (${reason(error)}): mend it`);
  }
  if (told !== undefined && typeof told !== 'string')
    throw new UsageError('--property: the function must return a text, or undefined when nothing is wrong: mend it');
  return told;
}

/** A file of the user's without its types. @throws UsageError */
export async function readPredicate(text: string): Promise<string> {
  let source: string;
  // Node warns that this function may change.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    source = stripTypeScriptTypes(text);
  } catch (error) {
    throw new UsageError(`--property: the file is no TypeScript (${reason(error)}): mend it`);
  } finally {
    process.emitWarning = emitWarning;
  }
  await loadPredicate(source);
  return source;
}
