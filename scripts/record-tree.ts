/**
 * Records QEMU's device trees, which ours is compared with (test/board/qemu-tree.test.ts), in test/board/reference. LS_QEMU names
 * the QEMU. Run it through scripts/record-tree.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MACHINES, qemuTree, REFERENCE } from '../test/board/qemu-tree.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-tree-'));
try {
  for (const machine of MACHINES) {
    const blob = join(folder, 'tree.dtb');
    writeFileSync(blob, qemuTree(process.env.LS_QEMU!, machine, folder));
    const { status, stdout, stderr } = spawnSync('dtc', ['-q', '-I', 'dtb', '-O', 'dts', blob], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`dtc: ${stderr}`);
    // QEMU's numbers are random: only their length can be compared.
    const text = stdout.replace(/rng-seed = <[^>]*>/, `rng-seed = <${Array<string>(8).fill('0x00').join(' ')}>`);
    writeFileSync(join(REFERENCE, `${machine.name}.dts`), text);
    process.stdout.write(`${machine.name}.dts: ${readFileSync(blob).length} bytes of blob\n`);
  }
} finally {
  rmSync(folder, { recursive: true });
}
