/**
 * Loads and stores whose addresses differ only by literals, for example those of a stack frame. They share one look-up
 * in the software TLB. The look-up of a group is done once in a block, or once in a region when nothing in the region
 * writes the base register.
 */
import { operandValue } from '../../isa/row.ts';
import { ACCESS, type Node, type Stmt } from '../../isa/semantics.ts';
import { Op } from '../../wasm/opcodes.ts';
import type { FlowNode } from './control-flow.ts';
import type { Instruction } from './discover.ts';

export interface Group {
  /** Base register. */
  readonly base: number;
  readonly write: boolean;
  /** The lowest offset, and the end of the bytes at the highest offset. */
  low: number;
  high: number;
  members: number;
  /** Nothing in the region writes the base register: the look-up is done at the entry. */
  readonly throughout: boolean;
  /** Its number among the groups that are used. */
  index: number;
}

/** A member of a group: its number among the accesses of the region. */
export interface Membership {
  readonly group: Group;
  readonly offset: number;
}

/** The largest span of a group in bytes. It is small, so that a group is seldom in two pages. */
const MAX_SPAN = 1024;
/** The largest number of groups whose look-up is done at the entry of a region. */
const MAX_THROUGHOUT = 6;

/** The base register and offset of an address, when the address has this form. */
function shape(i: Instruction, address: Node): { base: number; offset: number } | undefined {
  if (address.k !== 'op' || address.opcode !== Op.i64Add) return undefined;
  const [a, b] = address.args;
  if (a?.k !== 'gpr' || b?.k !== 'imm') return undefined;
  const base = operandValue(i.row, i.word, a.which);
  return base === 0 ? undefined : { base, offset: operandValue(i.row, i.word, b.operand) };
}

function accessOf(body: readonly Stmt[]): { address: Node; size: number; write: boolean } | undefined {
  for (const s of body) {
    if (s.s === 'load') return { address: s.address, size: ACCESS[s.access].size, write: false };
    if (s.s === 'store') return { address: s.address, size: ACCESS[s.access].size, write: true };
    if (s.s === 'loadVector') return { address: s.address, size: 16 * s.ids.length, write: false };
    if (s.s === 'storeVector') return { address: s.address, size: 16 * s.values.length, write: true };
  }
  return undefined;
}

/**
 * The groups that have more than one member, by instruction. `writes` gives the registers that an instruction writes.
 */
export function groupAccesses(
  nodes: readonly FlowNode[],
  writes: (block: number, k: number) => number,
): { readonly byInstruction: ReadonlyMap<Instruction, Membership>; readonly groups: readonly Group[] } {
  let written = 0;
  nodes.forEach((n, block) => {
    n.block.instructions.forEach((_, k) => {
      written |= writes(block, k);
    });
  });
  const hasLoop = nodes.some((n) => n.isLoop);
  const members = new Map<Instruction, Membership>();
  const throughout = new Map<number, Group>();
  const all: Group[] = [];
  nodes.forEach((n, block) => {
    const local = new Map<number, Group>();
    n.block.instructions.forEach((i, k) => {
      const access = accessOf(i.body);
      const at = access && shape(i, access.address);
      if (access && at) {
        const always = hasLoop && !(written & (1 << at.base));
        const groups = always ? throughout : local;
        const key = at.base * 2 + (access.write ? 1 : 0);
        let group = groups.get(key);
        const low = Math.min(at.offset, group?.low ?? at.offset);
        const high = Math.max(at.offset + access.size, group?.high ?? 0, at.offset);
        if (!group || Math.max(high, group.high) - low > MAX_SPAN) {
          group = {
            base: at.base,
            write: access.write,
            low: at.offset,
            high: at.offset + access.size,
            members: 0,
            throughout: always,
            index: -1,
          };
          groups.set(key, group);
          all.push(group);
        }
        group.low = Math.min(group.low, at.offset);
        group.high = Math.max(group.high, at.offset + access.size);
        group.members++;
        members.set(i, { group, offset: at.offset });
      }
      const w = writes(block, k);
      if (w) for (const key of local.keys()) if (w & (1 << (key >> 1))) local.delete(key);
    });
  });
  let atEntry = 0;
  const used = all.filter((g) => g.members > 1 && (!g.throughout || atEntry++ < MAX_THROUGHOUT));
  used.forEach((g, n) => {
    g.index = n;
  });
  for (const [i, m] of members) if (m.group.index < 0) members.delete(i);
  return { byInstruction: members, groups: used };
}
