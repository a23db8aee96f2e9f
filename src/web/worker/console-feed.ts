/** The console of the page: it gets what the machine prints, and goes back in time with it. */
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Report } from '../protocol.ts';
import { ConsoleLog } from './console-log.ts';

/** What the machine prints is sent in pieces, so often. */
const SEND_MS = 20;

export class ConsoleFeed {
  private readonly control: RunControl;
  private readonly report: (report: Report) => void;
  private readonly log = new ConsoleLog();
  /** The page's console shows all that is kept, and not only what was printed by a moment of the past. */
  private showsAll = true;
  /** Printed, and not yet sent to the page. */
  private unsent = '';

  constructor(control: RunControl, report: (report: Report) => void) {
    this.control = control;
    this.report = report;
  }

  /** The machine has printed a byte. */
  printed(byte: number): void {
    const { control } = this;
    if (control.repeating) return;
    this.log.put(byte, control.position());
    if (this.unsent === '') control.machine.options.runtime.after(SEND_MS, () => this.flush());
    this.unsent += String.fromCharCode(byte);
  }

  private flush(): void {
    if (this.unsent !== '' && this.showsAll) this.report({ kind: 'console', text: this.unsent, whole: false });
    this.unsent = '';
  }

  /** Shows the console as it was at this moment. */
  show(): void {
    const { position } = this.control.history;
    const complete = this.log.isCompleteAt(position);
    if (complete && this.showsAll) {
      this.flush();
      return;
    }
    this.unsent = '';
    this.showsAll = complete;
    this.report({ kind: 'console', text: this.log.until(position), whole: true });
  }
}
