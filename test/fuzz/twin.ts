/**
 * Two machines that differ in nothing that a guest may see, and in everything that it must not: the host's clocks and random
 * numbers, linear memory beside the RAM, what lies on the host behind the end of a disk. The same input drives both. Where
 * anything that a guest sees differs afterwards, it sees a secret.
 */

import { isDeepStrictEqual } from 'node:util';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { differences } from '../../src/emu/check/state-digest.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { Machine, type MachineOptions } from '../../src/emu/machine/machine.ts';
import { CSR_LIMIT, STATE } from '../../src/emu/memory/layout.ts';
import { type Stateful, saveFields } from '../../src/emu/state/fields.ts';
import { Input } from './input.ts';
import { Fault } from './oracle.ts';

export const RAM_SIZE = 2 << 20;
const CHUNK = 1 << 20;
/** Operations of one input. */
const MOST_OPERATIONS = 200;
/** Executions between comparisons of the digests, which take longer than those of every execution. */
const DIGEST_EVERY = 64;

export type Which = 0 | 1;

/** One of the two: what is done to it is noted with what comes of it. */
export class Side {
  readonly which: Which;
  readonly machine: Machine;
  /** What the guest, or the world outside, has seen. */
  readonly seen: number[] = [];
  private readonly begin: ReturnType<Machine['save']>;

  /** @param setUp what a driver would do first @param options given the function that notes what leaves the machine */
  constructor(
    which: Which,
    options: (which: Which, leaves: (byte: number) => void) => Partial<MachineOptions>,
    setUp: (side: Side) => void,
  ) {
    this.which = which;
    this.machine = new Machine({
      runtime: nodeRuntime,
      ramSize: RAM_SIZE,
      cpus: 1,
      features: featuresOf('max', {}),
      seed: 1,
      engine: 'interpreter',
      console: (b) => this.seen.push(b),
      ...options(which, (b) => this.seen.push(b)),
    });
    const { machine } = this;
    const image = {
      entry: 0x10000n,
      segments: [{ paddr: 0x10000n, vaddr: 0x10000n, memsz: 4, data: new Uint8Array(4) }],
    };
    machine.load({ image, commandLine: '', extra: [] });
    for (let pa = 0; pa < RAM_SIZE; pa += CHUNK) machine.ram.linearAddress(pa);
    const end = Math.max(...machine.ram.touchedChunks().map(([, bytes]) => bytes.byteOffset + bytes.length));
    machine.mem.u8.fill(which === 0 ? 0 : 0xa5, end);
    setUp(this);
    this.begin = machine.save();
  }

  reset(): void {
    this.machine.restore(this.begin);
    this.machine.clearStops();
    this.seen.length = 0;
  }

  /** Lets devices finish what they have left for later: the guest stands still until then. */
  settle(): void {
    this.machine.settle();
  }

  read(pa: number, size: number): number {
    const { bus } = this.machine;
    const answered = bus.read(pa, size);
    this.seen.push(Number(answered), bus.lo, bus.hi);
    return bus.lo;
  }

  write(pa: number, size: number, lo: number, hi = 0): void {
    this.seen.push(Number(this.machine.bus.write(pa, size, lo | 0, hi | 0)));
  }

  /** Puts bytes into RAM; what would lie outside is left out. */
  poke(pa: number, bytes: Uint8Array): void {
    const { ram } = this.machine;
    if (ram.covers(pa, bytes.length)) ram.write(pa, bytes);
  }
}

/** Host functions that tell of the host, and what they say on each side. */
function inHost<T>(which: Which, body: () => T): T {
  const { now } = Date;
  const { random } = Math;
  const clock = performance.now;
  let calls = 0;
  Date.now = () => [1e12, 17e11][which]! + (which + 1) * 977 * ++calls;
  Math.random = () => [0.25, 0.75][which]!;
  performance.now = () => [1, 5e6][which]! + (which + 1) * ++calls;
  try {
    return body();
  } finally {
    Date.now = now;
    Math.random = random;
    performance.now = clock;
  }
}

/** Devices alone: no instruction runs, and what a CPU consists of is large. The digests cover it. */
function deviceParts(machine: Machine): Stateful[] {
  const ofCpus = new Set<Stateful>(
    machine.cpus.flatMap((c) => [c, c.hostTimer, c.guestTimer, c.htlb, c.gtlb, c.events, c.writers]),
  );
  return machine.parts().filter((part) => !ofCpus.has(part));
}

export class Twin {
  private readonly sides: readonly [Side, Side];
  private executions = 0;

  constructor(
    options: (which: Which, leaves: (byte: number) => void) => Partial<MachineOptions> = () => ({}),
    setUp: (side: Side) => void = () => {},
  ) {
    const make = (which: Which): Side => inHost(which, () => new Side(which, options, setUp));
    this.sides = [make(0), make(1)];
  }

  /** Both sides go through the operations that an input stands for. @throws Fault when they differ afterwards */
  run(data: Uint8Array, operation: (side: Side, input: Input) => void): void {
    for (const side of this.sides)
      inHost(side.which, () => {
        side.reset();
        const input = new Input(data);
        for (let n = 0; n < MOST_OPERATIONS && input.more; n++) {
          operation(side, input);
          side.settle();
        }
      });
    this.compare();
  }

  private compare(): void {
    const [a, b] = this.sides;
    const wrong: string[] = [];
    if (!isDeepStrictEqual(a.seen, b.seen)) wrong.push('what was read');
    const parts = deviceParts(b.machine);
    deviceParts(a.machine).forEach((part, n) => {
      if (!isDeepStrictEqual(saveFields(part), saveFields(parts[n]!))) wrong.push(part.constructor.name);
    });
    const bytes = ({ machine }: Side, at: number, size: number): Uint8Array => machine.mem.u8.subarray(at, at + size);
    const chunks = b.machine.ram.touchedChunks();
    a.machine.ram.touchedChunks().forEach(([pa, content], n) => {
      if (Buffer.compare(content, chunks[n]![1]) !== 0) wrong.push(`RAM from ${pa}`);
    });
    a.machine.cpus.forEach((cpu, n) => {
      const of = (side: Side, base: number): Uint8Array => bytes(side, base + STATE.hostCsr, 8 * CSR_LIMIT);
      if (Buffer.compare(of(a, cpu.base), of(b, b.machine.cpus[n]!.base)) !== 0) wrong.push(`CSRs of cpu${n}`);
    });
    if (++this.executions % DIGEST_EVERY === 1) wrong.push(...differences(a.machine, b.machine));
    if (wrong.length > 0) throw new Fault(`the guest sees what it must not: ${wrong.join(', ')}`);
  }
}
