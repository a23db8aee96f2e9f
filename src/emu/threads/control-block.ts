/**
 * The messages between the threads of a machine, in shared memory. Every CPU has a thread; the main thread, the last
 * of the participants, runs the devices. A participant writes a message for another one and rings its bell. Bells are
 * checked between slices of instructions, and whenever a thread waits.
 */

/** Words of the block of a participant. */
const WORD = {
  /** Rings so far. */
  bell: 0,
  /** The command of the main thread to the CPU: {@link COMMAND}. */
  command: 1,
  /** What the CPU is doing: {@link ACTIVITY}. */
  activity: 2,
  /** Number of rings that a sleeping CPU had seen before it went to sleep. */
  heard: 3,
  /** Interrupt lines, as ESTAT.IS bits. */
  lines: 4,
  /** A parked CPU may start, at the address in the next two words. */
  start: 5,
  startLo: 6,
  startHi: 7,
  /** A device access that the main thread carries out: {@link CALL}, then its arguments and its result. */
  call: 8,
  size: 9,
  addressLo: 10,
  addressHi: 11,
  valueLo: 12,
  valueHi: 13,
  answered: 14,
  /** From here on, one word for each requesting participant: the page to give up (coherence.ts); 0: none. */
  requests: 16,
} as const;
const WORDS = 32;
/** Most CPUs: the words and the holder bits of a page have room for 16 participants, and one is the main thread. */
export const MOST_CPU_THREADS = 15;
/** Numbers of a participant: instructions executed, in all and in guest mode, and the tick at which a sleeping CPU wants to wake. */
const NUMBER = { instructions: 0, guestInstructions: 1, deadline: 2 } as const;
const NUMBERS = 4;

export const COMMAND = { run: 0, stop: 1, end: 2 } as const;
export const ACTIVITY = { runs: 0, sleeps: 1, parked: 2, stopped: 3 } as const;
/** State of a device access, or the kind of the requested one. */
export const CALL = { idle: 0, busRead: 1, busWrite: 2, iocsrRead: 3, iocsrWrite: 4, done: 5 } as const;

/** A device access of a CPU. */
export interface DeviceCall {
  readonly kind: number;
  readonly address: number;
  readonly size: number;
  readonly lo: number;
  readonly hi: number;
}

export class ControlBlock {
  readonly buffer: SharedArrayBuffer;
  /** CPUs; the participant of that number is the main thread. */
  readonly cpus: number;
  private readonly words: Int32Array<SharedArrayBuffer>;
  private readonly numbers: Float64Array<SharedArrayBuffer>;
  /** By page of RAM: a bit for each participant that may store to it, and for each that has decoded code of it. */
  readonly stores: Uint16Array<SharedArrayBuffer>;
  readonly code: Uint16Array<SharedArrayBuffer>;

  /** `pages`: pages of RAM that linear memory has room for. `buffer`: one that another thread has made. */
  constructor(cpus: number, pages: number, buffer?: SharedArrayBuffer) {
    const participants = cpus + 1;
    const numbersAt = participants * WORDS * 4;
    const storesAt = numbersAt + participants * NUMBERS * 8;
    this.cpus = cpus;
    this.buffer = buffer ?? new SharedArrayBuffer(storesAt + 4 * pages);
    this.words = new Int32Array(this.buffer, 0, participants * WORDS);
    this.numbers = new Float64Array(this.buffer, numbersAt, participants * NUMBERS);
    this.stores = new Uint16Array(this.buffer, storesAt, pages);
    this.code = new Uint16Array(this.buffer, storesAt + 2 * pages, pages);
  }

  private get(of: number, word: number): number {
    return Atomics.load(this.words, of * WORDS + word);
  }

  private set(of: number, word: number, value: number): void {
    Atomics.store(this.words, of * WORDS + word, value);
  }

  /** Rings of a participant's bell so far. */
  bell(of: number): number {
    return this.get(of, WORD.bell);
  }

  ring(of: number): void {
    const i = of * WORDS + WORD.bell;
    Atomics.add(this.words, i, 1);
    Atomics.notify(this.words, i);
  }

  /** Sleeps until the bell has rung more often than `heard`, or for so many milliseconds. */
  sleep(of: number, heard: number, milliseconds = Number.POSITIVE_INFINITY): void {
    Atomics.wait(this.words, of * WORDS + WORD.bell, heard, milliseconds);
  }

  /** The same without blocking the thread. */
  async ringing(of: number, heard: number, milliseconds: number): Promise<void> {
    await Atomics.waitAsync(this.words, of * WORDS + WORD.bell, heard, milliseconds).value;
  }

  command(cpu: number): number {
    return this.get(cpu, WORD.command);
  }

  /** Gives a CPU a command. */
  order(cpu: number, command: number): void {
    this.set(cpu, WORD.command, command);
    this.ring(cpu);
  }

  activity(cpu: number): number {
    return this.get(cpu, WORD.activity);
  }

  setActivity(cpu: number, activity: number): void {
    this.set(cpu, WORD.activity, activity);
  }

