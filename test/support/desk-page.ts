/** The worker of the page without a browser: the same requests and reports, in Node. */
import { webContent } from '../../scripts/web-content.ts';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import type { MachineView, Report, Request } from '../../src/web/protocol.ts';
import { Desk } from '../../src/web/worker/desk.ts';

const content = webContent().machine;

/** A page that has nothing to look at. */
export class Page {
  private readonly desk = new Desk(nodeRuntime, (report) => this.hear(report));
  private listeners: ((report: Report) => void)[] = [];
  readonly reports: Report[] = [];
  console = '';

  constructor() {
    this.ask({ kind: 'begin', content });
  }

  private hear(report: Report): void {
    // What cannot be copied cannot be sent.
    const copy = structuredClone(report);
    this.reports.push(copy);
    if (copy.kind === 'console') this.console = copy.whole ? copy.text : this.console + copy.text;
    for (const listener of [...this.listeners]) listener(copy);
  }

  ask(request: Request): void {
    this.desk.receive(structuredClone(request));
  }

  /** Waits for the next report of a kind. */
  next<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    return new Promise((resolve) => {
      const listener = (report: Report): void => {
        if (report.kind !== kind) return;
        this.listeners = this.listeners.filter((l) => l !== listener);
        resolve(report as Extract<Report, { kind: K }>);
      };
      this.listeners.push(listener);
    });
  }

  /** Sends a request that ends with a state. */
  async state(request: Request): Promise<MachineView> {
    const state = this.next('state');
    this.ask(request);
    return (await state).state;
  }

  boot(key: string): Promise<MachineView> {
    return this.state({ kind: 'boot', program: { key } });
  }
}
