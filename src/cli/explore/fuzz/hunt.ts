/** Hostile guests, made from those that have reached new code of the hypervisor. */
import { CodeCoverage } from '../../../emu/debug/code-coverage.ts';
import type { Job, Outcome } from '../one-run.ts';
import { classOf, type Finding } from '../properties.ts';
import { reduce, type Test } from '../reduce.ts';
import { type Deed, Dice, type Dictionary, type GuestInput, type InputJob, mutate } from './input.ts';

/** Where a hostile guest begins: a snapshot before an exit. */
export interface Point {
  readonly name: string;
  /** Number of the exit. */
  readonly number: number;
  readonly base: Omit<InputJob, 'input'>;
}

/** Inputs whose runs have failed in the same way. */
export interface HostileClass {
  readonly name: string;
  readonly finding: Finding;
  readonly point: Point;
  /** Runs until it was found. */
  readonly after: number;
  count: number;
  /** The shortest so far. */
  input: GuestInput;
}

/** A class whose deeds have been made fewer. */
export interface ReducedInput {
  readonly failure: HostileClass;
  readonly input: GuestInput;
  readonly of: number;
  readonly tries: number;
  readonly recording: string | undefined;
}

export interface HuntOptions {
  readonly runs: number;
  readonly firstSeed: number;
  readonly tries: number;
  readonly stopAtFirst: boolean;
  /** No more runs may begin. */
  readonly end: AbortSignal;
}

export interface HuntProgress {
  readonly ran: (done: number, classes: number, covered: number) => void;
  readonly found: (failure: HostileClass) => void;
}

interface Known {
  readonly point: Point;
  readonly input: GuestInput;
}

/** Inputs that are made before their outcomes are looked at: so the same ones come with any number of jobs. */
const BATCH = 32;

export class Hunt {
  readonly classes = new Map<string, HostileClass>();
  readonly coverage = new CodeCoverage();
  done = 0;
  private readonly corpus: Known[];
  private readonly points: readonly Point[];
  private readonly dictionary: Dictionary;
  private readonly options: HuntOptions;
  private readonly run: (job: Job) => Promise<Outcome>;
  private readonly progress: HuntProgress;

  constructor(
    points: readonly Point[],
    dictionary: Dictionary,
    options: HuntOptions,
    run: (job: Job) => Promise<Outcome>,
    progress: HuntProgress,
  ) {
    this.points = points;
    this.dictionary = dictionary;
    this.options = options;
    this.run = run;
    this.progress = progress;
    this.corpus = points.map((point) => ({ point, input: [] }));
  }

  /** Inputs that have reached something new. */
  get known(): number {
    return this.corpus.length - this.points.length;
  }

  private next(number: number): Known {
    const dice = new Dice(this.options.firstSeed + number);
    const { corpus, points } = this;
    // The newest ones have been tried the least, and short ones are the clearest.
    const { point, input } = dice.of(
      [corpus.slice(-8), corpus, corpus, corpus.slice(0, points.length)][dice.below(4)]!,
    );
    return { point, input: mutate(input, dice, this.dictionary) };
  }

  private try({ point, input }: Known, record?: string): Promise<Outcome> {
    const job = { hostile: { ...point.base, input } };
    return this.run(record === undefined ? job : { ...job, record });
  }

  async explore(): Promise<void> {
    // What a guest that is not hostile reaches is nothing new.
    for (const outcome of await Promise.all(this.corpus.map((known) => this.try(known))))
      this.coverage.merge(outcome.covered ?? []);
    const { runs, stopAtFirst, end } = this.options;
    while (this.done < runs && !end.aborted && !(stopAtFirst && this.classes.size > 0)) {
      const size = Math.min(BATCH, runs - this.done);
      const batch = Array.from({ length: size }, (_, n) => this.next(this.done + n));
      const outcomes = await Promise.all(batch.map((known) => this.try(known)));
      for (const [n, outcome] of outcomes.entries()) this.note(batch[n]!, outcome);
    }
  }

  private note(known: Known, { finding, covered }: Outcome): void {
    this.done++;
    if (this.coverage.merge(covered ?? []) > 0) this.corpus.push(known);
    if (finding) {
      const name = classOf(finding);
      const { point, input } = known;
      const failure = this.classes.get(name) ?? { name, finding, point, after: this.done, count: 0, input };
      failure.count++;
      if (failure.point === point && input.length < failure.input.length) failure.input = input;
      if (!this.classes.has(name)) this.progress.found(failure);
      this.classes.set(name, failure);
    }
    this.progress.ran(this.done, this.classes.size, this.coverage.size);
  }

  /** The fewest deeds that make a run fail in this way, and a recording of it. @param record its file */
  async reduce(failure: HostileClass, record: string): Promise<ReducedInput> {
    const { point } = failure;
    let tries = 0;
    const test: Test<Deed> = (lists) =>
      Promise.all(
        lists.map(async (input) => {
          tries++;
          const { finding } = await this.try({ point, input });
          return finding !== undefined && classOf(finding) === failure.name;
        }),
      );
    const input = await reduce(failure.input, test, this.options.tries);
    const { finding } = await this.try({ point, input }, record);
    const recorded = finding !== undefined && classOf(finding) === failure.name;
    return { failure, input, of: failure.input.length, tries, recording: recorded ? record : undefined };
  }
}
