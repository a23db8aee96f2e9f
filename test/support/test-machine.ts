/** A machine for unit tests: assembly text in, registers out. */

import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import type { BoardModel } from '../../src/emu/board/platform.ts';
import type { Cpu } from '../../src/emu/cpu/cpu.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { type CpuModel, type FeatureName, featuresOf } from '../../src/emu/cpu/features.ts';
import { GPR_NAMES, type OperandName } from '../../src/emu/isa/operands.ts';
import { encodeRow } from '../../src/emu/isa/row.ts';
import { ROWS } from '../../src/emu/isa/table/index.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { watchIfAsked } from './observers.ts';

const byName = new Map(ROWS.map((r) => [r.name, r]));

/** Register number of `$a0` or `$r4`. */
export function register(text: string): number {
  const name = text.replace('$', '');
  const n = (GPR_NAMES as readonly string[]).indexOf(name);
  if (n >= 0) return n;
  const m = /^r(\d+)$/.exec(name);
  if (!m) throw new Error(`no register '${text}'`);
  return Number(m[1]);
}

/** Number of a register of any kind: `$a0`, `$f3`, `$vr3`, `$xr3`, `$fcc1`, `$fcsr0`. */
function registerNumber(text: string): number {
  const m = /^\$(?:f|fcc|fcsr|vr|xr|scr)(\d+)$/.exec(text);
  return m ? Number(m[1]) : register(text);
}

/** One instruction as a word. Operands are registers, numbers or CSR names; branch targets are byte offsets. */
export function assemble(line: string): number {
  const [name, ...rest] = line.trim().split(/\s+/);
  if (name === '.word') return Number(rest[0]) >>> 0;
  const row = byName.get(name!);
  if (!row) throw new Error(`no instruction '${name}'`);
  const texts = rest.join('').split(',').filter(Boolean);
  if (texts.length !== row.operands.length) throw new Error(`${line}: ${row.operands.length} operands expected`);
  const values: Partial<Record<OperandName, number>> = {};
  row.operands.forEach((o, i) => {
    const text = texts[i]!;
    if (text.startsWith('$')) values[o] = registerNumber(text);
    else values[o] = o === 'csr' && text in CSR ? CSR[text as keyof typeof CSR] : Number(text);
  });
  return encodeRow(row, values);
}

export const CODE = 0x10000;

export class TestMachine {
  readonly machine: Machine;
  readonly cpu: Cpu;
  readonly output: number[] = [];

  constructor(
    options: {
      ramSize?: number;
      linearRam?: number | undefined;
      cpus?: number;
      model?: CpuModel;
      features?: Partial<Record<FeatureName, boolean>>;
      engine?: EngineKind;
      board?: BoardModel;
      code?: readonly string[];
    } = {},
  ) {
    this.machine = new Machine({
      runtime: nodeRuntime,
      ramSize: options.ramSize ?? 32 << 20,
      linearRam: options.linearRam,
      cpus: options.cpus ?? 1,
      features: featuresOf(options.model ?? 'max', options.features ?? {}),
      seed: 7,
      engine: options.engine ?? 'auto',
      model: options.board,
      console: (b) => this.output.push(b),
    });
    watchIfAsked(this.machine);
    const data = new Uint8Array(4);
    const image = { entry: BigInt(CODE), segments: [{ paddr: BigInt(CODE), vaddr: BigInt(CODE), memsz: 4, data }] };
    this.machine.load({ image, commandLine: '', extra: [] });
    this.cpu = this.machine.cpus[0]!;
    for (let n = 1; n < 32; n++) this.cpu.setGpr(n, 0n);
    if (options.code) this.code(CODE, options.code);
  }

  /** Puts instructions at a physical address. */
  code(pa: number, lines: readonly string[]): this {
    const words = Uint32Array.from(lines.map(assemble));
    this.machine.uops.written(pa, words.byteLength);
    this.machine.ram.write(pa, new Uint8Array(words.buffer));
    return this;
  }

  /** Writes 64-bit words to physical memory. */
  poke(pa: number, ...values: bigint[]): this {
    const words = BigUint64Array.from(values.map((v) => BigInt.asUintN(64, v)));
    this.machine.ram.write(pa, new Uint8Array(words.buffer));
    return this;
  }

  peek(pa: number): bigint {
    const b = this.machine.ram.read(pa, 8);
    return new DataView(b.buffer, b.byteOffset, 8).getBigUint64(0, true);
  }

  set(values: Readonly<Record<string, bigint | number>>): this {
    for (const [r, v] of Object.entries(values)) this.cpu.setGpr(register(r), BigInt(v));
    return this;
  }

  get(r: string): bigint {
    return this.cpu.gpr(register(r));
  }

  /** Runs exactly `n` instructions (fewer when the CPU idles). */
  run(n: number): this {
    for (let left = n; left > 0; ) {
      const before = this.cpu.icount;
      this.machine.run(left);
      const done = this.cpu.icount - before;
      if (done === 0) break;
      left -= done;
    }
    return this;
  }

  /** Low 64 bits of a floating-point register. */
  fpr(n: number): bigint {
    return this.cpu.mem.u64[(this.cpu.base + STATE.fpr + n * 32) >> 3]!;
  }

  setFpr(n: number, value: bigint): this {
    this.cpu.mem.u64[(this.cpu.base + STATE.fpr + n * 32) >> 3] = BigInt.asUintN(64, value);
    return this;
  }

  host(num: number): bigint {
    return this.cpu.host.get(num);
  }

  guest(num: number): bigint {
    return this.cpu.guest.get(num);
  }

  setHost(values: Readonly<Partial<Record<keyof typeof CSR, bigint | number>>>): this {
    for (const [name, v] of Object.entries(values)) this.cpu.host.put(CSR[name as keyof typeof CSR], BigInt(v));
    this.cpu.fast.clearAll();
    this.cpu.contextChanged();
    return this;
  }

  setGuest(values: Readonly<Partial<Record<keyof typeof CSR, bigint | number>>>): this {
    for (const [name, v] of Object.entries(values)) this.cpu.guest.put(CSR[name as keyof typeof CSR], BigInt(v));
    this.cpu.fast.clearAll();
    this.cpu.contextChanged();
    return this;
  }

  get pc(): number {
    return Number(this.cpu.pc);
  }

  set pc(value: number) {
    this.cpu.pc = BigInt(value);
  }

  /** Ecode in ESTAT of the host or the guest bank. */
  ecode(guest = false): number {
    return Number(((guest ? this.guest(CSR.ESTAT) : this.host(CSR.ESTAT)) >> 16n) & 0x3fn);
  }
}
