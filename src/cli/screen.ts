import xterm from '@xterm/headless';

/** A terminal without a window: the visible text of the guest's console. */
export class Screen {
  private readonly terminal = new xterm.Terminal({ cols: 120, rows: 40, scrollback: 10_000, allowProposedApi: true });

  /** Console bytes. */
  write(bytes: Uint8Array): void {
    this.terminal.write(bytes);
  }

  /** The lines on the screen and above it, without trailing blanks and empty lines at the end. */
  async lines(): Promise<string[]> {
    await new Promise<void>((resolve) => this.terminal.write('', resolve));
    const { active } = this.terminal.buffer;
    const out: string[] = [];
    for (let y = 0; y < active.length; y++) out.push(active.getLine(y)!.translateToString(true));
    while (out.length && out.at(-1) === '') out.pop();
    return out;
  }
}
