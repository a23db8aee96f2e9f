/** Small programs for the detectors of loops, and what is said of them. */
import { RunControl } from '../../src/emu/debug/run-control.ts';
import { TestMachine } from './test-machine.ts';

/** What a machine says of the loops that it finds in a run of so many instructions, and how the run ends. */
export async function told(code: readonly string[], most: number): Promise<{ texts: string[]; end: string }> {
  const { machine } = new TestMachine({ code });
  const texts: string[] = [];
  const control = new RunControl(machine, {
    limits: { maxInstructions: most },
    onLoop: (_, loop) => void texts.push(loop.text),
  });
  const end = await control.run();
  return { texts, end: end.kind };
}

/** The timer expires after `pages` × 4096 ticks, once (`mode` 1) or again and again (3). */
export const timer = (pages: number, mode: number): string[] => [
  `lu12i.w $t0, ${pages}`,
  `ori $t0, $t0, ${mode}`,
  'csrwr $t0, TCFG',
  'lu12i.w $t0, 1',
  'srli.d $t0, $t0, 1',
  'csrwr $t0, ECFG',
];

/** Interrupts are on, in direct address mode. */
export const IE = ['addi.d $t0, $zero, 12', 'csrwr $t0, CRMD'];

/** Instructions before the code that {@link handled} is given. */
const HEAD = 2;
const HANDLER_PAGE = 16;

/** `code`, and a handler of exceptions and interrupts in a page of its own. */
export function handled(code: readonly string[], handler: readonly string[]): string[] {
  const head = [`lu12i.w $t0, ${HANDLER_PAGE + 1}`, 'csrwr $t0, EENTRY', ...code];
  return [...head, ...nops(1024 - code.length - HEAD), ...handler];
}

export const nops = (n: number): string[] => Array.from({ length: n }, () => 'andi $zero, $zero, 0');
