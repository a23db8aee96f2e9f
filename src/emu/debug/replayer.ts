/** Replays the history of a machine under run control. During a replay nothing stops the machine, and observers get no events. */
import type { Cpu } from '../cpu/cpu.ts';
import type { Machine } from '../machine/machine.ts';
import type { History } from '../replay/history.ts';
import { finish, type Steps } from '../runtime/steps.ts';
import type { VcpuStates } from './context.ts';
import type { PendingStop } from './pending-stop.ts';
import type { Client, Scanner } from './stop.ts';
import { Turns } from './turns.ts';

/** Instructions between two checks of the clock. */
const PIECE = 256;

/** The part of run control that a replay needs. */
export interface ReplayControl {
  readonly machine: Machine;
  readonly history: History;
  readonly vcpuStates: VcpuStates;
  readonly over: boolean;
  readonly hasClients: boolean;
  attach(client: Client): void;
  detach(client: Client): void;
  /** Keeps what would stop the machine from stopping it. */
  readonly pending: PendingStop;
}

export class Replayer {
  private readonly control: ReplayControl;

  constructor(control: ReplayControl) {
    this.control = control;
  }

  /** Goes to a position of the history. @returns the position reached */
  goto(position: number): number {
    return finish(this.going(position));
  }

  /** {@link goto} in pieces. */
  going(position: number): Steps<number> {
    return this.control.pending.silentlyInPieces(this.control.history.going(position));
  }

  /**
   * Replays the part of the history from the copy before `end` up to `end`, and reports what would have stopped there, oldest
   * first. Afterwards the machine is at `end`: continue with {@link going}.
   * @returns the position where the replay began; undefined when no history is kept before `end`
   */
  *searchingStretch(end: number, scan?: Scanner): Steps<number | undefined> {
    const { control } = this;
    if (end <= control.history.beginning) return undefined;
    const start = control.pending.silently(() => control.history.restoreBefore(end - 1));
    yield* control.pending.silentlyInPieces(control.history.replaying(end), scan);
    return start;
  }

  /** Replays the history from one position to another, and reports what would have stopped there, oldest first. */
  *scanning(first: number, last: number, scan?: Scanner): Steps<void> {
    yield* this.going(first);
    yield* this.replaying(last, scan);
  }

  /** Replays the history from the present position to another one, and reports what would have stopped there, oldest first. */
  replaying(last: number, scan?: Scanner): Steps<void> {
    const { pending, history } = this.control;
    return pending.silentlyInPieces(history.replaying(last), scan);
  }

  /**
   * Finds the last instruction that a CPU executed before the present position. Afterwards the machine is at some position of its
   * history.
   * @returns the position directly before that instruction; undefined when its history is not kept
   */
  *findingTurnOf(cpu: Cpu): Steps<number | undefined> {
    const { machine, history } = this.control;
    if (machine.cpus.length === 1) return history.position > history.beginning ? history.position - 1 : undefined;
    let found: number | undefined;
    for (let end = history.idleSince(cpu); end > history.beginning && found === undefined; ) {
      machine.onTurn = (c, from, to) => {
        if (c === cpu && to <= end && to > from) found = to - 1;
      };
      try {
        const start = this.control.pending.silently(() => history.restoreBefore(end - 1));
        yield* this.control.pending.silentlyInPieces(history.replaying(end));
        end = start;
      } finally {
        machine.onTurn = undefined;
      }
    }
    return found;
  }

  /**
   * Finds an exception or exit of a CPU. Afterwards the machine is at some position of its history.
   * @param number events of the CPU before it
   * @param by a position behind it
   * @param from the tick from which on the caller will ask what led to it: on a long way a copy is made about there
   * @returns the position of the instruction that it came at; undefined when it is not in what is kept
   */
  *findingEvent(cpu: Cpu, number: number, by: number, from: number): Steps<number | undefined> {
    const { history, pending, vcpuStates } = this.control;
    let found: number | undefined;
    for (let end = history.eventsBy(cpu, number + 1, by); end > history.beginning; ) {
      const last = end;
      end = pending.silently(() => history.restoreBefore(last - 1));
      if (cpu.events.total > number) continue;
      const remove = cpu.observe({
        exception: () => {
          if (cpu.events.total !== number + 1) return;
          found = vcpuStates.position();
          cpu.requestStop();
        },
      });
      const way = function* (): Steps<void> {
        yield* history.approaching(from, last);
        yield* history.replaying(last);
      };
      const steps = pending.silentlyInPieces(way());
      try {
        while (found === undefined && !steps.next().done) yield;
      } finally {
        steps.return();
        remove();
      }
      return found;
    }
    return undefined;
  }

  /**
   * Finds the last VM exit of a vCPU before a position at which the machine is. Afterwards the machine is at some position of its history.
   * @returns the position of the instruction that exits; undefined when no exit is kept
   */
  *findingExitOf(vm: number, vcpu: number, before: number): Steps<number | undefined> {
    const { history, machine, vcpuStates } = this.control;
    const state = vcpuStates.get(vm, vcpu);
    // It has not exited yet.
    if (!state || state.ecode < 0) return undefined;
    // What is known of a vCPU is from its last exit.
    if (state.position < before) return state.position < history.beginning ? undefined : state.position;
    let found: number | undefined;
    let end = before;
    const removers = machine.cpus.map((c) =>
      c.observe({
        beforeExit: () => {
          // It has just been recorded there.
          const s = vcpuStates.get(vm, vcpu);
          if (s && !s.running && s.cpu === c.index && s.position === vcpuStates.position() && s.position < end)
            found = s.position;
        },
      }),
    );
    try {
      while (end > history.beginning && found === undefined) {
        const from = end;
        const start = this.control.pending.silently(() => history.restoreBefore(from - 1));
        yield* this.control.pending.silentlyInPieces(history.replaying(from));
        if (found === undefined) end = start;
      }
    } finally {
      for (const remove of removers) remove();
    }
    return found;
  }

  /**
   * Replays the history of a CPU one instruction at a time from `first` (or the beginning of the history) to `last`, and leaves the
   * machine there. A turn of another CPU is one piece.
   * @param before called before each instruction, and before each piece, with the CPU that executes it
   */
  replayingEach(of: Cpu, first: number, last: number, before: (cpu: Cpu) => void): Steps<void> {
    const { history, machine } = this.control;
    function* body(): Steps<void> {
      yield* history.going(Math.max(first, history.beginning));
      for (let n = 1; history.position < last; n++) {
        const cpu = machine.nextCpu();
        if (cpu) before(cpu);
        if (cpu && cpu !== of && machine.hasTurn(cpu)) history.replayTurn(last);
        else history.replay(history.position + 1);
        if (n % PIECE === 0) yield;
      }
    }
    return this.control.pending.silentlyInPieces(body());
  }

  /**
   * Call when no client looks at the history any more: the machine replays up to its latest position and goes on from there. The
   * history is dropped unless a client has connected in the meantime.
   */
  leave(): void {
    const { control } = this;
    const { history } = control;
    // A recorded run goes on from where it is.
    if (control.over || history.fixed) return;
    const forget = (): void => {
      if (!control.hasClients) history.enable(false);
    };
    if (!history.repeating) {
      forget();
      return;
    }
    const turns = new Turns(control.machine.options.runtime);
    /** Keeps the machine from running until the replay has ended. */
    const gate = { running: false, stopped: () => {}, ended: () => turns.abandon() };
    control.attach(gate);
    const over = (): void => {
      control.detach(gate);
      forget();
    };
    turns.run(this.going(Number.POSITIVE_INFINITY), over, over);
  }
}
