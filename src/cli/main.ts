#!/usr/bin/env node
/** Starts the program with Node's compile cache, which halves its start-up time. Older versions of Node do not have it, and more is missing. */
import module from 'node:module';
import { oldNode } from './old-node.ts';

const wrong = oldNode();
if (wrong !== undefined) {
  process.stderr.write(`loongscope: ${wrong}\n`);
  process.exit(2);
}
module.enableCompileCache();
await import('./program.ts');
