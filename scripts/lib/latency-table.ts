/** A table of times by kind: median and longest, on the clock and on the processors. */
import type { Took } from './gdb-packets.ts';

const ms = (n: number): string => (n < 10 ? n.toFixed(1) : n.toFixed(0));

export class LatencyTable {
  private readonly times = new Map<string, Took[]>();

  add(kind: string, time: Took): void {
    const list = this.times.get(kind);
    if (list) list.push(time);
    else this.times.set(kind, [time]);
  }

  /** Rows of Markdown. @param every also a row of all kinds together */
  rows(title: string, every: boolean): string[] {
    const out = [
      `| ${title} | median, ms | max, ms | CPU: median, ms | max, ms | number |`,
      '| --- | --- | --- | --- | --- | --- |',
    ];
    if (every) this.times.set('all together', [...this.times.values()].flat());
    for (const [kind, list] of this.times) {
      const figures = (['wall', 'cpu'] as const).flatMap((clock) => {
        const sorted = list.map((t) => t[clock]).sort((a, b) => a - b);
        return [sorted[sorted.length >> 1]!, sorted.at(-1)!];
      });
      out.push(`| ${kind} | ${figures.map(ms).join(' | ')} | ${list.length} |`);
    }
    return out;
  }
}
