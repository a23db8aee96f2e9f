/** Brings a recorded run to a moment. */
import type { Cpu } from '../../emu/cpu/cpu.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { ConsoleText, isEventOf, needsGuest, type Sought, soughtText } from '../../emu/debug/sought-moments.ts';
import { say } from '../ending.ts';
import { UsageError } from '../errors.ts';
import type { Moment } from './moment.ts';

/** Milliseconds between two lines of progress. */
const PROGRESS_MS = 1000;

const isSought = (moment: Moment): moment is Sought => 'last' in moment || moment.kind === 'console';

function textOf(moment: Moment): string {
  if (isSought(moment)) return soughtText(moment);
  if (moment.kind === 'bookmark') return `bookmark:${moment.name}`;
  return moment.kind === 'end' ? 'the end' : `instruction ${moment.at}`;
}

/** Watches a run for a moment. */
export class MomentWatch {
  /** The position of the moment, once it is known. */
  private position: number | undefined;
  private readonly moment: Moment;
  private readonly whole: boolean;
  private control: RunControl | undefined;
  private told = 0;
  /** Is the moment looked for, and not only gone to? */
  private looking = false;

  /** @param whole nothing of the run on the way is left out */
  constructor(moment: Moment, whole = false) {
    this.moment = moment;
    this.whole = whole;
  }

  private event(cpu: Cpu): void {
    const { moment, control } = this;
    if (!('last' in moment) || (this.position !== undefined && !moment.last)) return;
    if (!isEventOf(moment, cpu.events.at(0))) return;
    this.position = control!.position();
    if (!moment.last) cpu.requestStop();
  }

  /**
   * Brings a recorded machine from its beginning to the moment. What was looked for and found is kept ({@link RunControl.findings}).
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
    this.told = performance.now();
    this.looking = known === undefined;
    control.arriving = true;
    try {
      await this.going(known);
    } finally {
      control.arriving = false;
    }
    if (control.over && this.position === undefined && known === undefined)
      say(`${textOf(moment)} was not found: the search has ended at instruction ${history.position} of ${history.end}`);
    if (control.over || known !== undefined) return;
    if (this.position === undefined)
      throw new UsageError(`--at: this does not happen in the ${history.end} instructions of the recording`);
    if (isSought(moment)) control.findings.add(moment, this.position, history.end);
    control.replayer.goto(this.position);
  }

  /** The position of a moment that need not be looked for. */
  private known({ history, bookmarks, findings }: RunControl): number | undefined {
    const { moment } = this;
    if (isSought(moment)) return findings.get(moment, history.end);
    if (moment.kind === 'bookmark') return bookmarks.get(moment.name);
    return moment.kind === 'end' ? history.end : moment.at;
  }

  private async going(known: number | undefined): Promise<void> {
    const { moment, whole } = this;
    const { history } = this.control!;
    if (known !== undefined) {
      if (!whole) history.leap(known);
      await this.runTo(known);
    } else if (moment.kind === 'console') await this.searchText(moment.text);
    else if ('last' in moment) await this.searchEvent(moment);
  }

  private async searchText(text: string): Promise<void> {
    const control = this.control!;
    const shown = new ConsoleText(text);
    control.onConsole = (byte) => {
      if (this.position !== undefined || !shown.put(byte)) return;
      // After the store that has sent it.
      this.position = control.position() + 1;
      control.machine.running?.requestStop();
    };
    try {
      await this.runTo(control.history.end);
    } finally {
      control.onConsole = undefined;
    }
  }

  private async searchEvent(moment: Sought & { readonly last: boolean }): Promise<void> {
    const { history, machine } = this.control!;
    const event = (cpu: Cpu): void => this.event(cpu);
    const removers = machine.cpus.map((c) => c.observe({ exception: event, entered: event }));
    try {
      if (moment.last && !this.whole) await this.searchBack();
      else {
        if (needsGuest(moment) && !this.whole) history.leap(history.beforeGuests);
        await this.runTo(history.end);
      }
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
      this.tell();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Says now and then how far it is. */
  private tell(): void {
    if (performance.now() - this.told < PROGRESS_MS) return;
    this.told = performance.now();
    const { position, end } = this.control!.history;
    say(
      `${this.looking ? 'looking for' : 'on the way to'} ${textOf(this.moment)}, at instruction ${position} of ${end}`,
    );
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
