/** Reads a recording. */
import type { CheckEntry, InputEntry } from '../replay/journal.ts';
import { pagesOf } from '../replay/page-digests.ts';
import type { RecordedState, StateContent } from '../replay/recorded-run.ts';
import { type Codec, type PackedState, partsOf, RecordingError } from '../replay/recording-file.ts';
import {
  type Bookmark,
  type DecisionEntry,
  type Description,
  isBookmark,
  isDescription,
  isFoundMoment,
  isPart,
  isState,
  type Part,
  type RecordedEntry,
  type State,
} from './recording-format.ts';
import type { FoundMoment } from './sought-moments.ts';
import { hasGuests } from './vms.ts';

/** What a recording is read with. */
export interface Reading {
  readonly codec: Codec;
  /** The version of the program. */
  readonly version: string;
}

/** A recording that fits this program. */
export interface Recording {
  readonly name: string;
  readonly description: Description;
  readonly entries: readonly RecordedEntry[];
  /** States to go on from, in the order of their positions. */
  readonly states: readonly RecordedState[];
  /** Instructions of the machine at its end. */
  readonly end: number;
  /** Bytes at its end that are no whole part. */
  readonly cut: number;
  /** In the order in which they were made and deleted. */
  readonly bookmarks: readonly Bookmark[];
  /** Moments that were found in it. */
  readonly findings: readonly FoundMoment[];
}

/**
 * @param name of the file, for messages
 * @throws RecordingError when it cannot be repeated by this program
 */
export function recordingOf(file: Uint8Array, name: string, reading: Reading): Recording {
  const { values, states, notes, cut } = partsOf(file, name, reading.codec);
  const [description, ...rest] = values;
  if (description === undefined)
    throw new RecordingError(`${name} is empty: the run ended before its machine was there: record again`);
  if (!isDescription(description) || !rest.every(isPart))
    throw new RecordingError(`${name} is no recording that this program understands: record again`);
  if (description.program !== reading.version)
    throw new RecordingError(
      `${name} was recorded by version ${description.program} of the program, this is ${reading.version}: use that version`,
    );
  const list: readonly Part[] = rest;
  const entries = list.flatMap((p) => p.entries);
  return {
    name,
    description,
    entries,
    states: statesOf(name, states),
    end: list.at(-1)?.at ?? 0,
    cut,
    bookmarks: notes.filter(isBookmark),
    findings: notes.filter(isFoundMoment),
  };
}

/** The states of a recording. Each is made of those from the last whole one on. */
function statesOf(name: string, packed: readonly PackedState[]): RecordedState[] {
  const damaged = (): Error => new Error(`${name} has a state that is damaged: record again`);
  const content = (n: number): StateContent => {
    const first = packed.slice(0, n + 1).findLastIndex((s) => s.whole);
    const parts = packed.slice(Math.max(0, first), n + 1).map((s) => ({ ...(s.unpack() as State), whole: s.whole }));
    if (!parts.every(isState)) throw damaged();
    const { rest, observers } = parts.at(-1)!;
    return { rest, observers, pages: pagesOf(parts) };
  };
  const hadGuests = (n: number): boolean => {
    const state = packed[n]!.unpack();
    if (!isState(state)) throw damaged();
    return hasGuests(state.observers);
  };
  return packed.map(({ at, entries }, n) => ({
    ...{ at, entries },
    hadGuests: () => hadGuests(n),
    content: () => content(n),
  }));
}

/** A recording up to an instruction. @throws RecordingError when it does not come so far */
export function upTo(recording: Recording, end: number): Recording {
  if (end > recording.end)
    throw new RecordingError(`--to: the recording ends at instruction ${recording.end}: give a smaller number`);
  const entries = recording.entries.filter((e) => !('at' in e) || e.at < end);
  return { ...recording, entries, states: recording.states.filter((s) => s.at <= end), end };
}

/** The decisions of a perturbed run. */
export const decisionsOf = (entries: readonly RecordedEntry[]): DecisionEntry[] =>
  entries.filter((e) => e.kind === 'decision');

const isJournal = (e: RecordedEntry): e is InputEntry | CheckEntry => e.kind === 'input' || e.kind === 'check';

/** What is repeated at its place in the run. */
export const inputsAndChecks = (entries: readonly RecordedEntry[]): (InputEntry | CheckEntry)[] =>
  entries.filter(isJournal);
