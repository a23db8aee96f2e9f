/** Builds `labs/lib`, and each lab's skeleton and solution, into build/labs/: scripts/build-labs. */
import { mkdirSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { builtImage, skeletonFolder, solutionSources } from '../src/cli/labs/folder.ts';
import { build, buildLib, findToolchain, LAB_OBJECTS, LIB_OBJECTS } from '../src/cli/labs/toolchain.ts';
import { LABS } from '../src/labs/catalog.ts';

const tools = await findToolchain();
rmSync(dirname(LIB_OBJECTS), { recursive: true, force: true });
mkdirSync(LIB_OBJECTS, { recursive: true });
await buildLib(tools, LIB_OBJECTS);
for (const lab of LABS)
  for (const solution of [false, true]) {
    const objects = join(LAB_OBJECTS, basename(builtImage(lab, solution), '.elf'));
    mkdirSync(objects, { recursive: true });
    const sources = solution ? solutionSources(lab) : lab.files;
    await build(tools, skeletonFolder(lab), sources, builtImage(lab, solution), objects);
  }
