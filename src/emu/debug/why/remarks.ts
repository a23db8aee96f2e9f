/** Remarks on the values of CSRs, by the rules: for the auditor and for `info csr`. */
import { CSR } from '../../cpu/csr-table.ts';
import { HOST_WORLD } from '../context.ts';
import { RULES, type Rule } from './rules.ts';
import type { Values } from './values.ts';

export interface Remark {
  readonly rule: Rule;
  readonly text: string;
}

/** The rules that a value alone can break. */
const OF_VALUES = (RULES as readonly Rule[]).filter((rule) => rule.value !== undefined);

/** What breaks a rule at a moment: in a guest that has been entered, or in the host that has control again. */
export function remarksAt(when: 'entered' | 'host', values: Values): Remark[] {
  return OF_VALUES.flatMap((rule) => {
    const { at, wrong } = rule.value!;
    const text = at === when || (at === 'always' && when === 'entered') ? wrong(values) : undefined;
    return text === undefined ? [] : [{ rule, text }];
  });
}

/** What is wrong with one CSR of a world now. Values that matter at an entry are looked at while a guest runs. */
export function remarksOn(num: number, values: Values): Remark[] {
  const inGuest = values.cpu.vm;
  return OF_VALUES.flatMap((rule) => {
    const { at, wrong } = rule.value!;
    const matters = at === 'always' || (at === 'entered' && inGuest && values.world === HOST_WORLD);
    if (!matters || !rule.csrs.some((name) => CSR[name] === num)) return [];
    const text = wrong(values);
    return text === undefined ? [] : [{ rule, text }];
  });
}
