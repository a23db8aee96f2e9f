/** Device trees of the user, put where the guest looks for one; and what is written when there is none. */

import { deviceTree } from '../../../src/emu/board/platform.ts';
import { checkInitrd } from '../../../src/emu/boot/initrd.ts';
import { type BootProtocol, loadRam } from '../../../src/emu/boot/load.ts';
import { checkDeviceTree, writeFdt } from '../../../src/emu/formats/fdt.ts';
import { ImageError } from '../../../src/emu/formats/image-error.ts';
import { LinearMemory } from '../../../src/emu/memory/linear-memory.ts';
import { Ram } from '../../../src/emu/memory/ram.ts';
import { fromLatin1, latin1 } from '../../../src/gdbstub/framing.ts';
import { guarded, type Target } from '../oracle.ts';

/** The tree goes to 1 MiB: RAM ends soon behind it, so that one can be too large. */
const RAM_SIZE = 2 << 20;
const ram = new Ram(new LinearMemory(1, RAM_SIZE), RAM_SIZE);
const platform = { cpus: 1, ramSize: RAM_SIZE };
const image = {
  entry: 0x1000n,
  segments: [{ paddr: 0x1000n, vaddr: 0x1000n, memsz: 8, data: new Uint8Array(8) }],
};
/** A tree of an input is repeated that often, by its first byte: large ones need no large inputs. */
const REPEAT = [1, 1, 16, 1024] as const;

export const fuzz: Target = guarded({
  ours: [ImageError],
  run: (data) => {
    const how = data[0] ?? 0;
    const body = data.subarray(1);
    const protocol: BootProtocol = how & 4 ? 'uhi' : 'efi';
    if (how & 8) {
      // A tree of this test contains the command line and an initrd.
      checkInitrd(body, 'initrd');
      loadRam(ram, { image, commandLine: latin1(body), initrd: body, protocol, extra: [] }, platform);
      return;
    }
    const blob = new Uint8Array(Math.min(body.length * REPEAT[how & 3]!, 2 * RAM_SIZE));
    for (let at = 0; body.length > 0 && at < blob.length; at += body.length)
      blob.set(body.subarray(0, blob.length - at), at);
    checkDeviceTree(blob, 'tree');
    loadRam(ram, { image, commandLine: '', deviceTree: blob, protocol, extra: [] }, platform);
  },
});

export const seeds = (): Uint8Array[] => {
  const tree = writeFdt(deviceTree(platform));
  const with_ = (how: number, bytes: Iterable<number>): Uint8Array => Uint8Array.from([how, ...bytes]);
  return [
    with_(0, tree),
    with_(3, tree),
    with_(4, tree),
    with_(8, fromLatin1('070701\0TRAILER!!!')),
    with_(12, fromLatin1(`\0\x00070701 console=ttyS0 TRAILER!!!\x1f\x8b`)),
  ];
};

export const dictionary: readonly (string | Uint8Array)[] = [
  Uint8Array.of(0xd0, 0x0d, 0xfe, 0xed),
  '070701',
  'TRAILER!!!',
  Uint8Array.of(0x1f, 0x8b),
  Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd),
];
