import { FUNCREF, type Ty, ValType } from './opcodes.ts';

/** A byte buffer that grows, with the encodings that WebAssembly needs. */
export class Bytes {
  private buf = new Uint8Array(1024);
  length = 0;

  /** Appends one byte. */
  u8(value: number): this {
    if (this.length === this.buf.length) this.grow(1);
    this.buf[this.length++] = value;
    return this;
  }

  /** Appends an unsigned LEB128 number, 0 <= value < 2^32. */
  uleb(value: number): this {
    let v = value;
    while (v > 0x7f) {
      this.u8((v & 0x7f) | 0x80);
      v = Math.floor(v / 128);
    }
    return this.u8(v);
  }

  /** Appends a signed LEB128 number, −2^53 < value < 2^53. */
  sleb(value: number): this {
    let v = value;
    while (v < -64 || v > 63) {
      this.u8((v & 0x7f) | 0x80);
      v = Math.floor(v / 128);
    }
    return this.u8(v & 0x7f);
  }

  /** Appends a signed LEB128 number that fits an i64. */
  slebWide(value: bigint): this {
    if (value >= -0x1fffffffffffffn && value <= 0x1fffffffffffffn) return this.sleb(Number(value));
    let v = value;
    while (v < -64n || v > 63n) {
      this.u8(Number(v & 0x7fn) | 0x80);
      v >>= 7n;
    }
    return this.u8(Number(v & 0x7fn));
  }

  /** Appends a name: length, then UTF-8 bytes. */
  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.uleb(encoded.length).raw(encoded);
  }

  /** Appends bytes without a change. */
  raw(data: ArrayLike<number>): this {
    if (this.length + data.length > this.buf.length) this.grow(data.length);
    this.buf.set(data, this.length);
    this.length += data.length;
    return this;
  }

  /** The bytes written so far. */
  view(): Uint8Array<ArrayBuffer> {
    return this.buf.slice(0, this.length);
  }

  /** Starts again with the same buffer. */
  clear(): void {
    this.length = 0;
  }

  private grow(need: number): void {
    const bigger = new Uint8Array(Math.max(this.buf.length * 2, this.length + need));
    bigger.set(this.buf);
    this.buf = bigger;
  }
}

/** Signature of a function: parameter and result types. */
export interface FuncType {
  readonly params: readonly Ty[];
  readonly results: readonly Ty[];
}

/** An imported function, `env.<name>`. */
export interface FuncImport {
  readonly name: string;
  readonly type: FuncType;
}

/** A defined and exported function: `locals` follow the parameters, `body` ends with the `end` opcode. */
export interface FuncDef {
  readonly name: string;
  readonly type: FuncType;
  readonly locals: readonly Ty[];
  /** Names of parameters and locals, by index, for people who read the code. */
  readonly names?: readonly (string | undefined)[];
  readonly body: Uint8Array;
}

/** What a module imports and exports. The memory `env.memory` is imported too, of any size. */
export interface ModuleParts {
  /** Do several threads use the memory? */
  readonly shared?: boolean;
  /** Imported function tables, `env.<name>`, of a fixed size. */
  readonly tables: readonly { readonly name: string; readonly size: number }[];
  readonly imports: readonly FuncImport[];
  readonly functions: readonly FuncDef[];
  /** Signatures of indirect calls, in addition to those of imports and functions. */
  readonly types?: readonly FuncType[];
}

const typeKey = (t: FuncType): string => `${t.params.join()}>${t.results.join()}`;

/** The signatures of a module, each once, in the order of first use: first `types`, then imports, then functions. */
export const distinctTypes = ({ types = [], imports, functions }: ModuleParts): FuncType[] => [
  ...new Map(
    [...types, ...imports.map((i) => i.type), ...functions.map((f) => f.type)].map((t) => [typeKey(t), t]),
  ).values(),
];

/** The largest memory with 32-bit addresses, in pages of 64 KiB. */
export const MOST_PAGES = 0x10000;

/** Assembles a module. Function indices: first imports, then functions. Type indices: see {@link ModuleParts.types}. */
export function assembleModule(parts: ModuleParts): Uint8Array<ArrayBuffer> {
  const { shared = false, tables, imports, functions } = parts;
  const types = distinctTypes(parts);
  const indices = new Map(types.map((t, n) => [typeKey(t), n]));
  const typeIndex = (t: FuncType): number => indices.get(typeKey(t))!;
  const out = new Bytes().raw([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
  const section = (id: number, write: (b: Bytes) => void): void => {
    const body = new Bytes();
    write(body);
    out.u8(id).uleb(body.length).raw(body.view());
  };
  section(1, (b) => {
    b.uleb(types.length);
    for (const t of types) {
      b.u8(0x60).uleb(t.params.length);
      for (const p of t.params) b.u8(ValType[p]);
      b.uleb(t.results.length);
      for (const r of t.results) b.u8(ValType[r]);
    }
  });
  section(2, (b) => {
    b.uleb(imports.length + 1 + tables.length);
    b.name('env')
      .name('memory')
      .u8(2)
      .u8(shared ? 3 : 1)
      .uleb(0)
      .uleb(MOST_PAGES);
    for (const t of tables) b.name('env').name(t.name).u8(1).u8(FUNCREF).u8(1).uleb(t.size).uleb(t.size);
    for (const i of imports) b.name('env').name(i.name).u8(0).uleb(typeIndex(i.type));
  });
  section(3, (b) => {
    b.uleb(functions.length);
    for (const f of functions) b.uleb(typeIndex(f.type));
  });
  section(7, (b) => {
    b.uleb(functions.length);
    functions.forEach((f, index) => {
      b.name(f.name)
        .u8(0)
        .uleb(imports.length + index);
    });
  });
  section(10, (b) => {
    b.uleb(functions.length);
    const body = new Bytes();
    for (const f of functions) {
      body.clear();
      writeLocals(body, f.locals);
      b.uleb(body.length + f.body.length)
        .raw(body.view())
        .raw(f.body);
    }
  });
  return out.view();
}

/** Declarations of locals: neighbours of the same type are declared together. */
function writeLocals(b: Bytes, locals: readonly Ty[]): void {
  const runs: { ty: Ty; count: number }[] = [];
  for (const ty of locals) {
    const last = runs.at(-1);
    if (last?.ty === ty) last.count++;
    else runs.push({ ty, count: 1 });
  }
  b.uleb(runs.length);
  for (const run of runs) b.uleb(run.count).u8(ValType[run.ty]);
}
