/**
 * States of the machine in a recording, from which a replay can go on: seldom enough to cost little, and the seldomer the more there
 * are, so that all of them stay within a number of bytes. The digest of RAM that comes with each look stays when there is no room.
 */
import type { State } from '../../emu/debug/recording-format.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { SavedPages } from '../../emu/replay/page-digests.ts';
import { saveFields } from '../../emu/state/fields.ts';
import type { MachineCli } from '../options.ts';
import { packState } from './file.ts';

/** Bytes of all states of a recording, unless the user says otherwise. */
const DEFAULT_STATES = 256 * 2 ** 20;
/** Running time of the machine from one look to the next, at least, in milliseconds of its processor. */
const LEAST_MS = 2000;
/** A look may take one part in so many of the time. */
const COST = 40;
/** The first one, which looks at all of RAM, comes not before this time, and may take one part in so many. */
const FIRST_LEAST_MS = 8000;
const FIRST_COST = 34;
/** What it costs for each byte of RAM, about: digest, copy, packing. In milliseconds. */
const FIRST_MS = 1.3e-6;
/** What the second one costs, as a part of the first, about. */
const LATER = 0.25;
/** What packing costs for each byte, in milliseconds. */
const PACK_MS = 2.5e-6;

/** Time of the processor for this thread, in milliseconds: other programs do not count. */
function processorTime(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}
/** The time between looks doubles each time that this part of the bytes is used. */
const DOUBLES = 6;
/** Instructions between two looks, at least. */
const LEAST_INSTRUCTIONS = 1_000_000;

/** How states are recorded. */
export type RecordCli = Pick<MachineCli, 'recordSnapshots' | 'recordEvery'>;

/** A look at the machine. */
export interface Look {
  /** The digest of RAM. */
  readonly ram: string;
  /**
   * Packs the state.
   * @param entries inputs and checks before it @param done called with the part, when it is packed
   */
  readonly pack: ((entries: number, done: (content: Uint8Array) => void) => void) | undefined;
}

export class StateRecorder {
  private readonly control: RunControl;
  private readonly most: number;
  private readonly every: number | undefined;
  private readonly pages: SavedPages;
  private used = 0;
  private last = processorTime();
  private lastAt: number;
  /** What the last look took, in milliseconds. */
  private cost: number | undefined;
  private packing = false;

  constructor(control: RunControl, { recordSnapshots = DEFAULT_STATES, recordEvery }: RecordCli) {
    this.control = control;
    this.most = recordSnapshots;
    this.every = recordEvery;
    this.lastAt = control.machine.instructions;
    this.pages = new SavedPages(control.machine);
  }

  /** Is there room for another state? */
  get roomy(): boolean {
    return this.used < this.most;
  }

  /** Bytes that disks have written are noted for the states. */
  noted(bytes: number): void {
    this.used += bytes;
  }

  /** Is it time for a look? */
  get due(): boolean {
    const { machine } = this.control;
    return (
      !this.packing &&
      machine.instructions - this.lastAt >= LEAST_INSTRUCTIONS &&
      processorTime() - this.last >= (this.every ?? this.wait)
    );
  }

  /** The time from the last look to the next one. */
  private get wait(): number {
    const fewer = this.most === 0 ? 1 : 2 ** Math.floor((DOUBLES * this.used) / this.most);
    if (this.cost === undefined)
      return Math.max(FIRST_LEAST_MS, FIRST_COST * FIRST_MS * this.control.machine.ram.touched);
    return fewer * Math.max(LEAST_MS, COST * this.cost);
  }

  /** Looks at the machine, which is between two slices and has settled. */
  look(): Look {
    const { machine, observers } = this.control;
    const began = processorTime();
    const { whole, digest, ...changes } = this.pages.changes();
    const at = machine.instructions;
    this.lastAt = at;
    const state: State | undefined = this.roomy
      ? { rest: machine.saveRest(), observers: observers.map(saveFields), ...changes }
      : undefined;
    this.last = processorTime();
    const cost = this.last - began + (state ? PACK_MS * changes.content.length : 0);
    this.cost = cost * (this.cost === undefined ? LATER : 1);
    if (!state) return { ram: digest, pack: undefined };
    this.packing = true;
    return {
      ram: digest,
      pack: (entries, done) =>
        packState({ at, entries, whole }, state, (content) => {
          this.packing = false;
          this.used += content.length;
          done(content);
        }),
    };
  }
}
