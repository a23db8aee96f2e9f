/** Raises exceptions from TypeScript, and reports them to observers. Their effect on the CPU is in entry-return.ts. */

import { EVENT_KIND } from '../memory/layout.ts';
import type { Cpu } from './cpu.ts';
import type { Cause } from './event-ring.ts';
import { codeOf, type ExceptionName } from './exception-table.ts';
import { After, type AfterValue } from './helpers.ts';
import { NESTING_LIMIT } from './observer.ts';

/**
 * Delivers an exception of the instruction at STATE.pc (the one that faults, or would run next): state changes, PC = vector.
 * @returns the value that a helper must return after it has raised an exception
 */
export function deliver(cpu: Cpu, name: ExceptionName, cause: Cause): typeof After.jumped {
  const leaving = cpu.vm && cause.root === true;
  cpu.events.report(leaving ? EVENT_KIND.exit : EVENT_KIND.exception, codeOf(name), cpu.now, cause);
  cpu.routines.enterException();
  tell(cpu);
  return After.jumped;
}

/** Reports the delivered exception to observers. */
export function tell(cpu: Cpu): void {
  cpu.observer.exception?.(cpu);
  if (cpu.events.lastIsExit) cpu.observer.exited?.(cpu);
  if (cpu.nesting % NESTING_LIMIT === 0) cpu.observer.nested?.(cpu);
}

/** Reports the entry of a guest to observers. */
export function tellOfEntry(cpu: Cpu): AfterValue {
  cpu.observer.entered?.(cpu);
  return After.jumped;
}
