/** An explanation in lines: the cause as far as a rule names it, and what is known of the event. */
import type { Cpu } from '../../cpu/cpu.ts';
import { hex } from '../../formats/hex.ts';
import { u32At } from '../../formats/little-endian.ts';
import { disassemble } from '../../isa/disassembler.ts';
import type { Steps } from '../../runtime/steps.ts';
import { runningContext } from '../context.ts';
import { address } from '../csr-words.ts';
import { readVirtual } from '../debug-memory.ts';
import { describeEvent, explainEvent, explainLast } from '../explain.ts';
import type { Loop } from '../loops.ts';
import type { RunControl } from '../run-control.ts';
import type { Symbolizer } from '../symbolizer.ts';
import { type Case, caseOf } from './case.ts';
import { type Rule, type RuleId, ruleOf } from './rules.ts';

/** The rule that was broken, in words; none when no rule names the cause. */
function cause({ findings }: Case): string[] {
  const [first] = findings;
  if (!first) return [];
  return [`cause       ${first.text}`, `rule        ${inWords(ruleOf(first.rule))}`];
}

const inWords = ({ must, section }: Rule): string =>
  `${must} (${section.startsWith('Vol.') ? section : `docs/lvz.md, ${section}`})`;

/** Explains a loop by what began it; with the past not kept, by its newest event. The first line names the cause. */
export function* explainLoop(control: RunControl, cpu: Cpu, loop: Loop, name: Symbolizer): Steps<string[]> {
  const found = yield* caseOf(control, cpu, loop, name, (r) => explainEvent(control, cpu, r, name));
  if (loop.spins && !(found && found.findings.length > 0)) return explainSpin(control, cpu, loop, name);
  if (!found) return explainLast(control, cpu, name);
  return [...cause(found), ...found.lines];
}

/** A CPU that executes the same few instructions for ever: where it is, and what happened last. */
function explainSpin(control: RunControl, cpu: Cpu, { text, pc, world }: Loop, name: Symbolizer): string[] {
  const ctx = runningContext(cpu, control.vcpuStates);
  const word = u32At(readVirtual(control.machine, ctx, pc, 4));
  const newest = cpu.events.lastException();
  return [
    `cause       ${text.replace(/^.*?: /, '')}`,
    `rule        ${inWords(ruleOf('progress'))}`,
    `pc          ${address(name, world, pc)}${word === undefined ? '' : `: ${disassemble(word)} (word ${hex(word)})`}`,
    ...(newest ? [`before      ${describeEvent(newest, name)}`] : []),
  ];
}

/** The cause of the newest event, as lines behind its explanation. @param told the rule that it has told already */
export function* causeOfNewest(
  control: RunControl,
  cpu: Cpu,
  name: Symbolizer,
  told: RuleId | undefined,
): Steps<string[]> {
  const newest = cpu.events.lastException();
  const found = yield* caseOf(control, cpu, undefined, name, () => []);
  if (!found || found.findings[0]?.rule === told) return [];
  const lines = cause(found);
  // The cause may be that of an event before the one that was explained.
  const another = lines.length > 0 && (found.record.time !== newest?.time || found.record.kind !== newest.kind);
  return [...(another ? [`earlier     ${describeEvent(found.record, name)}`] : []), ...lines].map(
    (line) => `  ${line}`,
  );
}
