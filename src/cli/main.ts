#!/usr/bin/env node
/** Starts the program with Node's compile cache, which halves its start-up time. Older versions of Node do not have it, and more is missing. */
import module from 'node:module';

const OLDEST_NODE = 24;

if (Number.parseInt(process.versions.node, 10) < OLDEST_NODE) {
  process.stderr.write(
    `loongscope: this is Node ${process.version}, and the program needs ${OLDEST_NODE} or newer: install it from nodejs.org, or use ./scripts/loongscope of a checkout, which brings it\n`,
  );
  process.exit(2);
}
module.enableCompileCache();
await import('./program.ts');
