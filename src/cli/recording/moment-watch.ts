/** Brings a recorded run to a moment. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { UsageError } from '../errors.ts';
import type { Moment } from './moment.ts';

/** Watches a run for a moment. */
export class MomentWatch {
  /** The position of the moment, once it is known. */
  private position: number | undefined;
  private readonly moment: Moment;
  private readonly whole: boolean;
  private control: RunControl | undefined;
  private tail = '';

  /** @param whole nothing of the run on the way is left out */
  constructor(moment: Moment, whole = false) {
    this.moment = moment;
    this.whole = whole;
  }

  /** A byte appears on the console. */
  put(byte: number): void {
    const { moment, control } = this;
    if (moment.kind !== 'console' || !control || this.position !== undefined) return;
    this.tail = (this.tail + String.fromCharCode(byte)).slice(-moment.text.length);
    if (this.tail !== moment.text) return;
    // After the store that has sent it.
    this.position = control.position() + 1;
    control.machine.running?.requestStop();
  }

  private event(cpu: Cpu): void {
    const { moment, control } = this;
    if (!('last' in moment) || (this.position !== undefined && !moment.last)) return;
    const record = cpu.events.at(0);
    if (record?.kind !== moment.kind || (moment.world !== undefined && moment.world !== record.world)) return;
    this.position = control!.position();
    if (!moment.last) cpu.requestStop();
  }

  /**
   * Brings a recorded machine from its beginning to the moment.
   * @throws UsageError when the moment does not come
   */
  async arrive(control: RunControl): Promise<void> {
    const { history } = control;
    const { moment } = this;
    if (moment.kind === 'bookmark' && control.bookmarks.get(moment.name) === undefined)
      throw new UsageError(`--at: ${control.bookmarks.unknown(moment.name)}`);
    const known = this.known(control);
    if (known !== undefined) check(known, history);
    this.control = control;
    control.arriving = true;
    try {
      await this.going();
    } finally {
      control.arriving = false;
    }
    if (control.over || known !== undefined) return;
    if (this.position === undefined)
      throw new UsageError(`--at: this does not happen in the ${history.end} instructions of the recording`);
    control.replayer.goto(this.position);
  }

  /** The position of a moment that need not be looked for. */
  private known({ history, bookmarks }: RunControl): number | undefined {
    const { moment } = this;
    if (moment.kind === 'bookmark') return bookmarks.get(moment.name);
    return moment.kind === 'end' ? history.end : moment.kind === 'instruction' ? moment.at : undefined;
  }

  private async going(): Promise<void> {
    const { moment, whole } = this;
    const { history, machine } = this.control!;
    const target = this.known(this.control!);
    if (target !== undefined) {
      if (!whole) history.leap(target);
      await this.runTo(target);
      return;
    }
    const event = (cpu: Cpu): void => this.event(cpu);
    const removers = 'last' in moment ? machine.cpus.map((c) => c.observe({ exception: event, entered: event })) : [];
    try {
      if ('last' in moment && moment.last && !whole) await this.searchBack();
      else await this.runTo(history.end);
    } finally {
      for (const remove of removers) remove();
    }
  }

  /** Runs up to a position, or to the moment if it comes first. */
  private async runTo(target: number): Promise<void> {
    const { moment } = this;
    const control = this.control!;
    const { history } = control;
    const waits = (): boolean => this.position === undefined || ('last' in moment && moment.last);
    while (!control.over && !history.recordingOver && history.position < target && waits()) {
      control.repeatSome(target);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Looks for the last moment from the end on backwards, from one state of the recording to the one behind it. */
  private async searchBack(): Promise<void> {
    const control = this.control!;
    const { history } = control;
    for (let end = history.end; end > history.beginning && this.position === undefined && !control.over; ) {
      const start = history.restoreBefore(end - 1);
      await this.runTo(end);
      end = start;
    }
  }
}

/** @throws UsageError for a position that the recording does not have */
function check(at: number, { beginning, end }: RunControl['history']): void {
  if (at > end) throw new UsageError(`--at: the recording ends at instruction ${end}: give a smaller number, or end`);
  if (at < beginning)
    throw new UsageError(`--at: the recording begins at instruction ${beginning}: give a larger number`);
}
