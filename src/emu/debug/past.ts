/** Going over the past of a machine under run control: nothing stops meanwhile, and nobody is told. */
import type { Cpu } from '../cpu/cpu.ts';
import type { RunControl, Scanner } from './run-control.ts';

export class Past {
  private readonly control: RunControl;

  constructor(control: RunControl) {
    this.control = control;
  }

  /** Goes to a moment of the past. @returns the moment reached */
  goto(position: number): number {
    return this.control.silently(() => this.control.history.goto(position));
  }

  /**
   * Runs a stretch of the past again that ends at a moment, and reports what would have stopped in it, oldest first. The
   * machine is then in the past: go on with {@link goto}.
   * @returns where the stretch begins; undefined when nothing is kept before
   */
  searchStretch(end: number, scan: Scanner): number | undefined {
    if (end <= this.control.history.beginning) return undefined;
    const start = this.control.silently(() => this.control.history.restoreBefore(end - 1));
    this.control.silently(() => this.control.history.replay(end), scan);
    return start;
  }

  /**
   * The last instruction that a CPU executed before a moment: the moment right before that instruction.
   * @returns undefined when nothing of it is kept
   */
  lastTurnOf(cpu: Cpu, before: number): number | undefined {
    const { machine, history } = this.control;
    if (machine.cpus.length === 1) return before > history.beginning ? before - 1 : undefined;
    let found: number | undefined;
    for (let end = before; end > history.beginning && found === undefined; ) {
      const start = this.control.silently(() => {
        machine.onTurn = (c, _from, to) => {
          if (c === cpu && to <= end && to > _from) found = to - 1;
        };
        try {
          const from = history.restoreBefore(end - 1);
          history.replay(end);
          return from;
        } finally {
          machine.onTurn = undefined;
        }
      });
      end = start;
    }
    return found;
  }

  /**
   * Goes over the past instruction by instruction from `first` (or the beginning of what is kept) to `last`, and leaves the
   * machine there.
   * @param before called before each instruction with the CPU that executes it
   */
  overPast(first: number, last: number, before: (cpu: Cpu) => void): void {
    const { history, machine } = this.control;
    this.control.silently(() => {
      history.goto(Math.max(first, history.beginning));
      while (history.position < last) {
        const cpu = machine.nextCpu();
        if (cpu) before(cpu);
        history.replay(history.position + 1);
      }
    });
  }
}
