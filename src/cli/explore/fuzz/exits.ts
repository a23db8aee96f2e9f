/** The exits of a guest that is not hostile: what it asks of its hypervisor, and the moments before that. */

import type { Cpu } from '../../../emu/cpu/cpu.ts';
import { exceptionByCode } from '../../../emu/cpu/exception-table.ts';
import { CodeCoverage } from '../../../emu/debug/code-coverage.ts';
import { UsageError } from '../../errors.ts';
import type { MachineCli } from '../../options.ts';
import { start } from '../../run.ts';
import { packSnapshot } from '../../snapshots.ts';
import { constantsOf } from './constants.ts';
import { HostExceptions } from './host-exceptions.ts';
import type { Dictionary } from './input.ts';

/** An exit that an instruction of the guest has caused. */
export interface Exit {
  /** Its number, from 1; exits by interrupts count, too. */
  readonly number: number;
  readonly name: string;
  /** Instructions of the machine before the one that exits. */
  readonly position: number;
  readonly cpu: number;
  readonly pc: bigint;
}

export interface Watched {
  /** By cause: the first one of each. */
  readonly exits: readonly Exit[];
  readonly dictionary: Dictionary;
  /** Exceptions of the hypervisor itself: it has them without hostile guests, too. */
  readonly known: readonly string[];
  /** Exits that were watched. */
  readonly count: number;
  /** The most instructions that the hypervisor has needed for one of them. */
  readonly longest: number;
}

/** Exits that are watched, and what is kept of them. */
const MOST_EXITS = 5000;
const MOST_WORDS = 64;
const MOST_VALUES = 256;
/** Registers of arguments. */
const ARGUMENTS = [4, 5, 6, 7];
const INT = 0;

/** What is remembered of the machine's files: a machine, or a snapshot to go on from. */
export interface Place {
  readonly image: string | undefined;
  readonly cli: MachineCli;
}

/** Runs the machine to its end, or for some thousand exits. @param at only this exit @throws UsageError when no guest exits */
export async function watchExits({ image, cli }: Place, at: number | undefined): Promise<Watched> {
  const firsts = new Map<string, Exit>();
  const words = new Set<number>();
  const values = new Set<string>();
  const host = new HostExceptions(() => {});
  const coverage = new CodeCoverage();
  let [count, longest] = [0, 0];
  const left = new Map<Cpu, number>();
  const note = (cpu: Cpu, all: () => number, end: () => void): void => {
    count++;
    left.set(cpu, cpu.position);
    const record = cpu.events.at(0)!;
    if (record.ecode !== INT && (at === undefined || at === count)) {
      const name = exceptionByCode(record.ecode, record.esub)?.name ?? String(record.ecode);
      if (!firsts.has(name) && record.pc !== record.badv)
        firsts.set(name, { number: count, name, position: all(), cpu: cpu.index, pc: record.pc });
      if (words.size < MOST_WORDS) words.add(record.badi);
      for (const v of [...(record.hasBadv ? [record.badv] : []), ...ARGUMENTS.map((n) => cpu.gpr(n))])
        if (values.size < MOST_VALUES) values.add(BigInt.asUintN(64, v).toString(16));
    }
    if (count >= (at ?? MOST_EXITS)) end();
  };
  let died: string | undefined;
  const running = await start(
    image,
    {
      ...cli,
      ...{ quiet: true, observed: true, codeCache: false },
      onEnd: (end) => {
        if (end.kind === 'died') died = end.reason;
      },
      onFinding: ({ check, text }) => {
        died ??= `audit: ${check}: ${text}`;
      },
      prepare: (control) => {
        host.watch(control.machine);
        coverage.watch(control.machine);
        for (const cpu of control.machine.cpus)
          cpu.observe({
            exited: (c) =>
              note(
                c,
                () => control.position(),
                () => {
                  control.quit(true);
                  for (const other of control.machine.cpus) other.requestStop();
                },
              ),
            entered: (c) => {
              longest = Math.max(longest, c.position - (left.get(c) ?? c.position));
            },
          });
      },
    },
    () => {},
  );
  await running.booted.named;
  await running.done;
  if (died !== undefined)
    throw new UsageError(`fuzz: without a hostile guest the run fails already (${died}): mend that first`);
  if (count === 0) throw new UsageError('fuzz: no guest has exited: give an image that runs guests');
  if (at !== undefined && count < at)
    throw new UsageError(`fuzz: guests exit ${count} times only: choose a smaller --at`);
  if (firsts.size === 0)
    throw new UsageError(
      at === undefined
        ? `fuzz: none of ${count} exits comes from an instruction of a guest: choose another guest`
        : `fuzz: exit ${at} does not come from an instruction of the guest: choose another --at`,
    );
  return {
    exits: [...firsts.values()],
    dictionary: { words: [...words], values: [...values], constants: constantsOf(running.control.machine, coverage) },
    known: host.names((pc) => running.symbolize(-1, pc)),
    count,
    longest,
  };
}

/** The machine before the instruction that exits, as a snapshot; undefined: that moment is not found again. */
export async function snapshotBefore({ image, cli }: Place, exit: Exit): Promise<Uint8Array | undefined> {
  // Whether the instruction counts depends on the kind of its exception.
  for (const back of [0, 1]) {
    const running = await start(
      image,
      {
        ...cli,
        ...{ quiet: true, observed: true, codeCache: false, maxInstructions: exit.position - back },
        ...{ onEnd: () => {}, onFinding: () => {} },
      },
      () => {},
    );
    await running.done;
    const { machine, observers } = running.control;
    const cpu = machine.cpus[exit.cpu]!;
    if (!cpu.vm || cpu.pc !== exit.pc) continue;
    machine.clearStops();
    await running.booted.named;
    return packSnapshot(machine, observers, { symbols: running.booted.packedSymbols() });
  }
  return undefined;
}
