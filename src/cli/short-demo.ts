/** The tour without gdb: the machine in this process, moved by the packets that gdb would send. */
import { HOST_WORLD, runningContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import { hex } from '../emu/formats/hex.ts';
import { u32At } from '../emu/formats/little-endian.ts';
import { disassemble } from '../emu/isa/disassembler.ts';
import { StubClient } from '../gdbstub/stub-client.ts';
import { DEFAULT_MACHINE, parseGuest } from './options.ts';
import { type Running, start } from './run.ts';
import { Screen } from './screen.ts';
import { SHORT_TOUR, SHORT_TOUR_GUEST, type ShortTourStep, type TourAction } from './short-tour.ts';

const CPU0 = 'p1.1';
/** Width of what gdb's user would type, before the packet that it becomes. */
const WORDS = 32;

const MOVES = { continue: 'vCont;c', stepi: `vCont;s:${CPU0}`, 'reverse-stepi': 'bs' } as const;

/** The machine of the tour, and its client. */
class ShortTour {
  private readonly running: Running;
  private readonly client: StubClient;
  private shown: string[] = [];

  constructor(running: Running) {
    this.running = running;
    this.client = new StubClient({ control: running.control, symbolize: running.symbolize }, (text) =>
      this.shown.push(...text.trimEnd().split('\n')),
    );
  }

  connect(): Promise<void> {
    return this.client.connect();
  }

  async step(step: ShortTourStep): Promise<string[]> {
    this.shown = [];
    for (const action of step.actions) await this.act(action);
    return this.shown;
  }

  private async act(action: TourAction): Promise<void> {
    switch (action.kind) {
      case 'break':
      case 'delete': {
        const { symbol, kind } = action;
        const letter = kind === 'break' ? 'Z' : 'z';
        return this.send(`${kind} ${symbol}`, `${letter}0,${this.addressOf(symbol).toString(16)},4`);
      }
      case 'monitor': {
        this.shown.push(`${`monitor ${action.line}`.padEnd(WORDS)} qRcmd`);
        const text = await this.client.monitor(action.line);
        this.shown.push(
          ...text
            .trimEnd()
            .split('\n')
            .map((line) => `  ${line}`),
        );
        return;
      }
      default:
        await this.send(action.kind, MOVES[action.kind]);
    }
  }

  private async send(words: string, packet: string): Promise<void> {
    const at = this.shown.length;
    const answer = await this.client.ask(packet);
    // Its line comes before what was told meanwhile.
    this.shown.splice(at, 0, `${words.padEnd(WORDS)} ${packet}  ->  ${answer.slice(0, 3)}`);
    if (answer.startsWith('T')) this.shown.push(`  ${this.here()}`);
  }

  private addressOf(symbol: string): bigint {
    const address = this.running.booted.symbols.address(symbol);
    if (address === undefined) throw new Error(`the reference hypervisor has no symbol ${symbol}`);
    return address;
  }

  /** Where CPU 0 is: the world, the address with its name, the instruction. */
  private here(): string {
    const { control, symbolize } = this.running;
    const { machine, vcpuStates } = control;
    const ctx = runningContext(machine.cpus[0]!, vcpuStates);
    const [pc, name] = [ctx.pc(), symbolize(ctx.world, ctx.pc())];
    const word = u32At(readVirtual(machine, ctx, pc, 4));
    const world = ctx.world === HOST_WORLD ? 'host' : `VM ${ctx.world}`;
    return `${world}: ${hex(pc)}${name === undefined ? '' : ` <${name}>`}${word === undefined ? '' : `: ${disassemble(word)}`}`;
  }
}

/** Runs the tour. @param show receives each step, and its lines as one text */
export async function runShortTour(show: (step: ShortTourStep, lines: readonly string[]) => void): Promise<string[]> {
  const screen = new Screen();
  const running = await start(
    undefined,
    { ...DEFAULT_MACHINE, quiet: true, detail: true, serial: { kind: 'null' }, guest: [parseGuest(SHORT_TOUR_GUEST)] },
    (bytes) => screen.write(bytes),
  );
  try {
    await running.booted.named;
    if (!running.control.history.enabled) running.control.history.enable(true);
    const tour = new ShortTour(running);
    await tour.connect();
    for (const step of SHORT_TOUR) show(step, await tour.step(step));
    running.flush();
    return await screen.lines();
  } finally {
    running.control.quit();
    await running.done;
  }
}
