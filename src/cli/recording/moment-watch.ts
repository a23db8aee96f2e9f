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
  private control: RunControl | undefined;
  private tail = '';

  constructor(moment: Moment) {
    this.moment = moment;
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
    if (!('last' in moment) || control!.repeating || (this.position !== undefined && !moment.last)) return;
    const record = cpu.events.at(0);
    if (record?.kind !== moment.kind || (moment.world !== undefined && moment.world !== record.world)) return;
    this.position = control!.position();
    if (!moment.last) cpu.requestStop();
  }

  /**
   * Runs a recorded machine from its beginning to the moment.
   * @throws UsageError when the moment does not come
   */
  async arrive(control: RunControl): Promise<void> {
    const { history, machine } = control;
    const { moment } = this;
    const target = moment.kind === 'instruction' ? moment.at : history.end;
    if (target > history.end)
      throw new UsageError(`--at: the recording ends at instruction ${history.end}: give a smaller number, or end`);
    this.control = control;
    control.arriving = true;
    const event = (cpu: Cpu): void => this.event(cpu);
    const removers = 'last' in moment ? machine.cpus.map((c) => c.observe({ exception: event, entered: event })) : [];
    const waits = (): boolean => this.position === undefined || ('last' in moment && moment.last);
    try {
      while (!control.over && !history.recordingOver && history.position < target && waits()) {
        control.repeatSome(target);
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      control.arriving = false;
      for (const remove of removers) remove();
    }
    if (control.over) return;
    if (moment.kind === 'instruction' || moment.kind === 'end') return;
    if (this.position === undefined)
      throw new UsageError(`--at: this does not happen in the ${history.end} instructions of the recording`);
    control.replayer.goto(this.position);
  }
}
