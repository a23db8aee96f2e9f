/** What a machine forgives, by options that are not hardware's: said at the start, and in a trace. */
import type { MachineCli } from './options.ts';

/** A line for each quirk that is on. */
export const quirksOf = ({ cpu }: Pick<MachineCli, 'cpu'>): string[] =>
  cpu['quirk-host-refill-gid']
    ? ['quirk-host-refill-gid is on: refills of the host ignore GTLBC.TGID, which hardware does not do']
    : [];
