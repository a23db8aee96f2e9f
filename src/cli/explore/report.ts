/** What a campaign has found, as text, as JSON, and as a page. */
import type { Dial } from '../../emu/cpu/chances.ts';
import { markupText } from '../../emu/formats/markup.ts';
import type { Taken } from '../../emu/perturb/perturbation.ts';
import { waitOf } from '../../emu/perturb/store-wait.ts';
import { VERSION } from '../version.ts';
import { type Reduced, styleName } from './campaign.ts';

export interface Report {
  readonly command: string;
  readonly runs: number;
  readonly seconds: number;
  readonly pairs: number;
  readonly classes: readonly Reduced[];
}

const UNIT: Readonly<Record<Dial, (value: number) => string>> = {
  quantum: (v) => `is held back for ${v} ticks`,
  irq: (v) => `takes an interrupt ${v} instructions later`,
  timer: (v) => `has a timer that expires ${v} ticks later`,
  ipi: (v) => `gets an IPI ${v} ticks later`,
  device: (v) => `gets a device's interrupt ${v} ticks later`,
  tlb: () => 'loses another TLB entry at a fill',
  sc: () => 'loses the link of its ll',
  order: (v) => `notifies a virtio device that answers up to ${v} ticks later, in another order`,
  store: (v) => {
    const { instructions, early, ticks } = waitOf(v);
    return `lets its stores of ${instructions} instructions wait for ${ticks} ticks${early > 0 ? ', some less than others' : ''}`;
  },
  age: (v) => `loses the stage-2 entries that are ${v} instructions old, at a guest entry`,
};

/** A decision in words. */
export const inWords = ({ dial, cpu, icount, value, position }: Taken): string =>
  `at instruction ${position}: cpu${cpu}, after ${icount} of its own, ${UNIT[dial](value)}`;

/** The command that opens a recorded class where it first differs from a run without perturbation. */
export function openCommand({ recording, decisions }: Reduced): string | undefined {
  if (recording === undefined) return undefined;
  const first = Math.min(...decisions.map((d) => d.position));
  return `loongscope replay ${recording}${Number.isFinite(first) ? ` --at ${first}` : ''} --gdb 1234`;
}

/** How many decisions are listed. */
const MOST_LISTED = 12;

export function textLines(reduced: Reduced): string[] {
  const { failure, decisions, of, tries } = reduced;
  const more = decisions.length - MOST_LISTED;
  return [
    `${failure.finding.kind}: ${failure.finding.text}`,
    `  ${failure.count} runs, the first after ${failure.after} runs: seed ${failure.seeds[0]} (${styleName(failure)})`,
    `  ${decisions.length} of ${of} decisions are enough (${tries} runs to find that out):`,
    ...decisions.slice(0, MOST_LISTED).map((d) => `    ${inWords(d)}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
    `  ${openCommand(reduced) ?? 'it does not fail with these decisions alone, so there is no recording: run its seed with --record'}`,
  ];
}

export const jsonOf = ({ command, runs, seconds, pairs, classes }: Report): string =>
  `${JSON.stringify(
    {
      program: VERSION,
      command,
      runs,
      seconds,
      pairs,
      classes: classes.map((c) => ({
        finding: c.failure.finding,
        class: c.failure.name,
        count: c.failure.count,
        after: c.failure.after,
        seeds: c.failure.seeds,
        style: styleName(c.failure),
        decisions: c.decisions,
        of: c.of,
        tries: c.tries,
        recording: c.recording,
        open: openCommand(c),
      })),
    },
    undefined,
    2,
  )}\n`;

/** A page without anything from elsewhere. */
export function htmlOf({ command, runs, seconds, pairs, classes }: Report): string {
  const cards = classes.map((c) => {
    const [title, ...rest] = textLines(c);
    return `<section><h2>${markupText(title!)}</h2><pre>${markupText(rest.map((l) => l.slice(2)).join('\n'))}</pre></section>`;
  });
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>loongscope explore</title>
<style>body { font: 14px sans-serif; max-width: 70em; margin: 1em auto; } h2 { font-size: 1.1em; color: #a00; } pre { background: #f4f4f4; padding: 8px; overflow-x: auto; }</style>
</head><body><h1>loongscope explore</h1>
<p><code>${markupText(command)}</code></p>
<p>${runs} runs in ${seconds.toFixed(1)} s, ${pairs} pairs of a world switch and what came after it, ${classes.length} classes of failures.</p>
${cards.join('\n') || '<p>No run failed.</p>'}
</body></html>
`;
}
