/** The shared folder: its root, and the common data of all its objects. */
import * as fs from 'node:fs';
import {
  ERRNO,
  KIND,
  P9Error,
  type P9Files,
  type P9Node,
  type P9SavedNode,
  type P9Space,
  type P9Stat,
} from '../../emu/devices/virtio/p9-files.ts';
import { Descriptors, descriptorLimit } from './descriptors.ts';
import { SharedNode } from './node.ts';
import { ObjectNumbers } from './numbers.ts';
import { itself } from './paths.ts';

/** Most objects: those with handles of the guest, and the folders that lead to them. */
const MOST_NODES = 131_072;

export interface SharedTreeOptions {
  readonly readOnly: boolean;
  /** Most descriptors at a time. */
  readonly descriptors?: number;
}

export class SharedTree implements P9Files {
  readonly root: SharedNode;
  readonly descriptors: Descriptors;
  readonly numbers: ObjectNumbers;
  /** All objects. */
  readonly nodes = new Set<SharedNode>();
  private readonly readOnly: boolean;

  /** @param fd the descriptor of the folder; the tree takes it over */
  constructor(fd: number, options: SharedTreeOptions) {
    const s = fs.fstatSync(fd, { bigint: true });
    this.readOnly = options.readOnly;
    this.descriptors = new Descriptors(options.descriptors ?? descriptorLimit());
    this.numbers = new ObjectNumbers(s.dev);
    const is = { path: this.numbers.of(s.dev, s.ino), kind: KIND.folder };
    this.root = new SharedNode(this, is, { folder: undefined, name: undefined }, fd);
  }

  /** @throws P9Error when nothing may be changed */
  writable(): void {
    if (this.readOnly) throw new P9Error(ERRNO.EROFS);
  }

  /** @throws P9Error when there are too many objects */
  roomForNode(): void {
    if (this.nodes.size >= MOST_NODES) throw new P9Error(ERRNO.ENFILE);
  }

  stat(s: fs.BigIntStats): P9Stat {
    return {
      mode: Number(s.mode),
      path: this.numbers.of(s.dev, s.ino),
      version: Number(BigInt.asUintN(32, s.mtimeNs ^ (s.mtimeNs >> 32n) ^ (s.size << 8n))),
      links: s.nlink,
      size: s.size,
      blockSize: s.blksize,
      blocks: s.blocks,
      atime: s.atimeNs,
      mtime: s.mtimeNs,
      ctime: s.ctimeNs,
    };
  }

  space(): P9Space {
    return this.root.use((fd) => {
      const s = fs.statfsSync(itself(fd), { bigint: true });
      return {
        blockSize: Number(s.bsize),
        blocks: s.blocks,
        free: s.bfree,
        available: s.bavail,
        files: s.files,
        freeFiles: s.ffree,
      };
    });
  }

  save(nodes: readonly P9Node[]): { readonly nodes: readonly P9SavedNode[]; readonly places: readonly number[] } {
    const places = new Map<P9Node, number>([[this.root, 0]]);
    const out: P9SavedNode[] = [{ parent: 0, name: undefined, path: this.root.path, kind: this.root.kind }];
    for (const node of nodes as readonly SharedNode[]) {
      const chain: SharedNode[] = [];
      for (let n = node; !places.has(n); n = n.parent) chain.push(n);
      for (const n of chain.reverse()) {
        places.set(n, out.length);
        out.push({ parent: places.get(n.parent)!, name: n.name, path: n.path, kind: n.kind });
      }
    }
    return { nodes: out, places: nodes.map((n) => places.get(n)!) };
  }

  restore(saved: readonly P9SavedNode[]): readonly P9Node[] {
    // The object is still in this tree, which knows its current place.
    const here = new Map([...this.nodes].map((n) => [`${n.path}:${n.kind}`, n]));
    const found: SharedNode[] = [this.root.hold()];
    for (const { parent, name, path, kind } of saved.slice(1)) {
      const node = here.get(`${path}:${kind}`);
      const folder = found[parent] ?? this.root;
      found.push(node ? node.hold() : new SharedNode(this, { path, kind }, { folder: folder.hold(), name }, -1));
    }
    return found;
  }
}
