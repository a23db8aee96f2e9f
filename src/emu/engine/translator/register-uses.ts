/** Which general registers instructions and blocks read and write. */
import { operandValue } from '../../isa/row.ts';
import type { Node, Stmt } from '../../isa/semantics.ts';
import type { Uses } from './control-flow.ts';
import type { Instruction } from './discover.ts';

const GPR_FIELDS = ['rd', 'rj', 'rk'] as const;

/** The general registers that one instruction uses, as bit masks without r0. */
export interface InstructionUses {
  readonly reads: number;
  readonly writes: number;
  /** The instruction may leave without being executed. */
  readonly mayLeave: boolean;
}

/** What a definition does with its register fields. It is the same for every instruction of a row. */
interface FieldUses {
  readonly reads: ReadonlySet<'rd' | 'rj' | 'rk'>;
  /** This happens on every path through the definition: no definition sets rd under a condition. */
  readonly writesRd: boolean;
  readonly writesRa: boolean;
  readonly mayLeave: boolean;
}

const LEAVING = new Set<Stmt['s']>(['load', 'store', 'loadVector', 'storeVector', 'linear', 'call']);
const fieldUses = new Map<readonly Stmt[], FieldUses>();

function fieldsOf(body: readonly Stmt[]): FieldUses {
  const known = fieldUses.get(body);
  if (known) return known;
  const reads = new Set<'rd' | 'rj' | 'rk'>();
  let writesRd = false;
  let writesRa = false;
  let mayLeave = false;
  const node = (n: Node): void => {
    if (n.k === 'gpr') reads.add(n.which);
    else if (n.k === 'op') n.args.forEach(node);
    else if (n.k === 'element') node(n.offset);
    else if (n.k === 'select') [n.cond, n.a, n.b].forEach(node);
  };
  const visit = (list: readonly Stmt[]): void => {
    for (const s of list) {
      mayLeave ||= LEAVING.has(s.s);
      writesRd ||= s.s === 'setRd';
      writesRa ||= s.s === 'setRa';
      if ('value' in s && s.value !== undefined) node(s.value);
      if ('address' in s) node(s.address);
      if ('offset' in s) node(s.offset);
      if ('linear' in s) node(s.linear);
      if ('expected' in s) node(s.expected);
      if ('cond' in s && s.cond) node(s.cond);
      if ('target' in s) node(s.target);
      if ('values' in s) s.values.forEach(node);
      if ('args' in s) s.args.forEach(node);
      if (s.s === 'if') {
        visit(s.yes);
        visit(s.no);
      }
    }
  };
  visit(body);
  const uses = { reads, writesRd, writesRa, mayLeave };
  fieldUses.set(body, uses);
  return uses;
}

/** What an instruction does with general registers, by its definition. */
export function instructionUses(i: Instruction): InstructionUses {
  const fields = fieldsOf(i.body);
  let reads = 0;
  let writes = 0;
  for (const f of GPR_FIELDS) if (fields.reads.has(f)) reads |= 1 << operandValue(i.row, i.word, f);
  if (fields.writesRd) writes |= 1 << operandValue(i.row, i.word, 'rd');
  if (fields.writesRa) writes |= 2;
  return {
    reads: reads & ~1,
    writes: writes & ~1,
    mayLeave: fields.mayLeave || i.row.unit !== undefined || i.row.priv,
  };
}

/** What a block of instructions does with general registers. */
export function blockUses(instructions: readonly InstructionUses[]): Uses {
  let reads = 0;
  let writes = 0;
  for (const i of instructions) {
    reads |= i.reads & ~writes;
    writes |= i.writes;
  }
  return { reads, writes };
}
