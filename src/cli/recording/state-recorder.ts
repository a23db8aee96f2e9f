/**
 * States of the machine in a recording, from which a replay can go on: seldom enough to cost little, and the seldomer the more there
 * are, so that all of them stay within a number of bytes. The digest of RAM that comes with each look stays when there is no room.
 */
import type { RunControl } from '../../emu/debug/run-control.ts';
import { SavedPages } from '../../emu/replay/page-digests.ts';
import { saveFields } from '../../emu/state/fields.ts';
import type { MachineCli } from '../options.ts';
import { packState } from './file.ts';
import type { State } from './format.ts';

/** Bytes of all states of a recording, unless the user says otherwise. */
const DEFAULT_STATES = 128 * 2 ** 20;
/** Time from one look to the next, at least, in milliseconds. */
const LEAST_MS = 2000;
/** A look may take one part in so many of the time. */
const COST = 40;
/** What the first look costs for each byte of RAM, about: digest, copy, packing. In milliseconds. */
const FIRST_MS = 2.5e-6;
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
  private readonly pages = new SavedPages();
  private used = 0;
  private last = performance.now();
  private lastAt: number;
  /** What the last look took, in milliseconds. */
  private cost: number | undefined;
  private packing = false;

  constructor(control: RunControl, { recordSnapshots = DEFAULT_STATES, recordEvery }: RecordCli) {
    this.control = control;
    this.most = recordSnapshots;
    this.every = recordEvery;
    this.lastAt = control.machine.instructions;
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
      performance.now() - this.last >= (this.every ?? this.wait)
    );
  }

  /** The time from the last look to the next one. */
  private get wait(): number {
    const fewer = this.most === 0 ? 1 : 2 ** Math.floor((DOUBLES * this.used) / this.most);
    const cost = this.cost ?? this.control.machine.ram.touched * FIRST_MS;
    return fewer * Math.max(LEAST_MS, COST * cost);
  }

  /** Looks at the machine, which is between two slices and has settled. */
  look(): Look {
    const { machine, observers } = this.control;
    const began = performance.now();
    const { whole, digest, ...changes } = this.pages.changes(machine.ram);
    const at = machine.instructions;
    this.lastAt = at;
    const over = (): void => {
      this.last = performance.now();
      this.cost = this.last - began;
    };
    if (!this.roomy) {
      over();
      return { ram: digest, pack: undefined };
    }
    const state: State = { rest: machine.saveRest(), observers: observers.map(saveFields), ...changes };
    this.packing = true;
    return {
      ram: digest,
      pack: (entries, done) =>
        packState({ at, entries, whole }, state, (content) => {
          this.packing = false;
          this.used += content.length;
          over();
          done(content);
        }),
    };
  }
}
