/** The human monitor at a channel: a prompt, lines with an echo, answers. */
import { VERSION } from '../version.ts';
import type { Channel } from './channel.ts';
import type { ControlledMachine } from './controlled-machine.ts';
import { humanCommand } from './human-monitor.ts';

const PROMPT = '(qemu) ';
const KEY = { backspace: 8, delete: 127, lf: 10, cr: 13, controlU: 21 } as const;
/** Longest line. */
const MOST = 4096;

export class HumanSession {
  private readonly machine: ControlledMachine;
  private readonly channel: Channel;
  private line = '';
  private after: number | undefined;

  constructor(machine: ControlledMachine, channel: Channel) {
    this.machine = machine;
    this.channel = channel;
    channel.onPeer = (there) => {
      this.line = '';
      if (there) channel.write(`loongscope ${VERSION} monitor - type 'help' for more information\r\n${PROMPT}`);
    };
    channel.onData = (bytes) => {
      for (const b of bytes) this.key(b);
    };
  }

  private key(b: number): void {
    const before = this.after;
    this.after = b;
    // CR LF, and CR NUL of Telnet, are one end of a line.
    if (before === KEY.cr && (b === KEY.lf || b === 0)) return;
    if (b === KEY.cr || b === KEY.lf) this.enter();
    else if (b === KEY.backspace || b === KEY.delete) this.erase(1);
    else if (b === KEY.controlU) this.erase(this.line.length);
    else if (b >= 0x20 && this.line.length < MOST) {
      const c = String.fromCharCode(b);
      this.line += c;
      this.channel.write(c);
    }
  }

  private erase(count: number): void {
    const n = Math.min(count, this.line.length);
    this.line = this.line.slice(0, this.line.length - n);
    this.channel.write('\b \b'.repeat(n));
  }

  private enter(): void {
    const { line } = this;
    this.line = '';
    this.channel.write(`\r\n${humanCommand(this.machine, line)}${this.machine.control.over ? '' : PROMPT}`);
  }
}
