/** The checks of the bound-checked accesses, integer and floating-point (Vol. 1, 2.2.6 and 3.2.7). */
import * as $ from '../semantics.ts';
import { c64, type Node, type Semantics } from '../semantics.ts';

/** Raises when the address is not above the bound (`gt`), or above it (`le`). Both are addresses, so they have no sign. */
const FAILS: Readonly<Record<'gt' | 'le', (address: Node, bound: Node) => Node>> = { gt: $.leU, le: $.gtU };

/**
 * Checks an access of `size` bytes at rj against the bound in rk. Its address must always be aligned. An address that cannot be
 * translated has priority over the bound, and the bound has priority over the TLB (Vol. 1, 6.3.2).
 */
export function checkBound(s: Semantics, family: string, size: number): void {
  if (size > 1) s.if($.ne($.and(s.rj, c64(size - 1)), c64(0)), () => s.raise('ALE', s.rj));
  s.if(FAILS[family.endsWith('gt') ? 'gt' : 'le'](s.rj, s.rk), () => void s.call('outOfBounds', 0, s.rj));
}
