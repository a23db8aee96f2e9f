/** Which line of which file an instruction comes from: .debug_line of DWARF 2 to 5, 32-bit format (the standard's chapter 6.2). */
import type { Buffer } from 'node:buffer';
import { debugSections } from './debug-sections.ts';

/** Instructions from an address to another one come from a line. */
export interface LineRange {
  readonly from: bigint;
  /** Behind the last one. */
  readonly to: bigint;
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Opcodes (7.22). */
const STANDARD = { copy: 1, advancePc: 2, advanceLine: 3, setFile: 4, constAddPc: 8, fixedAdvancePc: 9 } as const;
const EXTENDED = { endSequence: 1, setAddress: 2 } as const;
/** Kinds of content, and forms, of file entries of version 5. */
const CONTENT = { path: 1, directory: 2 } as const;
const FORM = { block: 0x09, string: 0x08, strp: 0x0e, udata: 0x0f, data16: 0x1e, lineStrp: 0x1f } as const;
const FIXED: ReadonlyMap<number, number> = new Map([
  [0x0b, 1],
  [0x05, 2],
  [0x06, 4],
  [0x07, 8],
]);

/** A place in a section. Reading outside throws a RangeError: the file is damaged then. */
class Reader {
  at: number;
  private readonly data: Buffer;

  constructor(data: Buffer, at: number) {
    this.data = data;
    this.at = at;
  }

  unsigned(bytes: number): number {
    const v = bytes === 8 ? Number(this.data.readBigUInt64LE(this.at)) : this.data.readUIntLE(this.at, bytes);
    this.at += bytes;
    return v;
  }

  address(): bigint {
    const v = this.data.readBigUInt64LE(this.at);
    this.at += 8;
    return v;
  }

  signedByte(): number {
    return this.data.readInt8(this.at++);
  }

  uleb(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.data.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  sleb(): number {
    let [value, scale] = [0, 1];
    for (;;) {
      const byte = this.data.readUInt8(this.at++);
      value += (byte & 0x7f) * scale;
      scale *= 0x80;
      if (byte < 0x80) return byte & 0x40 ? value - scale : value;
    }
  }

  text(): string {
    const end = this.data.indexOf(0, this.at);
    if (end < 0) throw new RangeError('no end of a text');
    const text = this.data.toString('utf8', this.at, end);
    this.at = end + 1;
    return text;
  }
}

interface Strings {
  readonly str: Buffer;
  readonly lineStr: Buffer;
}

/** Lists of entries of version 5: what each entry has, and the entries. */
function entriesOf(r: Reader, { str, lineStr }: Strings): { path: string; directory: number }[] {
  const formats = Array.from({ length: r.unsigned(1) }, () => [r.uleb(), r.uleb()] as const);
  return Array.from({ length: r.uleb() }, () => {
    const entry = { path: '', directory: 0 };
    for (const [content, form] of formats) {
      let value: string | number = 0;
      if (form === FORM.string) value = r.text();
      else if (form === FORM.lineStrp) value = new Reader(lineStr, r.unsigned(4)).text();
      else if (form === FORM.strp) value = new Reader(str, r.unsigned(4)).text();
      else if (form === FORM.udata) value = r.uleb();
      else if (form === FORM.data16) r.at += 16;
      else if (form === FORM.block) r.at += r.uleb();
      else if (FIXED.has(form)) value = r.unsigned(FIXED.get(form)!);
      else throw new RangeError(`form ${form}`);
      if (content === CONTENT.path) entry.path = String(value);
      if (content === CONTENT.directory) entry.directory = Number(value);
    }
    return entry;
  });
}

const join = (folder: string, name: string): string =>
  name.startsWith('/') || folder === '' || folder === '.' ? name : `${folder}/${name}`;

/** Files by their number, and directories, of the versions before 5. */
function oldFiles(r: Reader): string[] {
  const directories = [''];
  for (let name = r.text(); name !== ''; name = r.text()) directories.push(name);
  const files = [''];
  for (let name = r.text(); name !== ''; name = r.text()) {
    files.push(join(directories[r.uleb()] ?? '', name));
    r.uleb();
    r.uleb();
  }
  return files;
}

function newFiles(r: Reader, strings: Strings): string[] {
  const directories = entriesOf(r, strings).map((d) => d.path);
  const absolute = directories.map((d) => join(directories[0] ?? '', d));
  return entriesOf(r, strings).map(({ path, directory }) => join(absolute[directory] ?? '', path));
}

/** Runs the program of one unit. */
function unitLines(line: Buffer, start: number, strings: Strings, out: LineRange[]): void {
  const r = new Reader(line, start);
  const end = r.unsigned(4) + r.at;
  const version = r.unsigned(2);
  if (version < 2 || version > 5) return;
  if (version >= 5) r.at += 2;
  const headerLength = r.unsigned(4);
  const program = r.at + headerLength;
  const least = r.unsigned(1);
  if (version >= 4) r.at++;
  r.at++;
  const base = r.signedByte();
  const range = r.unsigned(1);
  const special = r.unsigned(1);
  const lengths = Array.from({ length: special - 1 }, () => r.unsigned(1));
  const files = version >= 5 ? newFiles(r, strings) : oldFiles(r);
  r.at = program;
  let state = { address: 0n, file: 1, line: 1 };
  let before: typeof state | undefined;
  const row = (last: boolean): void => {
    if (before && before.address < state.address && before.line > 0) {
      const file = files[before.file];
      if (file) out.push({ from: before.address, to: state.address, file, line: before.line });
    }
    before = last ? undefined : { ...state };
    if (last) state = { address: 0n, file: 1, line: 1 };
  };
  const advance = (operations: number): void => {
    state.address += BigInt(operations * least);
  };
  while (r.at < end) {
    const opcode = r.unsigned(1);
    if (opcode >= special) {
      advance(Math.floor((opcode - special) / range));
      state.line += base + ((opcode - special) % range);
      row(false);
    } else if (opcode === 0) {
      const size = r.uleb();
      const next = r.at + size;
      const code = r.unsigned(1);
      if (code === EXTENDED.endSequence) row(true);
      else if (code === EXTENDED.setAddress && size === 9) state.address = r.address();
      r.at = next;
    } else if (opcode === STANDARD.copy) row(false);
    else if (opcode === STANDARD.advancePc) advance(r.uleb());
    else if (opcode === STANDARD.advanceLine) state.line += r.sleb();
    else if (opcode === STANDARD.setFile) state.file = r.uleb();
    else if (opcode === STANDARD.constAddPc) advance(Math.floor((255 - special) / range));
    else if (opcode === STANDARD.fixedAdvancePc) state.address += BigInt(r.unsigned(2));
    else for (let n = lengths[opcode - 1]!; n > 0; n--) r.uleb();
  }
}

/** The lines of an ELF file, in the order of its table. Without debug information, and from where it is damaged, there are none. */
export function lineRanges(bytes: Uint8Array): LineRange[] {
  const section = debugSections(bytes);
  const line = section('.debug_line');
  const strings = { str: section('.debug_str'), lineStr: section('.debug_line_str') };
  const out: LineRange[] = [];
  try {
    for (let at = 0; at + 4 <= line.length; at += 4 + line.readUInt32LE(at)) unitLines(line, at, strings, out);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  return out;
}
