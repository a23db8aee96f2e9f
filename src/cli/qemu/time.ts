/** -rtc: the time of day at which the machine starts. */
import type { Draft } from './draft.ts';
import { Properties } from './properties.ts';

/** @throws UsageError for a date that is none */
export function timeBase(d: Draft, text: string): void {
  const p = new Properties('-rtc', text);
  const base = p.get('base') ?? 'utc';
  if (base === 'utc' || base === 'localtime') d.timeBase = base;
  else {
    const m = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?$/.exec(base);
    const milliseconds = m ? Date.parse(m[1] === undefined ? `${base}T00:00:00Z` : `${base}Z`) : Number.NaN;
    if (Number.isNaN(milliseconds))
      throw p.error(`base=${base} is no date: write utc, localtime or 2006-06-17T16:01:21`);
    d.timeBase = { milliseconds };
  }
  p.only('clock', ['host', 'rt', 'vm'], 'use host, rt or vm');
  p.only('driftfix', ['none'], 'no interrupt is lost: leave it out');
  p.done();
}
