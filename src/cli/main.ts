#!/usr/bin/env node
/** Starts the program with Node's compile cache, which halves its start-up time. */
import module from 'node:module';

module.enableCompileCache();
await import('./program.ts');
