/**
 * Does a CPU spin in long rounds? The machine runs on at full speed, with a breakpoint that nobody else sees: there the registers are
 * compared. When they come back, the accesses of one round are looked at.
 *
 * The breakpoint must be met seldom, or a loop inside the round makes it expensive. So a few instructions are stepped first. When they
 * are rounds of a smaller loop, the registers are compared where that loop is left; and when that is often, too, where the loop around
 * it is left.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { u32At } from '../formats/little-endian.ts';
import { decode } from '../isa/decoder.ts';
import { operandValue } from '../isa/row.ts';
import { runningContext } from './context.ts';
import { readVirtual } from './debug-memory.ts';
import { RegisterState } from './register-state.ts';
import { RoundWatch } from './round-watch.ts';
import { judge, type Spin, type SpinSurroundings, type Trace } from './spin-trace.ts';

/** Instructions that are stepped, and how often one of them is executed in a loop. */
const WINDOW = 144;
const LOOPS = 2;
/** Most loops within each other, and places at which one of them is left. */
const DEEPEST = 4;
const MOST_EXITS = 16;
/** Most looks at the registers at one place. */
const MOST_LOOKS = 256;
/** A round that is looked at may take so many times its length: interrupts come between. */
const SLACK = 3;
const BRANCH = /^(b(eq|ne|lt|ge|ltu|geu)|b(eq|ne|ceq|cne)z)$/;

export class LongSpinTrace implements Trace {
  readonly cpu: Cpu;
  result: Spin | 'no' | undefined;
  private readonly around: SpinSurroundings;
  /** Most instructions of a round. */
  private readonly longest: number;
  private readonly world: number;
  /** Where this part must have ended, in instructions of the CPU. */
  private until: number;
  private depth = 0;
  /** Instructions that are still stepped; 0: it does not step. */
  private stepsLeft = 0;
  /** Those that were stepped: how often each was, and where their branches may go to. */
  private readonly executed = new Map<bigint, number>();
  private readonly targets = new Set<bigint>();
  private pc = 0n;
  private state: RegisterState | undefined;
  private looks = 0;
  /** A breakpoint has been met that ends this part: the machine stands there. */
  private met = false;
  /** Instructions of the CPU when the state was kept, and until it came back. */
  private began = 0;
  private length = 0;
  private watch: RoundWatch | undefined;

  /** @param longest most instructions of a round */
  constructor(cpu: Cpu, around: SpinSurroundings, longest: number) {
    this.cpu = cpu;
    this.around = around;
    this.longest = longest;
    this.world = cpu.world;
    this.until = cpu.position + longest;
    this.stepsLeft = WINDOW;
  }

  get steps(): boolean {
    return this.stepsLeft > 0;
  }

  get rest(): number {
    return this.until - this.cpu.position + 1;
  }

  stepped(): boolean {
    if (this.result === undefined) this.goOn();
    if (this.result === undefined) return true;
    this.close();
    return false;
  }

  close(): void {
    this.unset();
    this.watch?.close();
    this.watch = undefined;
    this.stepsLeft = 0;
  }

  private goOn(): void {
    const { cpu, met } = this;
    this.met = false;
    if (met && this.looks > MOST_LOOKS) {
      this.unset();
      this.state = undefined;
      this.stepsLeft = WINDOW;
    } else if (met && this.state) this.back();
    else if (met) {
      this.unset();
      this.await(cpu.pc);
    } else if (cpu.position > this.until) this.result = 'no';
    else if (this.steps) this.step();
  }

  /** The machine stands where the state has come back. */
  private back(): void {
    const { cpu, world, pc, watch } = this;
    if (watch) {
      this.result = judge(watch, { world, pc, length: this.length });
      return;
    }
    this.length = cpu.position - this.began;
    this.until = cpu.position + SLACK * this.length;
    this.began = cpu.position;
    this.watch = new RoundWatch(cpu, this.around, () => cpu.world === world);
  }

  private step(): void {
    const { cpu, executed, targets } = this;
    // An interrupt: what comes now is another program.
    if (cpu.world !== this.world || cpu.idle) {
      this.result = 'no';
      return;
    }
    const { pc } = cpu;
    const times = (executed.get(pc) ?? 0) + 1;
    executed.set(pc, times);
    if (times === 1) this.branch(pc);
    if (--this.stepsLeft > 0) return;
    const exits = [...targets].filter((to) => !executed.has(to));
    const loops = [...executed.values()].some((n) => n > LOOPS);
    if (!loops) this.await(pc);
    else if (exits.length === 0 || exits.length > MOST_EXITS || ++this.depth > DEEPEST) this.result = 'no';
    else for (const to of exits) this.set(to, () => true);
  }

  /** Where the instruction at `pc` goes to, if it is a branch. */
  private branch(pc: bigint): void {
    const { machine, vcpuStates } = this.around;
    const word = u32At(readVirtual(machine, runningContext(this.cpu, vcpuStates), pc, 4));
    const row = word === undefined ? undefined : decode(word);
    if (!row || !BRANCH.test(row.name)) return;
    const offset = operandValue(row, word!, row.operands.includes('offs21') ? 'offs21' : 'offs16');
    for (const to of [pc + 4n, pc + BigInt(offset)]) this.targets.add(to);
  }

  /** Waits for the state of now at a PC. */
  private await(pc: bigint): void {
    const { cpu } = this;
    const state = new RegisterState(cpu);
    this.pc = pc;
    this.state = state;
    this.looks = 0;
    this.began = cpu.position;
    this.until = this.began + this.longest;
    this.set(pc, () => {
      // It may stand there already.
      if (cpu.position === this.began) return false;
      return ++this.looks > MOST_LOOKS || state.isBack;
    });
  }

  /** @param ends does it end this part? It is asked when the CPU comes to an address of the world */
  private set(va: bigint, ends: () => boolean): void {
    const scope = this.world < 0 ? 'host' : this.world;
    const when = (cpu: Cpu): boolean => {
      if (cpu === this.cpu && !this.met && this.result === undefined && ends()) {
        this.met = true;
        cpu.requestStop();
      }
      return false;
    };
    this.around.comparators.insert({ owner: this, scope, va, hardware: false, when });
  }

  private unset(): void {
    this.around.comparators.remove((b) => b.owner === this);
  }
}
