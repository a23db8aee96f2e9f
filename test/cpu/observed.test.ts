/** Every test of exceptions and of LVZ once more, on machines whose CPUs are watched as under a debugger. */
import { describe, expect, test } from 'vitest';
import { countEverything, watchEverything } from '../support/observers.ts';
import { TestMachine } from '../support/test-machine.ts';

watchEverything();

describe('with observers', async () => {
  await import('./csr.test.ts');
  await import('./entry-return.test.ts');
  await import('./exceptions.test.ts');
  await import('./priority.test.ts');
  await import('../lvz/conformance.test.ts');
  await import('../lvz/world.test.ts');
  await import('../conformance/conformance.test.ts');
});

test('observers are told of each exception, and of each write of a CSR', () => {
  const m = new TestMachine({ code: ['csrwr $a0, 0x30', 'csrrd $a1, 0x30', 'syscall 0'] });
  const told = countEverything(m.cpu);
  m.run(3);
  expect([told.csrWrite, told.csrRead, told.exception, told.exited]).toEqual([1, 1, 1, 0]);
});
