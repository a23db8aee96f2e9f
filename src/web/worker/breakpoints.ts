/** The breakpoints of the page. They stay when gdb has the machine for a while. */
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { hex } from '../../emu/formats/hex.ts';
import type { StubClient } from '../../gdbstub/stub-client.ts';
import type { ImageSymbols } from '../../hv/awareness/descriptor.ts';
import type { BreakpointView } from '../protocol.ts';

export class Breakpoints {
  private readonly symbolize: Symbolizer;
  private readonly symbols: ImageSymbols;
  private readonly list = new Map<string, BreakpointView>();

  constructor(symbolize: Symbolizer, symbols: ImageSymbols) {
    this.symbolize = symbolize;
    this.symbols = symbols;
  }

  /**
   * Sets a breakpoint, or removes it.
   * @param at an address, `0x…`, or a symbol of the image
   * @returns what is wrong with it, as a line
   */
  async set(at: string, on: boolean, stub: StubClient): Promise<string | undefined> {
    const address = /^0x[0-9a-f]{1,16}$/i.test(at) ? BigInt(at) : this.symbols.address(at);
    if (address === undefined) return `there is no symbol '${at}': write an address as 0x…, or a function's name\n`;
    if (address % 4n !== 0n) return `${at} is no place of an instruction: those are multiples of 4\n`;
    const key = hex(address);
    if (on === this.list.has(key)) return undefined;
    await stub.ask(`${on ? 'Z' : 'z'}0,${address.toString(16)},4`);
    if (on) this.list.set(key, { address: key, name: this.symbolize(-1, address) ?? key });
    else this.list.delete(key);
    return undefined;
  }

  /** Sets all of them, of a client that has just come. */
  async insertAll(stub: StubClient): Promise<void> {
    for (const key of this.list.keys()) await stub.ask(`Z0,${key.slice(2)},4`);
  }

  views(): BreakpointView[] {
    return [...this.list.values()];
  }
}
