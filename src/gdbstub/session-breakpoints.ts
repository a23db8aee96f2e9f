/** The breakpoints of one client. */
import type { Cpu } from '../emu/cpu/cpu.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { Stop } from '../emu/debug/stop.ts';
import { walk } from '../emu/debug/walk.ts';
import { hex } from '../emu/formats/hex.ts';
import type { Machine } from '../emu/machine/machine.ts';
import type { BreakpointCode } from './agent-expression.ts';
import { neverHit } from './announcement.ts';
import { type ConditionTarget, commandsOf, conditionOf } from './condition.ts';
import type { StepJournal } from './step-journal.ts';
import type { TargetSettings } from './target.ts';
import type { ThreadSelection } from './thread-selection.ts';

/** The largest number of places that are remembered for breakpoints by physical address. */
const MOST_PLACES = 10_000;

/** Instructions begin at multiples of 4: a fetch from elsewhere is an exception (ADEF). */
const isPlaceOfCode = (va: bigint): boolean => (va & 3n) === 0n;

export interface BreakpointParts {
  /** The owner of the breakpoints. */
  readonly owner: object;
  readonly control: RunControl;
  readonly selection: ThreadSelection;
  readonly settings: TargetSettings;
  /** Receives the software breakpoints. */
  readonly journal: StepJournal;
  /** Tells a line of a command. @returns whether the machine may go on */
  readonly tell: (text: string) => boolean;
}

export class SessionBreakpoints implements ConditionTarget {
  readonly control: RunControl;
  readonly machine: Machine;
  /** The physical addresses of breakpoints when they were first set, with `bp-by physical`. */
  readonly places = new Map<string, number>();
  /** The number of operations in conditions since a CPU was last asked to stop soon because of them. */
  conditionWork = 0;
  private readonly parts: BreakpointParts;
  /** Addresses at which no instruction begins, and those of them that the user has been told of. */
  private readonly misplaced = new Set<bigint>();
  private readonly toldMisplaced = new Set<bigint>();
  /** The breakpoint without a command that the user was told of last. */
  private toldOf: bigint | undefined;

  constructor(parts: BreakpointParts) {
    this.parts = parts;
    this.control = parts.control;
    this.machine = parts.control.machine;
  }

  /**
   * Inserts a breakpoint for the selected process.
   * @param code its conditions (it stops when one of them is not 0), and what it does in the place of a stop
   * @throws Error when breakpoints go by physical address and this address has no translation
   */
  insert(va: bigint, hardware: boolean, code: BreakpointCode): void {
    // gdb says of a refusal that memory cannot be accessed there, then resumes no more, and may abort.
    if (!isPlaceOfCode(va)) {
      this.misplaced.add(va);
      return;
    }
    const { owner, selection, settings, journal } = this.parts;
    const pa = settings.breakByPhysical ? this.physicalPlace(va) : undefined;
    this.control.comparators.insert({
      owner,
      scope: selection.scope,
      va,
      hardware,
      ...(pa !== undefined && { pa }),
      ...(settings.breakInAsid !== undefined && { asid: settings.breakInAsid }),
      ...(code.conditions.length + code.commands.length > 0 && { when: this.decisionOf(code) }),
    });
    if (!hardware) journal.inserts(selection.current.pid, va);
  }

  /** Does a hit stop the machine? One with commands does these instead, but not while a replay looks for something. */
  private decisionOf({ conditions, commands }: BreakpointCode): (cpu: Cpu) => boolean {
    const met = conditions.length > 0 ? conditionOf(this, conditions) : () => true;
    if (commands.length === 0) return met;
    const { control } = this;
    const act = commandsOf(this, commands, this.parts.tell);
    return (cpu) => {
      if (control.pending.silent || !met(cpu) || act(cpu)) return false;
      control.defer(cpu, () => control.interrupt());
      return false;
    };
  }

  /**
   * The machine goes on from a stop that gdb has not shown to the user. It steps over its breakpoints itself, but not over a dprintf of
   * the style `agent` whose expressions it could not translate: it would be at the same stop for ever.
   */
  leave(stop: Stop | undefined): void {
    if (stop?.kind !== 'breakpoint' || stop.cpu.pc !== stop.va) return;
    const { comparators, hooks } = this.control;
    const { owner, tell } = this.parts;
    const here = comparators.at(stop.va, stop.world, stop.cpu, stop.pa);
    if (!here.some((b) => b.owner === owner && !b.hardware)) return;
    hooks.passOnce(stop.cpu);
    if (stop.va === this.toldOf) return;
    this.toldOf = stop.va;
    tell(
      `gdb has sent no command for the breakpoint at ${hex(stop.va)}: it cannot translate its expressions for the target (an array, as one): 'set dprintf-style gdb'\n`,
    );
  }

  /** What to say when the machine runs: a line for each breakpoint that cannot be hit. It is said once. */
  tellMisplaced(): string {
    const lines = [...this.misplaced].filter((va) => !this.toldMisplaced.has(va));
    for (const va of lines) this.toldMisplaced.add(va);
    return lines.map(neverHit).join('');
  }

  /** Removes the breakpoint of the selected process at an address. */
  remove(va: bigint, hardware: boolean): void {
    this.misplaced.delete(va);
    const { owner, selection, journal } = this.parts;
    const guest = selection.current.vm;
    this.control.comparators.remove(
      (b) =>
        b.owner === owner &&
        b.va === va &&
        b.hardware === hardware &&
        (guest === undefined ? typeof b.scope !== 'number' : b.scope === guest),
    );
    if (!hardware) journal.removes(selection.current.pid, va);
  }

  /**
   * The physical address of an address when a breakpoint was first set there. gdb inserts its breakpoints again at each
   * resume, and the CPU may be in another mode then.
   */
  private physicalPlace(va: bigint): number {
    const { selection } = this.parts;
    const key = `${selection.current.pid}:${va}`;
    let pa = this.places.get(key);
    if (pa === undefined) {
      const { address } = walk(selection.context, this.machine.ram, va);
      if (address === undefined) throw new Error(`${hex(va)} does not translate: 'monitor bp-by virtual'`);
      pa = Number(address);
      if (this.places.size >= MOST_PLACES) this.places.clear();
      this.places.set(key, pa);
    }
    return pa;
  }
}
