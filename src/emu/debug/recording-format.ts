/** What a recording consists of (docs/recordings.md). */
import { DIALS } from '../cpu/chances.ts';
import type { Disk } from '../devices/virtio/block.ts';
import { PAGE } from '../memory/layout.ts';
import type { Decision } from '../perturb/decisions.ts';
import type { CheckEntry, InputEntry } from '../replay/journal.ts';
import type { PageChanges } from '../replay/page-digests.ts';
import type { DiskEntry } from '../replay/recorded-disk.ts';
import type { StateContent } from '../replay/recorded-run.ts';
import type { ShareEntry } from '../replay/recorded-share.ts';
import {
  isBytes,
  isEvery,
  isListOf,
  isMapOfNames,
  isNumber,
  isObjectWith,
  isOptional,
  isSwitch,
  isText,
} from '../state/state-check.ts';
import type { FoundMoment } from './sought-moments.ts';

/** A file that the machine boots. */
export interface RecordedFile {
  /** In hexadecimal. */
  readonly sha256: string;
  /** Only where the recording brings it. */
  readonly content: Uint8Array | undefined;
}

/** The machine of a recording. */
export interface Description {
  /** Version of the program. */
  readonly program: string;
  /** The argument of `run`. */
  readonly image: string | undefined;
  readonly options: Readonly<Record<string, unknown>>;
  /** By path, as it was given. */
  readonly files: ReadonlyMap<string, RecordedFile>;
  readonly disks: readonly Pick<Disk, 'size' | 'readOnly'>[];
}

/** A decision of a perturbed run. */
export type DecisionEntry = Decision & { readonly kind: 'decision' };

export type RecordedEntry = InputEntry | CheckEntry | DiskEntry | ShareEntry | DecisionEntry;

/** What has happened since the part before. */
export interface Part {
  readonly entries: readonly RecordedEntry[];
  /** Instructions of the machine at its end. */
  readonly at: number;
}

/** A state of the machine, but for what has not changed since the one before it. */
export type State = Pick<StateContent, 'rest' | 'observers'> & Omit<PageChanges, 'whole'>;

const isMoment = isObjectWith({
  time: isNumber,
  turn: isNumber,
  inRound: isSwitch,
  roundLength: isNumber,
  ahead: (v) => v instanceof Float64Array,
  stalled: (v) => v instanceof Float64Array,
});
const ENTRIES: Readonly<Record<string, (v: unknown) => boolean>> = {
  input: isObjectWith({
    at: isNumber,
    to: (v) => v === 'console' || v === 'network',
    bytes: isBytes,
    moment: isMoment,
  }),
  check: isObjectWith({ at: isNumber, digest: isOptional(isText), ram: isOptional(isText) }),
  disk: isObjectWith({ disk: isNumber, call: isNumber, offset: isNumber, bytes: isOptional(isBytes) }),
  share: isObjectWith({ share: isNumber, bytes: isBytes }),
  decision: isObjectWith({
    dial: (v) => (DIALS as readonly unknown[]).includes(v),
    cpu: isNumber,
    icount: isNumber,
    value: isNumber,
  }),
};
const isEntry = (v: unknown): boolean =>
  isObjectWith({ kind: isText })(v) && ENTRIES[(v as { kind: string }).kind]?.(v) === true;

export const isPart = (v: unknown): v is Part => isObjectWith({ at: isNumber, entries: isEvery(isEntry) })(v);

/** A name for a moment; without a moment it means nothing any more. */
export interface Bookmark {
  readonly bookmark: string;
  readonly at: number | undefined;
}

export const isBookmark = (v: unknown): v is Bookmark =>
  isObjectWith({ bookmark: isText, at: isOptional(isNumber) })(v);

export const isFoundMoment = (v: unknown): v is FoundMoment =>
  isObjectWith({ found: isText, at: isNumber, end: isNumber })(v);

const isPages = (v: unknown): boolean => v instanceof Uint32Array;
/** The machine itself looks at `rest` and `observers`. */
export const isState = (v: unknown): v is State =>
  isObjectWith({
    rest: isObjectWith({}),
    observers: isEvery(isObjectWith({})),
    pages: isPages,
    zeros: isPages,
    content: isBytes,
  })(v) && (v as State).content.length === (v as State).pages.length * PAGE;

export const isDescription = (v: unknown): v is Description =>
  isObjectWith({
    program: isText,
    image: isOptional(isText),
    options: isObjectWith({ memory: isNumber, smp: isNumber, seed: isNumber, cpu: isObjectWith({}) }),
    files: isMapOfNames(isObjectWith({ sha256: isText, content: isOptional(isBytes) })),
    disks: isListOf((d): d is Pick<Disk, 'size' | 'readOnly'> =>
      isObjectWith({ size: isNumber, readOnly: isSwitch })(d),
    ),
  })(v);
