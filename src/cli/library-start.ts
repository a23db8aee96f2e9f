/** The library's entry in the package: looks at Node before anything is loaded that older versions do not have. */
import { oldNode } from './old-node.ts';

const wrong = oldNode();
if (wrong !== undefined) throw new Error(`loongscope: ${wrong}`);

export const { Machine, UsageError } = await import('./library.ts');
