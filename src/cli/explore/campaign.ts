/** Many runs of one image: which fail, in how many ways, and what each way needs. */
import type { Decision } from '../../emu/perturb/decisions.ts';
import type { Taken } from '../../emu/perturb/perturbation.ts';
import { type Dials, styleOf } from '../../emu/perturb/seeded.ts';
import { Steering } from './coverage.ts';
import type { Job, Outcome } from './one-run.ts';
import { classOf, type Finding } from './properties.ts';
import { merge, reduce, type Test } from './reduce.ts';

/** Runs that have failed in the same way. */
export interface FailureClass {
  readonly name: string;
  /** That of its first run. */
  readonly finding: Finding;
  count: number;
  /** Runs until it was found. */
  readonly after: number;
  /** Its first seeds. */
  readonly seeds: number[];
  /** Of the run with the fewest decisions. */
  decisions: readonly Taken[];
}

/** A class whose decisions have been made fewer. */
export interface Reduced {
  readonly failure: FailureClass;
  /** Decisions that are left. */
  readonly decisions: readonly Taken[];
  /** Decisions of the seed's run. */
  readonly of: number;
  readonly tries: number;
  readonly recording: string | undefined;
}

export interface CampaignOptions {
  readonly runs: number;
  readonly firstSeed: number;
  readonly dials: Dials;
  /** Runs that are done at a time. */
  readonly jobs: number;
  /** Runs at most to reduce one class. */
  readonly tries: number;
  /** Ends after the first class. */
  readonly stopAtFirst: boolean;
  /** No more runs may begin. */
  readonly end: AbortSignal;
}

/** Two stalls of one CPU may be one, at the place of either. */
const oneStall = (a: Taken, b: Taken): Taken[] => {
  if (a.dial !== 'quantum' || b.dial !== 'quantum' || a.cpu !== b.cpu) return [];
  const value = a.value + b.value;
  return [
    { ...a, value },
    { ...b, value },
  ];
};

/** Seeds of a class that are kept. */
const MOST_SEEDS = 20;

/** What the campaign tells on its way. */
export interface Progress {
  readonly ran: (done: number, classes: number, pairs: number) => void;
  readonly found: (failure: FailureClass, seed: number) => void;
  readonly reducing: (failure: FailureClass, left: number) => void;
}

export class Campaign {
  readonly classes = new Map<string, FailureClass>();
  done = 0;
  private readonly options: CampaignOptions;
  private readonly run: (job: Job) => Promise<Outcome>;
  private readonly progress: Progress;
  private readonly steering: Steering;

  constructor(options: CampaignOptions, run: (job: Job) => Promise<Outcome>, progress: Progress) {
    this.options = options;
    this.run = run;
    this.progress = progress;
    this.steering = new Steering(options.firstSeed);
  }

  /** Pairs of a world switch and of what came after it that have been tried. */
  get pairs(): number {
    return this.steering.pairs;
  }

  private get over(): boolean {
    const { end, stopAtFirst } = this.options;
    return end.aborted || (stopAtFirst && this.classes.size > 0);
  }

  /** Runs the seeds. */
  async explore(): Promise<void> {
    let begun = 0;
    const lane = async (): Promise<void> => {
      while (begun < this.options.runs && !this.over) {
        begun++;
        const seed = this.steering.seed();
        const outcome = await this.run({ explore: { seed, dials: this.options.dials } });
        this.done++;
        this.note(seed, outcome);
      }
    };
    await Promise.all(Array.from({ length: this.options.jobs }, lane));
  }

  private note(seed: number, { finding, decisions, pairs }: Outcome): void {
    let fresh = false;
    if (finding) {
      const name = classOf(finding);
      let failure = this.classes.get(name);
      if (!failure) {
        failure = { name, finding, count: 0, after: this.done, seeds: [], decisions };
        this.classes.set(name, failure);
        this.progress.found(failure, seed);
        fresh = true;
      }
      failure.count++;
      if (failure.seeds.length < MOST_SEEDS) failure.seeds.push(seed);
      if (decisions.length < failure.decisions.length) failure.decisions = decisions;
    }
    this.steering.ran(seed, pairs, fresh);
    this.progress.ran(this.done, this.classes.size, this.pairs);
  }

  /**
   * The fewest decisions that make a run fail in this way, and a recording of that run.
   * @param record the file of the recording
   */
  async reduce(failure: FailureClass, record: string): Promise<Reduced> {
    let tries = 0;
    const fails = async (list: readonly Decision[]): Promise<boolean> => {
      tries++;
      const { finding } = await this.run({ decisions: list });
      return finding !== undefined && classOf(finding) === failure.name;
    };
    const { decisions } = failure;
    const test: Test<Taken> = async (lists) => {
      const does = await Promise.all(lists.map(fails));
      this.progress.reducing(failure, Math.min(...lists.filter((_, n) => does[n]).map((l) => l.length)));
      return does;
    };
    const fewer = await reduce(decisions, test, this.options.tries);
    const left = await merge(fewer, oneStall, test, this.options.tries);
    const last = await this.run({ decisions: left, record });
    const recorded = last.finding !== undefined && classOf(last.finding) === failure.name;
    return {
      failure,
      // Their places in the run that is recorded.
      decisions: recorded ? last.decisions : left,
      of: decisions.length,
      tries,
      recording: recorded ? record : undefined,
    };
  }
}

/** The style of the first seed of a class, in a word. */
export const styleName = ({ seeds }: FailureClass): string => styleOf(seeds[0]!).name;
