/** Raising exceptions from TypeScript, and telling observers of them. What they do to the CPU is in entry-return.ts. */

import { EVENT_KIND } from '../memory/layout.ts';
import type { Cpu } from './cpu.ts';
import type { Cause } from './event-ring.ts';
import { codeOf, type ExceptionName } from './exception-table.ts';
import { After, type AfterValue } from './helpers.ts';
import { NESTING_LIMIT } from './observer.ts';

/**
 * Delivers an exception of the instruction at STATE.pc (the one that faults, or would run next): state changes, PC = vector.
 * @returns what a helper that raised must return
 */
export function deliver(cpu: Cpu, name: ExceptionName, cause: Cause): typeof After.jumped {
  const leaving = cpu.vm && cause.root === true;
  cpu.events.report(leaving ? EVENT_KIND.exit : EVENT_KIND.exception, codeOf(name), cpu.now, cause);
  cpu.routines.enterException();
  tell(cpu);
  return After.jumped;
}

/** Tells observers of the exception that has been delivered. */
export function tell(cpu: Cpu): void {
  cpu.observer.exception?.(cpu);
  if (cpu.events.lastIsExit) cpu.observer.exited?.(cpu);
  if (cpu.nesting % NESTING_LIMIT === 0) cpu.observer.nested?.(cpu);
}

/** Tells observers that a guest has been entered. */
export function tellOfEntry(cpu: Cpu): AfterValue {
  cpu.observer.entered?.(cpu);
  return After.jumped;
}
