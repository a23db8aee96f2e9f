/** The breakpoints of one client. */
import type { RunControl } from '../emu/debug/run-control.ts';
import { walk } from '../emu/debug/walk.ts';
import { hex } from '../emu/formats/hex.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { type ConditionTarget, conditionOf } from './condition.ts';
import type { StepJournal } from './step-journal.ts';
import type { TargetSettings } from './target.ts';
import type { ThreadSelection } from './thread-selection.ts';

/** The largest number of places that are remembered for breakpoints by physical address. */
const MOST_PLACES = 10_000;

export interface BreakpointParts {
  /** The owner of the breakpoints. */
  readonly owner: object;
  readonly control: RunControl;
  readonly selection: ThreadSelection;
  readonly settings: TargetSettings;
  /** Receives the software breakpoints. */
  readonly journal: StepJournal;
}

export class SessionBreakpoints implements ConditionTarget {
  readonly control: RunControl;
  readonly machine: Machine;
  /** The physical addresses of breakpoints when they were first set, with `bp-by physical`. */
  readonly places = new Map<string, number>();
  /** The number of operations in conditions since a CPU was last asked to stop soon because of them. */
  conditionWork = 0;
  private readonly parts: BreakpointParts;

  constructor(parts: BreakpointParts) {
    this.parts = parts;
    this.control = parts.control;
    this.machine = parts.control.machine;
  }

  /**
   * Inserts a breakpoint for the selected process.
   * @param conditions agent expressions: the breakpoint stops when one of them is not 0
   * @throws Error when breakpoints go by physical address and this address has no translation
   */
  insert(va: bigint, hardware: boolean, conditions: readonly Uint8Array[]): void {
    const { owner, selection, settings, journal } = this.parts;
    const pa = settings.breakByPhysical ? this.physicalPlace(va) : undefined;
    this.control.comparators.insert({
      owner,
      scope: selection.scope,
      va,
      hardware,
      ...(pa !== undefined && { pa }),
      ...(settings.breakInAsid !== undefined && { asid: settings.breakInAsid }),
      ...(conditions.length > 0 && { when: conditionOf(this, conditions) }),
    });
    if (!hardware) journal.inserts(selection.current.pid, va);
  }

  /** Removes the breakpoint of the selected process at an address. */
  remove(va: bigint, hardware: boolean): void {
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
