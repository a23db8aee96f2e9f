/** The numbers by which generated code names helpers and accesses. */
import { HELPERS, type HelperName } from '../cpu/helpers.ts';
import { ACCESS, type Access, type LinearUse } from '../isa/semantics.ts';
import { RESOLVE_STORE } from '../mmu/resolve.ts';

const ACCESS_NAMES = Object.keys(ACCESS) as Access[];

/** The index of an access kind, as `loadSlow` and `storeSlow` receive it. */
export const accessCode = (a: Access): number => ACCESS_NAMES.indexOf(a);
/** The access kind of a code. */
export const accessByCode = (code: number): Access => ACCESS_NAMES[code]!;
/** Flags of `linearSlow`: the access writes; it is an `sc`, which writes only when the link holds. */
export const LINEAR_WRITE = RESOLVE_STORE;
export const LINEAR_SC = 0x200;
export const LINEAR_USE: Readonly<Record<LinearUse, number>> = {
  load: 0,
  store: LINEAR_WRITE,
  sc: LINEAR_WRITE | LINEAR_SC,
};

/** The function index of a helper. The imports come first. */
export const helperIndex = (name: HelperName): number => HELPERS.indexOf(name);
