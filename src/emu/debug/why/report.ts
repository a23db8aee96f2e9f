/** An explanation in lines: the cause as far as a rule names it, and what is known of the event. */
import type { Cpu } from '../../cpu/cpu.ts';
import type { Steps } from '../../runtime/steps.ts';
import { explainEvent, explainLast } from '../explain.ts';
import type { Loop } from '../loops.ts';
import type { RunControl } from '../run-control.ts';
import type { Symbolizer } from '../symbolizer.ts';
import { type Case, caseOf } from './case.ts';
import { type RuleId, ruleOf } from './rules.ts';

/** The rule that was broken, in words; none when no rule names the cause. */
function cause({ findings }: Case): string[] {
  const [first] = findings;
  if (!first) return [];
  const { must, section } = ruleOf(first.rule);
  const page = section.startsWith('Vol.') ? section : `docs/lvz.md, ${section}`;
  return [`cause       ${first.text}`, `rule        ${must} (${page})`];
}

/** Explains a loop by what began it; with the past not kept, by its newest event. The first line names the cause. */
export function* explainLoop(control: RunControl, cpu: Cpu, loop: Loop, name: Symbolizer): Steps<string[]> {
  const found = yield* caseOf(control, cpu, loop, name, (r) => explainEvent(control, cpu, r, name));
  if (!found) return explainLast(control, cpu, name);
  return [...cause(found), ...found.lines];
}

/** The cause of the newest event, as lines behind its explanation. @param told the rule that it has told already */
export function* causeOfNewest(
  control: RunControl,
  cpu: Cpu,
  name: Symbolizer,
  told: RuleId | undefined,
): Steps<string[]> {
  const found = yield* caseOf(control, cpu, undefined, name, () => []);
  return found && found.findings[0]?.rule !== told ? cause(found).map((line) => `  ${line}`) : [];
}
