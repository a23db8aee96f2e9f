/** Exceptions and world switches with their moments, so that the user can go back to each. */
import type { EventRecord } from '../../emu/cpu/event-ring.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';

/** So many are kept, the newest. */
const MOST = 500;

export interface LoggedEvent {
  /** Instructions of the machine at the event. */
  readonly at: number;
  readonly record: EventRecord;
}

export class EventLog {
  private readonly events: LoggedEvent[] = [];

  constructor(control: RunControl) {
    for (const cpu of control.machine.cpus) {
      const note = (): void => {
        const record = control.repeating ? undefined : cpu.events.at(0);
        if (record) this.put({ at: control.position(), record });
      };
      cpu.observe({ exception: note, entered: note });
    }
  }

  private put(event: LoggedEvent): void {
    const { events } = this;
    while (events.length > 0 && events.at(-1)!.at > event.at) events.pop();
    if (events.length >= 2 * MOST) events.splice(0, MOST);
    events.push(event);
  }

  /** The newest ones, oldest first; also those that lie ahead of a machine that has gone back. */
  list(): readonly LoggedEvent[] {
    return this.events.slice(-MOST);
  }
}
