/** A real gdb, as somebody at a terminal drives it: one command after the other, and Ctrl-C. */
import { type ChildProcess, spawn } from 'node:child_process';

/** gdb prints it when it waits for a command. */
const PROMPT = '<gdb is ready>\n';
const MET = 'all of it is done';
/** gdb needs a long time to read the symbols of a kernel. */
const START_MS = 120_000;

/** What a command came to: gdb's prompt is back, it does not come back, or gdb has ended. */
export type Outcome = 'prompt' | 'hang' | 'ended';

export interface Answered {
  readonly outcome: Outcome;
  readonly output: string;
  /** Ctrl-C was needed to get the prompt back. */
  readonly interrupted: boolean;
}

export class GdbConsole {
  private readonly child: ChildProcess;
  private output = '';
  private over = false;
  private wake: () => void = () => {};

  private constructor(gdb: string, folder: string) {
    // One pipe for stdout and stderr: with two of them their order would be lost.
    this.child = spawn('sh', ['-c', 'exec "$0" -nx -q 2>&1', gdb], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
    this.child.stdout!.setEncoding('latin1').on('data', (text: string) => {
      this.output += text;
      this.wake();
    });
    this.child.stdin!.on('error', () => {});
    this.child.on('exit', () => {
      this.over = true;
      this.wake();
    });
  }

  /** @param setup commands that must answer, before the first one of the session */
  static async start(gdb: string, folder: string, setup: readonly string[]): Promise<GdbConsole> {
    const gdbConsole = new GdbConsole(gdb, folder);
    const words = [
      'pagination off',
      'confirm off',
      'backtrace limit 200',
      'width 0',
      'style enabled off',
      'prompt <gdb is ready>\\n',
    ];
    gdbConsole.child.stdin!.write(words.map((w) => `set ${w}\n`).join(''));
    if (!(await gdbConsole.prompt(START_MS))) throw new Error(`gdb does not start: ${gdbConsole.output}`);
    for (const line of setup) {
      const { outcome, output } = await gdbConsole.run(line, START_MS, 10_000);
      if (outcome !== 'prompt') throw new Error(`gdb's answer to '${line}': ${outcome}: ${output}`);
    }
    return gdbConsole;
  }

  /**
   * Gives one command.
   * @param patienceMs when the prompt is not back after this time, Ctrl-C is pressed
   * @param graceMs the longest time from Ctrl-C to the prompt
   */
  async run(line: string, patienceMs: number, graceMs: number): Promise<Answered> {
    this.output = '';
    if (!this.over) this.child.stdin!.write(`${line}\n`);
    let interrupted = false;
    if (!(await this.prompt(patienceMs)) && !this.over) {
      interrupted = true;
      this.child.kill('SIGINT');
      await this.prompt(graceMs);
    }
    // A Ctrl-C that came too late has been told at gdb's prompt: the command's own answer is still to come, or it is lost.
    if (!interrupted && this.output.replaceAll(PROMPT, '').trim() === 'Quit') await this.meet(patienceMs);
    const done = this.output.includes(PROMPT);
    const outcome = done ? 'prompt' : this.over ? 'ended' : 'hang';
    return { outcome, output: this.output.replaceAll(PROMPT, ''), interrupted };
  }

  /** Waits until gdb has done all that it was given. */
  private async meet(limitMs: number): Promise<void> {
    const limit = Date.now() + limitMs;
    this.child.stdin!.write(`echo ${MET}\\n\n`);
    while (!this.output.includes(`${MET}\n${PROMPT}`) && !this.over && Date.now() < limit)
      await new Promise((resolve) => setTimeout(resolve, 10));
    this.output = this.output.replace(`${MET}\n`, '');
  }

  /** How gdb has ended: a status or a signal; undefined while it runs. */
  get end(): string | undefined {
    if (!this.over) return undefined;
    return this.child.signalCode ?? `status ${this.child.exitCode}`;
  }

  async close(): Promise<void> {
    if (this.over) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }

  /** Waits for the prompt. @returns whether it came in time */
  private async prompt(limitMs: number): Promise<boolean> {
    const limit = Date.now() + limitMs;
    while (!this.output.includes(PROMPT) && !this.over) {
      const left = limit - Date.now();
      if (left <= 0) return false;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.output.includes(PROMPT);
  }
}
