/** `--explore SEED[,DIAL=on|off]…`: which run of the many possible ones. */
import { DIALS, type Dial } from '../../emu/cpu/chances.ts';
import { ALL_DIALS, type Dials } from '../../emu/perturb/seeded.ts';
import { UsageError } from '../errors.ts';

/** Largest seed. */
const MOST_SEED = 0xffffffff;

export interface ExploreSpec {
  readonly seed: number;
  readonly dials: Dials;
}

const isDial = (name: string): name is Dial => (DIALS as readonly string[]).includes(name);

/** `DIAL=on|off`, separated by commas. Those that are not named are on. @throws UsageError */
export function parseDials(parts: readonly string[], option: string): Dials {
  const chosen = new Map<Dial, boolean>();
  for (const part of parts) {
    const [, name, state] = /^([\w-]+)=(on|off)$/.exec(part) ?? [];
    if (name === undefined) throw new UsageError(`${option}: '${part}' is malformed: write DIAL=on or DIAL=off`);
    if (!isDial(name)) throw new UsageError(`${option}: unknown dial '${name}': use ${DIALS.join(', ')}`);
    const on = state === 'on';
    if (chosen.has(name) && chosen.get(name) !== on)
      throw new UsageError(`${option}: ${name} is both on and off: leave one of them out`);
    chosen.set(name, on);
  }
  const dials = { ...ALL_DIALS, ...Object.fromEntries(chosen) };
  if (!DIALS.some((dial) => dials[dial]))
    throw new UsageError(`${option}: every dial is off, so nothing differs: leave one of them on`);
  return dials;
}

/** @throws UsageError */
export function parseExplore(text: string): ExploreSpec {
  const [seed, ...parts] = text.split(',');
  if (!/^\d+$/.test(seed!) || Number(seed) > MOST_SEED)
    throw new UsageError(`--explore: '${seed}' is no seed: write a whole number from 0 to ${MOST_SEED}`);
  return { seed: Number(seed), dials: parseDials(parts, '--explore') };
}
