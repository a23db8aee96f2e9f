/** A Linux on the emulator, spoken to through its console as a person would. */
import { DEFAULT_MACHINE, type MachineCli } from '../../src/cli/options.ts';
import { type Running, start } from '../../src/cli/run.ts';
import { runThreads } from '../../src/cli/run-threads.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { KERNEL } from './images.ts';

/** Keeps the boot short: no self-tests of cryptography, no buffer for devices that cannot reach all memory. */
export const APPEND = 'console=ttyS0,115200 cryptomgr.notests swiotlb=noforce';
/** The shell's prompt; behind it busybox asks where the cursor is. */
export const PROMPT = /(^|\n)# ([^\n]{0,4})$/;
const SHELL_LIMIT_MS = 110_000;

export class LinuxSession {
  private text = '';
  private all = '';
  private count = 0;
  private waiting: { pattern: RegExp; found: (m: RegExpExecArray) => void } | undefined;
  private input: (bytes: Uint8Array) => void = () => {};
  private readonly began = performance.now();
  /** Resolves with the program's exit code. */
  done: Promise<number> = Promise.resolve(-1);

  /**
   * Boots with these options, and waits for the shell.
   * @param show told of console bytes
   * @param until what the console shows when it is there
   */
  static async boot(
    cli: Partial<MachineCli>,
    show: (bytes: Uint8Array) => void = () => {},
    until = PROMPT,
  ): Promise<LinuxSession> {
    const session = new LinuxSession();
    const options: MachineCli = {
      ...DEFAULT_MACHINE,
      memory: 2 ** 30,
      append: APPEND,
      timeout: 300,
      quiet: true,
      ...cli,
    };
    const output = (bytes: Uint8Array): void => {
      show(bytes);
      session.received(Buffer.from(bytes).toString('latin1'));
    };
    if (options.threads)
      session.done = runThreads(KERNEL, options, output, (machine) => {
        machine.expectInput(() => true);
        session.input = (bytes) => {
          machine.input(bytes);
          machine.kick();
        };
      });
    else {
      const running = await start(KERNEL, options, output);
      running.control.expectInput(() => true);
      session.running = running;
      session.machine = running.booted.machine;
      session.input = (bytes) => running.control.input(bytes);
      session.done = running.done;
    }
    await session.expect(until, SHELL_LIMIT_MS);
    session.secondsToShell = (performance.now() - session.began) / 1000;
    return session;
  }

  /** The machine, where it runs on one thread. */
  machine: Machine | undefined;

  /** Its run control and the ports of its gdb server, where it runs on one thread. */
  running: Running | undefined;

  /** Wall time from the start of the program's work to the first prompt. */
  secondsToShell = 0;

  private received(text: string): void {
    this.text += text;
    this.all += text;
    const { waiting } = this;
    const m = waiting?.pattern.exec(this.text);
    if (!waiting || !m) return;
    this.waiting = undefined;
    this.text = this.text.slice(m.index + m[0].length);
    waiting.found(m);
  }

  /** Waits for console output. @throws Error with the last lines when it does not come */
  expect(pattern: RegExp, limitMs = 60_000): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting = undefined;
        reject(
          new Error(`the console did not show ${pattern} in ${limitMs / 1000} s; its end: ${this.all.slice(-2000)}`),
        );
      }, limitMs);
      const found = (m: RegExpExecArray): void => {
        clearTimeout(timer);
        resolve(m);
      };
      this.waiting = { pattern, found };
      void this.done.then((code) => {
        if (this.waiting?.found === found) {
          clearTimeout(timer);
          reject(
            new Error(`the machine ended with ${code} before the console showed ${pattern}: ${this.all.slice(-2000)}`),
          );
        }
      });
      this.received('');
    });
  }

  type(text: string): void {
    this.input(new TextEncoder().encode(text));
  }

  /** Runs a shell command. @returns its output, and its exit status */
  async run(command: string, limitMs?: number): Promise<{ readonly output: string; readonly status: number }> {
    const mark = `end-${++this.count}`;
    this.type(`${command}; echo "$? ${mark}"\n`);
    // A console behind a console adds a carriage return each.
    const m = await this.expect(new RegExp(`([\\s\\S]*?)(\\d+) ${mark}\\r*\\n`), limitMs);
    // What is typed before the prompt is there would be shown twice.
    await this.expect(PROMPT);
    // The shell's echo of what was typed comes first.
    const output = m[1]!.replace(/\r/g, '').replace(/^[^\n]*\n/, '');
    return { output: output.trimEnd(), status: Number(m[2]) };
  }

  /** Everything that the console has shown. */
  get transcript(): string {
    return this.all;
  }

  /** Switches the machine off. @returns the program's exit code */
  async powerOff(): Promise<number> {
    this.type('poweroff -f\n');
    return this.done;
  }
}
