/** docs/explain.md: the rules from their table, and the collection of mistakes with what was said about each. */
import { RULES, STEPS } from '../../src/emu/debug/why/rules.ts';
import { MISTAKES } from './mistakes.ts';

const HEAD = `# Why did it die?

When a machine makes no progress, it is stopped within two seconds, and the first lines name the cause: \`loongscope run\` prints them,
and \`monitor explain\` at any stop. The explanation is about the first event of a loop, and of the chain of exceptions that led to
it, with registers, CSRs, TLB and memory as they were then: the past is run again. \`--on-loop report\` tells and goes on.

What is noticed: exceptions and refills whose handler changes nothing, exits of a guest at one place before it executes anything, an
interrupt that is taken again at once, a handler that faults itself, \`idle\` that nothing can end, a guest that the host cannot
interrupt, and a CPU that executes the same instructions for ever without an event: a branch to itself, a lock that nobody gives
back, a poll of a CSR that nothing changes, a driver that waits for a device that has refused. Rounds may have some hundred thousand
instructions, with delays in them, and rounds with an event some million. Repetition in which registers, CSRs or memory change is no
loop, and nor is waiting for a timer, the time, a device or another CPU that may still come. Detection looks at the newest events every few
million instructions; when they repeat, it compares registers, and then memory, while the machine runs on at full speed, before it says
anything. A loop is told again when the machine goes back in time and comes there again.

Of a program that has come to its end, exceptions that were handled are no matter: nothing is said of them.

The past is kept from the start with \`--clock virtual\`, without drives, shared folders and networks; with a debugger since it
connected. Without it, the newest event is explained.

This page is made by \`test/broken/broken.test.ts\`; addresses and ticks are replaced by words.

## What a hypervisor must do

The rules in the order of the world switch. Each explanation names the rule that was broken.

`;

const section = (text: string): string => (text.startsWith('Vol.') ? text : `[lvz.md](lvz.md), ${text}`);
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

/** @param said the cause that was named, by program */
export function explainPage(said: ReadonlyMap<string, string>): string {
  const rules = STEPS.flatMap((step) =>
    RULES.filter((r) => r.step === step).map(
      (r) => `| ${step} | ${cell(r.must)} | ${r.csrs.join(', ')} | ${section(r.section)} |`,
    ),
  );
  const mistakes = MISTAKES.map(
    ({ program, mistake, guest }) =>
      `| ${guest === undefined ? 'paged' : 'reference'} | ${cell(mistake)} | ${cell(said.get(program) ?? '')} |`,
  );
  return [
    HEAD.trimEnd(),
    '',
    '| step | it must | CSRs | section |',
    '| --- | --- | --- | --- |',
    ...rules,
    '',
    '## Mistakes, and what is said',
    '',
    'Each row is a hypervisor with one mistake (`test/broken`): the reference hypervisor, or one that was written from the documents in another style.',
    '',
    '| hypervisor | mistake | the cause that is named |',
    '| --- | --- | --- |',
    ...mistakes,
    '',
  ].join('\n');
}