  /** A CPU goes to sleep: it has nothing to do before tick `deadline`, unless its bell rings more often than `heard`. */
  lieDown(cpu: number, activity: number, deadline: number, heard: number): void {
    this.numbers[cpu * NUMBERS + NUMBER.deadline] = deadline;
    this.set(cpu, WORD.heard, heard);
    this.set(cpu, WORD.activity, activity);
  }

  /** Is the CPU asleep, and can nothing inside the machine wake it? */
  sleepsForEver(cpu: number): boolean {
    const activity = this.activity(cpu);
    const asleep = activity === ACTIVITY.parked || activity === ACTIVITY.sleeps;
    return (
      asleep &&
      this.numbers[cpu * NUMBERS + NUMBER.deadline] === Number.POSITIVE_INFINITY &&
      this.get(cpu, WORD.heard) === this.bell(cpu)
    );
  }

  lines(cpu: number): number {
    return this.get(cpu, WORD.lines);
  }

  /** A physical interrupt line of a CPU rises or falls. */
  setLine(cpu: number, bit: number, level: boolean): void {
    const i = cpu * WORDS + WORD.lines;
    const before = level ? Atomics.or(this.words, i, 1 << bit) : Atomics.and(this.words, i, ~(1 << bit));
    if (((before >>> bit) & 1) !== (level ? 1 : 0)) this.ring(cpu);
  }

  /** A parked CPU may start. */
  start(cpu: number, entryLo: number, entryHi: number): void {
    this.set(cpu, WORD.startLo, entryLo);
    this.set(cpu, WORD.startHi, entryHi);
    this.set(cpu, WORD.start, 1);
    this.ring(cpu);
  }

  /** Start address of a parked CPU; undefined while it must wait. */
  startAddress(cpu: number): { readonly lo: number; readonly hi: number } | undefined {
    if (this.get(cpu, WORD.start) === 0) return undefined;
    return { lo: this.get(cpu, WORD.startLo), hi: this.get(cpu, WORD.startHi) };
  }

  /** Hands a device access of a CPU to the main thread. */
  call(cpu: number, c: DeviceCall): void {
    this.set(cpu, WORD.addressLo, c.address | 0);
    this.set(cpu, WORD.addressHi, Math.floor(c.address / 0x100000000));
    this.set(cpu, WORD.size, c.size);
    this.set(cpu, WORD.valueLo, c.lo);
    this.set(cpu, WORD.valueHi, c.hi);
    this.set(cpu, WORD.call, c.kind);
    this.ring(this.cpus);
  }

  /** The device access that a CPU waits for. */
  pendingCall(cpu: number): DeviceCall | undefined {
    const kind = this.get(cpu, WORD.call);
    if (kind === CALL.idle || kind === CALL.done) return undefined;
    return {
      kind,
      address: (this.get(cpu, WORD.addressLo) >>> 0) + this.get(cpu, WORD.addressHi) * 0x100000000,
      size: this.get(cpu, WORD.size),
      lo: this.get(cpu, WORD.valueLo),
      hi: this.get(cpu, WORD.valueHi),
    };
  }

  /** Ends a device access. `answered`: a device was at that address. */
  answer(cpu: number, answered: boolean, lo: number, hi: number): void {
    this.set(cpu, WORD.valueLo, lo);
    this.set(cpu, WORD.valueHi, hi);
    this.set(cpu, WORD.answered, answered ? 1 : 0);
    this.set(cpu, WORD.call, CALL.done);
    this.ring(cpu);
  }

  isAnswered(cpu: number): boolean {
    return this.get(cpu, WORD.call) === CALL.done;
  }

  /** Result of the last device access. */
  result(cpu: number): { readonly answered: boolean; readonly lo: number; readonly hi: number } {
    const lo = this.get(cpu, WORD.valueLo);
    return { answered: this.get(cpu, WORD.answered) === 1, lo, hi: this.get(cpu, WORD.valueHi) };
  }

  /** The request of `from` to `of`; 0 when there is none. */
  request(of: number, from: number): number {
    return this.get(of, WORD.requests + from);
  }

  /** Makes a request to another participant. */
  ask(of: number, from: number, request: number): void {
    this.set(of, WORD.requests + from, request);
    this.ring(of);
  }

  /** Ends the request of `from` to `of`. */
  grant(of: number, from: number): void {
    this.set(of, WORD.requests + from, 0);
    this.ring(from);
  }

  /** Publishes the instruction counts of a CPU. */
  progress(cpu: number, instructions: number, guestInstructions: number): void {
    this.numbers[cpu * NUMBERS + NUMBER.instructions] = instructions;
    this.numbers[cpu * NUMBERS + NUMBER.guestInstructions] = guestInstructions;
  }

  instructions(cpu: number): number {
    return this.numbers[cpu * NUMBERS + NUMBER.instructions]!;
  }

  guestInstructions(cpu: number): number {
    return this.numbers[cpu * NUMBERS + NUMBER.guestInstructions]!;
  }

  /** Power-on, while all CPUs are stopped: no lines, no starts, no accesses, and no holder of any page. */
  reset(): void {
    for (let cpu = 0; cpu < this.cpus; cpu++)
      for (const word of [WORD.lines, WORD.start, WORD.call]) this.set(cpu, word, 0);
    this.stores.fill(0);
    this.code.fill(0);
  }
}
