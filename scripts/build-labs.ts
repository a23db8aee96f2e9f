/** Builds `labs/lib`, and each lab's skeleton and solution, into build/labs/: scripts/build-labs. */
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { builtImage, skeletonFolder, solutionSources } from '../src/cli/labs/folder.ts';
import { build, buildLib, findToolchain, LIB_OBJECTS } from '../src/cli/labs/toolchain.ts';
import { LABS } from '../src/labs/catalog.ts';

const tools = await findToolchain();
rmSync(dirname(LIB_OBJECTS), { recursive: true, force: true });
mkdirSync(LIB_OBJECTS, { recursive: true });
await buildLib(tools, LIB_OBJECTS);
for (const lab of LABS) {
  await build(tools, skeletonFolder(lab), lab.files, builtImage(lab, false));
  await build(tools, skeletonFolder(lab), solutionSources(lab), builtImage(lab, true));
}
