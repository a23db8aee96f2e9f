/** Shared folders of a run that is recorded, and of one that is repeated: the answers are all that the machine has of them. */
import { LEAST_BYTES, type P9Server, type P9State } from '../devices/virtio/p9.ts';

/** An answer of a shared folder. */
export interface ShareEntry {
  readonly kind: 'share';
  readonly share: number;
  readonly bytes: Uint8Array;
}

/** The state of a folder whose answers are kept elsewhere. */
const stateAfter = (answered: number): P9State => ({ handles: { nodes: [], fids: [] }, most: LEAST_BYTES, answered });

/** A shared folder whose answers are recorded. */
export class RecordedShare implements P9Server {
  private readonly below: P9Server;
  private readonly number: number;
  private readonly note: (entry: ShareEntry) => void;
  private answered = 0;
  private begun = false;

  constructor(below: P9Server, number: number, note: (entry: ShareEntry) => void) {
    this.below = below;
    this.number = number;
    this.note = note;
  }

  /** The machine is loaded. Until now the state is that of the folder, which a snapshot may bring. */
  begin(): void {
    this.begun = true;
  }

  answer(message: Uint8Array, room: number): Uint8Array {
    const bytes = this.below.answer(message, room);
    this.answered++;
    this.note({ kind: 'share', share: this.number, bytes: bytes.slice() });
    return bytes;
  }

  reset(): void {
    this.below.reset();
  }

  save(): P9State {
    return this.begun ? stateAfter(this.answered) : this.below.save();
  }

  restore(state: P9State): void {
    this.below.restore(state);
  }
}

/** The shared folder of a recorded run. */
export class RepeatedShare implements P9Server {
  private readonly entries: readonly ShareEntry[];
  private answered = 0;

  constructor(entries: readonly ShareEntry[]) {
    this.entries = entries;
  }

  /** @throws Error when the machine asks more than it had asked */
  answer(): Uint8Array {
    const entry = this.entries[this.answered++];
    if (!entry) throw new Error('the run is no longer the recorded one: a shared folder is asked more often');
    return entry.bytes;
  }

  reset(): void {}

  save(): P9State {
    return stateAfter(this.answered);
  }

  restore({ answered = 0 }: P9State): void {
    this.answered = answered;
  }
}
