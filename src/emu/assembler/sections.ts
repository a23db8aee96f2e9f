/** The sections of a source while it is assembled: bytes that grow, and the symbols in them. */
import type { ObjectSection, Relocation } from './object.ts';

const NOP = [0x00, 0x00, 0x40, 0x03];
/** No program of these has more. */
export const MOST_SECTION = 64 << 20;

interface Flags {
  readonly writable: boolean;
  readonly executable: boolean;
  readonly empty: boolean;
}

/** Flags of a section by its name, where none are given. */
function usualFlags(name: string): Flags {
  const begins = (prefix: string): boolean => name === prefix || name.startsWith(`${prefix}.`);
  return {
    writable: ['.data', '.bss', '.sdata', '.sbss'].some(begins),
    executable: begins('.text'),
    empty: begins('.bss') || begins('.sbss'),
  };
}

export class Section {
  readonly name: string;
  readonly flags: Flags;
  readonly relocations: Relocation[] = [];
  align = 1;
  size = 0;
  private bytes = new Uint8Array(256);

  /** @param flags letters, as `.section` has them; undefined: by the name */
  constructor(name: string, flags: string | undefined, empty: boolean) {
    this.name = name;
    const usual = usualFlags(name);
    this.flags =
      flags === undefined ? usual : { writable: flags.includes('w'), executable: flags.includes('x'), empty };
    if (name === '.text') this.align = 4;
  }

  /** Appends bytes, which may be filled in later. @returns where they begin */
  append(bytes: Uint8Array | readonly number[]): number {
    const at = this.size;
    this.grow(bytes.length);
    this.bytes.set(bytes, at);
    return at;
  }

  /** Appends zeros. */
  grow(count: number): void {
    this.size += count;
    if (this.size <= this.bytes.length || this.flags.empty) return;
    const larger = new Uint8Array(Math.max(this.size, 2 * this.bytes.length));
    larger.set(this.bytes);
    this.bytes = larger;
  }

  put(at: number, bytes: readonly number[]): void {
    this.bytes.set(bytes, at);
  }

  /** @param to a power of two @param fill a byte; undefined: `nop` in code, otherwise 0 */
  alignTo(to: number, fill: number | undefined): void {
    this.align = Math.max(this.align, to);
    let count = (to - (this.size % to)) % to;
    if (fill !== undefined || !this.flags.executable) {
      this.append(new Uint8Array(this.flags.empty ? 0 : count).fill(fill ?? 0));
      if (this.flags.empty) this.grow(count);
      return;
    }
    this.grow(count % 4);
    for (count -= count % 4; count > 0; count -= 4) this.append(NOP);
  }

  finish(): ObjectSection {
    const { name, align, size, relocations } = this;
    const { writable, executable, empty } = this.flags;
    return {
      name,
      writable,
      executable,
      align,
      size,
      data: empty ? undefined : this.bytes.slice(0, size),
      relocations,
    };
  }
}
