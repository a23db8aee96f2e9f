/** Device trees of QEMU's virt board, and device trees as nodes and properties that can be compared. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The machines whose trees are compared. */
export interface TreeMachine {
  readonly name: string;
  readonly cpus: number;
  /** MiB of RAM. */
  readonly memory: number;
}
export const MACHINES: readonly TreeMachine[] = [
  { name: 'one-cpu-256M', cpus: 1, memory: 256 },
  { name: 'two-cpus-1G', cpus: 2, memory: 1024 },
  { name: 'four-cpus-8G', cpus: 4, memory: 8192 },
];
/** Decompiled trees that scripts/record-tree has recorded. */
export const REFERENCE = join(import.meta.dirname, 'reference');

/** What QEMU writes for a machine. @param folder for the file */
export function qemuTree(qemu: string, { cpus, memory }: TreeMachine, folder: string): Uint8Array {
  const file = join(folder, 'qemu.dtb');
  const [command, ...first] = qemu.split(' ');
  const args = ['-M', `virt,dumpdtb=${file}`, '-smp', `${cpus}`, '-m', `${memory}M`, '-display', 'none'];
  const { status, stderr } = spawnSync(command!, [...first, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${qemu}: ${stderr}`);
  return new Uint8Array(readFileSync(file));
}

/** A tree as lines: the paths of its nodes in their order, and its properties by `path:name` in hexadecimal. */
export interface FlatTree {
  readonly nodes: readonly string[];
  readonly properties: ReadonlyMap<string, string>;
}

const BEGIN = 1;
const END = 2;
const PROPERTY = 3;
const NOP = 4;

/** Reads a blob (Devicetree Specification 0.4, chapter 5). */
export function flatten(blob: Uint8Array): FlatTree {
  const v = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  const nodes: string[] = [];
  const properties = new Map<string, string>();
  const path: string[] = [];
  const stringAt = (at: number): string => new TextDecoder().decode(blob.subarray(at, blob.indexOf(0, at)));
  const align = (n: number): number => Math.ceil(n / 4) * 4;
  const strings = v.getUint32(12);
  for (let at = v.getUint32(8); ; ) {
    const token = v.getUint32(at);
    at += 4;
    if (token === BEGIN) {
      const name = stringAt(at);
      path.push(name);
      nodes.push(path.join('/') || '/');
      at = align(at + name.length + 1);
    } else if (token === END) path.pop();
    else if (token === PROPERTY) {
      const length = v.getUint32(at);
      const name = stringAt(strings + v.getUint32(at + 4));
      properties.set(
        `${path.join('/') || '/'}:${name}`,
        Buffer.from(blob.subarray(at + 8, at + 8 + length)).toString('hex'),
      );
      at = align(at + 8 + length);
    } else if (token !== NOP) return { nodes, properties };
  }
}
