/** A client of gdb's debug adapter (`gdb -i dap`): what an editor such as Zed or Neovim says. */
import { execa } from 'execa';

/** A response or an event of the adapter. */
export interface DapMessage {
  readonly type: 'response' | 'event';
  readonly command?: string;
  readonly event?: string;
  readonly success?: boolean;
  readonly message?: string;
  readonly body?: Readonly<Record<string, unknown>>;
}

const HEADER_END = '\r\n\r\n';

export class DapClient {
  /** Everything that the adapter has said. */
  readonly messages: DapMessage[] = [];
  private readonly child;
  private pending = Buffer.alloc(0);
  private sequence = 0;
  private ended = false;
  private notify = (): void => {};

  /** @param gdb the program. @param cwd where it finds files */
  constructor(gdb: string, cwd: string) {
    this.child = execa(gdb, ['-nx', '-q', '-i', 'dap'], { cwd, reject: false, buffer: false });
    this.child.stdout.on('data', (bytes: Buffer) => this.take(bytes));
    void this.child.then(() => {
      this.ended = true;
      this.notify();
    });
  }

  /** Sends a request, without waiting for its response. */
  send(command: string, args: Readonly<Record<string, unknown>> = {}): void {
    const text = JSON.stringify({ seq: ++this.sequence, type: 'request', command, arguments: args });
    this.child.stdin.write(`Content-Length: ${Buffer.byteLength(text)}${HEADER_END}${text}`);
  }

  /** Sends a request. @returns its response. @throws Error with what the adapter says, when it refuses */
  async ask(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<DapMessage> {
    this.send(command, args);
    const response = await this.next((m) => m.type === 'response' && m.command === command);
    if (response.success !== true) throw new Error(`${command}: ${response.message}`);
    return response;
  }

  /** The next message that is wanted; each is given once. @throws Error when gdb has ended without it */
  async next(wanted: (message: DapMessage) => boolean): Promise<DapMessage> {
    for (;;) {
      const at = this.messages.findIndex(wanted);
      if (at >= 0) return this.messages.splice(at, 1)[0]!;
      if (this.ended) throw new Error('gdb has ended');
      await new Promise<void>((resolve) => {
        this.notify = resolve;
      });
    }
  }

  /** Ends the session, and waits for gdb. */
  async end(): Promise<void> {
    this.send('disconnect', { terminateDebuggee: false });
    await this.child;
  }

  private take(bytes: Buffer): void {
    this.pending = Buffer.concat([this.pending, bytes]);
    for (;;) {
      const header = this.pending.indexOf(HEADER_END);
      if (header < 0) break;
      const length = Number(/Content-Length: (\d+)/.exec(this.pending.subarray(0, header).toString())![1]);
      const begin = header + HEADER_END.length;
      if (this.pending.length < begin + length) break;
      this.messages.push(JSON.parse(this.pending.subarray(begin, begin + length).toString()) as DapMessage);
      this.pending = this.pending.subarray(begin + length);
    }
    this.notify();
  }
}
