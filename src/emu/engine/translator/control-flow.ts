/**
 * The control flow of a region: order, dominators and loops, and what its registers hold at each place. WebAssembly
 * needs nested blocks and loops. They follow from the dominator tree (Ramsey, "Beyond Relooper", ICFP 2022).
 */
import type { Block } from './discover.ts';

/** A block with its neighbours. Blocks are numbered in reverse postorder; 0 is the entry. */
export interface FlowNode {
  readonly block: Block;
  readonly successors: number[];
  readonly predecessors: number[];
  /** Blocks that it dominates immediately, in ascending order. */
  readonly dominated: number[];
  /** Some block that it dominates jumps back to it. */
  isLoop: boolean;
  /** More than one forward path leads here, or a jump by table. */
  isMerge: boolean;
}

export interface Flow {
  readonly nodes: readonly FlowNode[];
  /** The number of the block that begins at a position, if control may go there from block `from` inside the region. */
  edge(from: number, to: number): number | undefined;
}

function targets(block: Block): readonly number[] {
  const { end } = block;
  switch (end.kind) {
    case 'next':
      return [end.to];
    case 'branch':
      return [end.next, end.taken];
    case 'jump':
      return end.likely;
    case 'stop':
      return [];
  }
}

/** A computed jump with at least this many targets uses a table. */
const TABLE_MINIMUM = 4;

/** Does the block end with a jump that looks up its target in a table? */
export const byTable = ({ end }: Block): boolean => end.kind === 'jump' && end.likely.length >= TABLE_MINIMUM;

/** Orders the blocks and finds their structure. An edge that makes a loop with two entries leaves the region instead. */
export function analyse(blocks: readonly Block[]): Flow {
  const byStart = new Map(blocks.map((b, n) => [b.start, n]));
  const next = blocks.map((b) => targets(b).flatMap((t) => byStart.get(t) ?? []));
  const order: number[] = [];
  const seen = new Uint8Array(blocks.length);
  // Computes the postorder without recursion.
  const stack: { n: number; k: number }[] = [{ n: 0, k: 0 }];
  seen[0] = 1;
  while (stack.length) {
    const top = stack.at(-1)!;
    const to = next[top.n]![top.k++];
    if (to === undefined) {
      order.push(top.n);
      stack.pop();
    } else if (!seen[to]) {
      seen[to] = 1;
      stack.push({ n: to, k: 0 });
    }
  }
  order.reverse();
  const rank = new Int32Array(blocks.length).fill(-1);
  order.forEach((n, r) => {
    rank[n] = r;
  });
  const nodes: FlowNode[] = order.map((n) => ({
    block: blocks[n]!,
    successors: [],
    predecessors: [],
    dominated: [],
    isLoop: false,
    isMerge: false,
  }));
  const all = order.map((n) => next[n]!.map((t) => rank[t]!));
  const idom = dominators(all);
  const dominates = (a: number, b: number): boolean => {
    let n = b;
    while (n > a) n = idom[n]!;
    return n === a;
  };
  all.forEach((list, from) => {
    for (const to of new Set(list)) {
      if (to <= from) {
        if (!dominates(to, from)) continue;
        nodes[to]!.isLoop = true;
      }
      nodes[from]!.successors.push(to);
      nodes[to]!.predecessors.push(from);
    }
  });
  nodes.forEach((node, n) => {
    const forward = node.predecessors.filter((p) => p < n);
    node.isMerge = forward.length > 1 || forward.some((p) => byTable(nodes[p]!.block));
    if (n > 0) nodes[idom[n]!]!.dominated.push(n);
  });
  return {
    nodes,
    edge(from, to) {
      const n = byStart.get(to);
      const r = n === undefined ? -1 : rank[n]!;
      return r >= 0 && nodes[from]!.successors.includes(r) ? r : undefined;
    },
  };
}

/** Immediate dominators of blocks in reverse postorder (Cooper, Harvey, Kennedy). */
function dominators(successors: readonly (readonly number[])[]): Int32Array {
  const predecessors: number[][] = successors.map(() => []);
  successors.forEach((list, from) => {
    for (const to of list) predecessors[to]!.push(from);
  });
  const idom = new Int32Array(successors.length).fill(-1);
  idom[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = 1; n < successors.length; n++) {
      let best = -1;
      for (const p of predecessors[n]!) {
        if (idom[p]! < 0) continue;
        if (best < 0) best = p;
        else {
          let a = p;
          let b = best;
          while (a !== b) {
            while (a > b) a = idom[a]!;
            while (b > a) b = idom[b]!;
          }
          best = a;
        }
      }
      if (idom[n] !== best) {
        idom[n] = best;
        changed = true;
      }
    }
  }
  return idom;
}

/** Registers of a block as bit masks: those that are read before they are written, and those that are written. */
export interface Uses {
  readonly reads: number;
  readonly writes: number;
}

/** What is true at the start of each block. */
export interface Registers {
  /** Registers whose value may differ from the state page. */
  readonly dirty: Int32Array;
  /** Registers that were written on every path from the entry. */
  readonly written: Int32Array;
}

export function registerFlow(flow: Flow, uses: readonly Uses[]): Registers {
  const count = flow.nodes.length;
  const dirty = new Int32Array(count);
  const written = new Int32Array(count).fill(-1);
  written[0] = 0;
  for (let changed = true; changed; ) {
    changed = false;
    for (let n = 0; n < count; n++) {
      let d = dirty[n]!;
      let w = n === 0 ? 0 : -1;
      for (const p of flow.nodes[n]!.predecessors) {
        d |= dirty[p]! | uses[p]!.writes;
        w &= written[p]! | uses[p]!.writes;
      }
      if (n === 0) w = 0;
      if (d !== dirty[n] || w !== written[n]) {
        dirty[n] = d;
        written[n] = w;
        changed = true;
      }
    }
  }
  return { dirty, written };
}
