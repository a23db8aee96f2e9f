/** Texts on the console of the user at a stop, for facts that gdb's stop reply cannot contain. */

import { explainLast } from '../emu/debug/explain.ts';
import type { Stop } from '../emu/debug/stop.ts';
import { hex } from '../emu/formats/hex.ts';
import type { Target } from './target.ts';
import { GUEST_PID_BASE, MACHINE_PID, type Thread } from './threads.ts';

/** An access that met a watchpoint of `monitor watch`. */
function watched(stop: Extract<Stop, { kind: 'watch' }>): string {
  const { cpu } = stop;
  const { watch, address, write } = stop.hit;
  const where = cpu.vm ? `VM ${cpu.world}` : 'host';
  const what = `${write ? 'store to' : 'load from'} ${hex(address)}`;
  return `[lvz] watch ${watch.listed!.id}: ${what} cpu${cpu.index} in ${where} at pc=${hex(cpu.pc)}\n`;
}

/**
 * The text of a stop; undefined when there is nothing to add.
 * @param stepped the thread whose step this ends
 * @param from the world in which it began
 * @param single the client has resumed one thread only
 */
export function announcement(
  s: Target,
  stop: Stop,
  stepped: Thread | undefined,
  from: number,
  single: boolean,
): string | undefined {
  switch (stop.kind) {
    case 'catch': {
      const { id, syscall, text } = stop.caught;
      if (syscall) return single && syscall.owner === s ? `[lvz] ${text}: ${stop.text}\n` : undefined;
      return `[lvz] catch ${id}: ${stop.text}\n`;
    }
    case 'loop':
      return [`[lvz] ${stop.loop.text}`, ...explainLast(s.control, stop.cpu, s.symbolize), ''].join('\n');
    case 'watch':
      return stop.hit.watch.listed ? watched(stop) : undefined;
    case 'breakpoint': {
      const { cpu, va, pa } = stop;
      const alias = s.control.comparators.at(va, stop.world, cpu, pa).find((b) => b.owner === s && b.va !== va);
      return alias && `[lvz] breakpoint of ${hex(alias.va)} at physical ${hex(pa)}, here ${hex(va)}\n`;
    }
    case 'step': {
      const { cpu } = stop;
      if (cpu.idle) return `[lvz] cpu${cpu.index} waits in idle, and nothing inside the machine will wake it\n`;
      const own = stepped?.pid === MACHINE_PID && stepped.vm === undefined;
      const pid = GUEST_PID_BASE + cpu.world;
      if (!own || !cpu.vm || from >= 0 || !s.attached.has(pid)) return undefined;
      const thread = `${pid}.${s.threadFor(cpu, cpu.world).tid}`;
      return `[lvz] VM entry cpu${cpu.index} -> VM ${cpu.world} (thread ${thread}) pc=${hex(cpu.pc)}\n`;
    }
    default:
      return undefined;
  }
}

/** gdb waits for a machine that another client keeps stopped. */
export const HELD =
  '[lvz] waiting: another gdb keeps the machine stopped. It runs when that one continues; Ctrl-C ends the waiting.\n';

/** The machine has stopped in a thread that gdb has not resumed, so another one must report it. */
export function stoppedElsewhere(at: Thread, shown: Thread, pc: bigint): string {
  return (
    `[lvz] process ${at.pid} has stopped, thread ${at.pid}.${at.tid} at pc=${hex(pc)}; gdb has resumed process ${shown.pid} alone.\n` +
    "[lvz] 'set schedule-multiple on' lets gdb follow all processes; now 'maint flush register-cache' shows where they are.\n"
  );
}

/** The machine has stopped in the process that gdb has found first, and has not yet resumed from there. */
export function stoppedSilently(at: Thread, pc: bigint): string {
  return (
    `[lvz] process ${at.pid} has stopped, thread ${at.pid}.${at.tid} at pc=${hex(pc)}. gdb would not show it, because it has not ` +
    `gone on in process ${at.pid} yet.\n` +
    "[lvz] 'info threads' shows where it is; after 'stepi' in its inferior gdb shows its stops.\n"
  );
}

/** A breakpoint at an address where no instruction begins. */
export const neverHit = (va: bigint): string =>
  `[lvz] the breakpoint at ${hex(va)} is never hit: instructions begin at multiples of 4\n`;

/** A step from a place where the thread is not any more. */
export function oldRegisters(thread: Thread, pc: bigint): string {
  return (
    `[lvz] process ${thread.pid} has run since gdb read its registers. Nothing was executed: it is at pc=${hex(pc)} now.\n` +
    "[lvz] 'set schedule-multiple on' lets gdb follow all processes.\n"
  );
}
