/** A link holds a program and a moment: `#lab=h1&solution&at=2400`. */
import type { PageContent } from '../content.ts';
import { VARIANTS } from './edits.ts';
import type { Selection } from './store.ts';

export interface Linked {
  readonly selection: Selection;
  /** Instructions of the machine. */
  readonly at: number;
}

export function linkTo(selection: Exclude<Selection, { kind: 'own' }>, at: number): string {
  const words = selection.kind === 'lab' && selection.variant !== 'skeleton' ? `&${selection.variant}` : '';
  return `${selection.kind}=${selection.name}${words}&at=${at}`;
}

/** What a link means; the first lab where it means nothing. */
export function readLink(hash: string, content: PageContent): Linked {
  const words = new URLSearchParams(hash.replace(/^#/, ''));
  const at = Number(words.get('at'));
  const moment = Number.isSafeInteger(at) && at > 0 ? at : 0;
  const demo = content.demos.find(({ name }) => name === words.get('demo'));
  if (demo) return { selection: { kind: 'demo', name: demo.name }, at: moment };
  const lab = content.labs.find(({ name }) => name === words.get('lab'));
  const { name } = lab ?? content.labs[0]!;
  const variant = (lab && VARIANTS.find((v) => words.has(v))) ?? 'skeleton';
  return {
    selection: { kind: 'lab', name, variant },
    at: lab ? moment : 0,
  };
}
