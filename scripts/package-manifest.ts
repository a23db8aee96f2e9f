/** Prints the package.json of the npm package: what the project's says of it, and the bundled program's entries. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/cli/paths.ts';

const project = JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as Readonly<
  Record<string, unknown>
>;
const { name, version, description, license, type, engines } = project;
const manifest = {
  ...{ name, version, description, license, type, engines },
  bin: { loongscope: 'build/cli/main.js' },
  exports: { '.': { types: './types/library.d.ts', default: './build/cli/library-start.js' } },
};
process.stdout.write(`${JSON.stringify(manifest, undefined, 2)}\n`);
