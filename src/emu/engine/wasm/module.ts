import { FUNCREF, type Ty, ValType } from './opcodes.ts';

/** A growing byte buffer with the encodings WebAssembly needs. */
export class Bytes {
  private buf = new Uint8Array(1024);
  length = 0;

  /** Appends single bytes. */
  u8(...values: number[]): this {
    for (const v of values) {
      if (this.length === this.buf.length) this.grow(1);
      this.buf[this.length++] = v;
    }
    return this;
  }

  /** Appends an unsigned LEB128 number, 0 <= value < 2^32. */
  uleb(value: number): this {
    let v = value;
    do {
      const byte = v % 128;
      v = Math.floor(v / 128);
      this.u8(v === 0 ? byte : byte | 0x80);
    } while (v !== 0);
    return this;
  }

  /** Appends a signed LEB128 number that fits an i64. */
  sleb(value: bigint | number): this {
    let v = BigInt(value);
    for (;;) {
      const byte = Number(v & 0x7fn);
      v >>= 7n;
      if ((v === 0n && (byte & 0x40) === 0) || (v === -1n && (byte & 0x40) !== 0)) return this.u8(byte);
      this.u8(byte | 0x80);
    }
  }

  /** Appends a name: length, then UTF-8 bytes. */
  name(text: string): this {
    const encoded = new TextEncoder().encode(text);
    return this.uleb(encoded.length).raw(encoded);
  }

  /** Appends bytes as they are. */
  raw(data: Uint8Array): this {
    if (this.length + data.length > this.buf.length) this.grow(data.length);
    this.buf.set(data, this.length);
    this.length += data.length;
    return this;
  }

  /** The bytes written so far. */
  view(): Uint8Array<ArrayBuffer> {
    return this.buf.slice(0, this.length);
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
  readonly body: Uint8Array;
}

/**
 * Assembles a module that imports `env.memory` (of `memoryPages` 64 KiB pages, minimum and maximum), the function table
 * `env.table` (of `tableSize` places) and `imports`, and exports every function of `functions`. Function index space and
 * types: imports first.
 */
export function assembleModule(
  memoryPages: number,
  tableSize: number,
  imports: readonly FuncImport[],
  functions: readonly FuncDef[],
): Uint8Array<ArrayBuffer> {
  const types: FuncType[] = [...imports.map((i) => i.type), ...functions.map((f) => f.type)];
  const out = new Bytes().u8(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
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
    b.uleb(imports.length + 2);
    b.name('env').name('memory').u8(2, 1).uleb(memoryPages).uleb(memoryPages);
    b.name('env').name('table').u8(1, FUNCREF, 0).uleb(tableSize);
    imports.forEach((imp, index) => {
      b.name('env').name(imp.name).u8(0).uleb(index);
    });
  });
  section(3, (b) => {
    b.uleb(functions.length);
    functions.forEach((_, index) => {
      b.uleb(imports.length + index);
    });
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
    for (const f of functions) {
      const body = new Bytes().uleb(f.locals.length);
      for (const l of f.locals) body.uleb(1).u8(ValType[l]);
      body.raw(f.body);
      b.uleb(body.length).raw(body.view());
    }
  });
  return out.view();
}
