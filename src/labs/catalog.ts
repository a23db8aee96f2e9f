/** The labs, in their order. */
import { H1 } from './h1.ts';
import { H2 } from './h2.ts';
import { H3 } from './h3.ts';
import { H4 } from './h4.ts';
import { H5 } from './h5.ts';
import { H6 } from './h6.ts';
import type { Lab } from './lab.ts';

export const LABS: readonly Lab[] = [H1, H2, H3, H4, H5, H6];

/** @throws Error that names the labs there are */
export function labNamed(name: string): Lab {
  const lab = LABS.find((l) => l.name === name.toLowerCase());
  if (!lab) throw new Error(`there is no lab '${name}': the labs are ${LABS.map((l) => l.name).join(', ')}`);
  return lab;
}
