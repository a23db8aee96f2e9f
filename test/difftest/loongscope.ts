/** The product's side of a differential run. */
import type { EngineKind } from '../../src/emu/machine/processors.ts';
import { TestMachine } from '../support/test-machine.ts';
import {
  AT,
  BUFFER_SIZE,
  END,
  FRAME,
  finished,
  logSize,
  type Outcome,
  type Program,
  STATE_BLOCK,
  type Target,
} from './program.ts';

/** Instructions between looks at PC. */
const SLICE = 4000;
/** A body that has not ended by then never will. */
const LIMIT = 4_000_000;

export class Loongscope implements Target {
  readonly name = 'loongscope';
  private readonly m: TestMachine;

  constructor(engine: EngineKind = 'auto') {
    this.m = new TestMachine({ ramSize: 256 << 20, engine });
    for (const [address, code] of FRAME) this.write(address, new Uint8Array(code.buffer));
  }

  private write(pa: number, data: Uint8Array): void {
    const { machine } = this.m;
    machine.uops.written(pa, data.length);
    machine.ram.write(pa, data);
  }

  private read(pa: number, size: number): Uint8Array {
    return Uint8Array.from(this.m.machine.ram.read(pa, size));
  }

  /** @throws Error when the program does not come to its end */
  async run(program: Program): Promise<Outcome> {
    const { m } = this;
    const code = finished(program.body);
    for (let at = 0; at < code.length * 4; at += 4096)
      this.write(AT.body + at, new Uint8Array(code.buffer).subarray(at, at + 4096));
    this.write(AT.state, program.state);
    for (let at = 0; at < BUFFER_SIZE; at += 4096) this.write(AT.buffer + at, program.buffer.subarray(at, at + 4096));
    m.setHost({ CRMD: 8, ESTAT: 0 });
    m.pc = AT.prologue;
    for (let done = 0; m.pc !== END; done += SLICE) {
      if (done > LIMIT) throw new Error(`loongscope: no end after ${LIMIT} instructions, PC 0x${m.pc.toString(16)}`);
      m.machine.run(SLICE);
    }
    const state = this.read(AT.state, STATE_BLOCK.size);
    return { state, buffer: this.read(AT.buffer, BUFFER_SIZE), log: this.read(AT.log, logSize(state)) };
  }

  async close(): Promise<void> {}
}
