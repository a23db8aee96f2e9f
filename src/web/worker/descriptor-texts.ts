/** The descriptors in the page; the build puts this file in the place of src/hv/awareness/descriptor-texts.ts. */
import type { DescriptorText } from '../../hv/awareness/descriptor-texts.ts';
import type { MachineContent } from '../protocol.ts';

let given: Pick<MachineContent, 'descriptors' | 'headers'> = { descriptors: [], headers: {} };

/** What the page brings; call it before anything is looked up. */
export function giveDescriptors(content: Pick<MachineContent, 'descriptors' | 'headers'>): void {
  given = content;
}

export const descriptorTexts = (): readonly DescriptorText[] => given.descriptors;

/** @throws Error when the page has no such file */
export function contextHeader(name: string): string {
  const text = given.headers[name];
  if (text === undefined) throw new Error(`${name} is not in the page`);
  return text;
}
