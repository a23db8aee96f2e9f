/** Benchmark results as a table, a page and a chart. */
import { markupText } from '../../emu/formats/markup.ts';
import { GUEST_GOAL, type Kernel, MEMORY_GOAL, SWITCH_GOAL } from './kernels.ts';

/** Values of interleaved runs. */
export interface Spread {
  readonly median: number;
  readonly least: number;
  readonly most: number;
}

export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: sorted[sorted.length >> 1]!, least: sorted[0]!, most: sorted.at(-1)! };
}

export interface KernelResult {
  readonly kernel: Kernel;
  /** Seconds of CPU time. */
  readonly ours: Spread;
  readonly qemus: Spread | undefined;
  /** QEMU's CPU time divided by that of loongscope, for each pair. */
  readonly ratio: Spread | undefined;
  /** Events a second, without the start of the program. */
  readonly rate: number | undefined;
  /** Peak memory beside the RAM that the guest has touched, in bytes. */
  readonly memory: number;
}

export interface Results {
  readonly kernels: readonly KernelResult[];
  /** Speed in the guest world divided by that in the host world. */
  readonly guest: Spread | undefined;
  readonly qemu: string | undefined;
  readonly pairs: number;
  readonly machine: string;
}

const MIB = 2 ** 20;
const fixed = (x: number): string => x.toFixed(2);
const range = (s: Spread): string => `${fixed(s.median)} (${fixed(s.least)}–${fixed(s.most)})`;
const million = (x: number): string => `${(x / 1e6).toFixed(2)} M/s`;
const verdict = (value: number, goal: { must: number; aim: number }, low = false): string => {
  const meets = (wanted: number): boolean => (low ? value <= wanted : value >= wanted);
  return meets(goal.aim) ? 'aim' : meets(goal.must) ? 'must' : 'missed';
};

export type Row = readonly string[];

/** The rows of the table: a heading, then one a goal. */
export function rows(r: Results): Row[] {
  const out: Row[] = [['', 'kernel', 'ours, CPU s', 'QEMU, CPU s', 'speed / QEMU', 'must', 'aim', 'reached']];
  for (const k of r.kernels) {
    const { goal } = k.kernel;
    out.push([
      k.kernel.letter,
      k.kernel.text,
      fixed(k.ours.median),
      k.qemus ? fixed(k.qemus.median) : '–',
      k.ratio ? range(k.ratio) : '–',
      goal ? String(goal.must) : '–',
      goal ? String(goal.aim) : '–',
      goal && k.ratio ? verdict(k.ratio.median, goal) : '–',
    ]);
  }
  const rates = r.kernels.filter((k) => k.rate !== undefined);
  const plain = rates.find((k) => k.kernel.name === 'syscall')?.rate;
  for (const k of rates) {
    const goal = k.kernel.name === 'hvcl' ? SWITCH_GOAL : undefined;
    const against = plain && k.kernel.name !== 'syscall' ? `, ${fixed(k.rate! / plain)} of plain exceptions` : '';
    out.push([
      k.kernel.letter,
      k.kernel.events!.what,
      `${million(k.rate!)}${against}`,
      '',
      '',
      goal ? million(goal.must) : '–',
      goal ? million(goal.aim) : '–',
      goal ? verdict(k.rate!, goal) : '–',
    ]);
  }
  if (r.guest)
    out.push([
      '',
      'guest world / host world, integer kernel',
      '',
      '',
      range(r.guest),
      String(GUEST_GOAL.must),
      String(GUEST_GOAL.aim),
      verdict(r.guest.median, GUEST_GOAL),
    ]);
  const memory = Math.max(...r.kernels.map((k) => k.memory));
  out.push([
    '',
    'peak memory beside guest RAM',
    `${Math.round(memory / MIB)} MiB`,
    '',
    '',
    `${MEMORY_GOAL.must / MIB} MiB`,
    `${MEMORY_GOAL.aim / MIB} MiB`,
    verdict(memory, MEMORY_GOAL, true),
  ]);
  return out;
}

/** A table as text in columns. */
export function text(table: readonly Row[]): string {
  const widths = table[0]!.map((_, c) => Math.max(...table.map((row) => row[c]!.length)));
  return table
    .map((row) =>
      row
        .map((cell, c) => cell.padEnd(widths[c]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A table in Markdown. */
export function markdown([head, ...body]: readonly Row[]): string {
  const line = (cells: Row): string => `| ${cells.join(' | ')} |`;
  return [line(head!), line(head!.map(() => '---')), ...body.map(line)].join('\n');
}

const BAR = 22;
const LEFT = 250;
const WIDTH = 760;

/** Speed against QEMU as a bar chart. */
export function chart(r: Results): string {
  const bars = r.kernels.filter((k) => k.ratio);
  const most = Math.max(2, ...bars.map((k) => k.ratio!.most)) * 1.1;
  const x = (value: number): number => LEFT + (value / most) * (WIDTH - LEFT - 60);
  const height = 60 + bars.length * (BAR + 10);
  const parts = bars.map((k, n) => {
    const y = 40 + n * (BAR + 10);
    const { median, least, most: high } = k.ratio!;
    const colour = median >= k.kernel.goal!.aim ? '#2a7f62' : median >= k.kernel.goal!.must ? '#3b6ea5' : '#b5523b';
    return [
      `<text x="${LEFT - 8}" y="${y + 16}" text-anchor="end">${markupText(k.kernel.text)}</text>`,
      `<rect x="${LEFT}" y="${y}" width="${(x(median) - LEFT).toFixed(1)}" height="${BAR}" fill="${colour}"/>`,
      `<path d="M${x(least).toFixed(1)} ${y + BAR / 2}H${x(high).toFixed(1)}" stroke="#222" stroke-width="2"/>`,
      `<text x="${(x(high) + 6).toFixed(1)}" y="${y + 16}">${fixed(median)}</text>`,
    ].join('\n  ');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="13" role="img">
  <title>Speed as a multiple of QEMU</title>
  <rect width="100%" height="100%" fill="#fff"/>
  <text x="8" y="20" font-weight="bold">Speed as a multiple of QEMU ${r.qemu ?? ''} (medians of ${r.pairs} pairs, with their range)</text>
  <path d="M${x(1).toFixed(1)} 32V${height - 12}" stroke="#888" stroke-dasharray="4 3"/>
  ${parts.join('\n  ')}
</svg>
`;
}
