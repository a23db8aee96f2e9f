/** The numbers by which generated code names helpers and accesses. */
import { HELPERS, type HelperName } from '../cpu/helpers.ts';
import { ACCESS, type Access } from '../isa/semantics.ts';

const ACCESS_NAMES = Object.keys(ACCESS) as Access[];

/** The index of an access kind, as `loadSlow` and `storeSlow` receive it. */
export const accessCode = (a: Access): number => ACCESS_NAMES.indexOf(a);
/** The access kind of a code. */
export const accessByCode = (code: number): Access => ACCESS_NAMES[code]!;
/** Flag of `linearSlow`: the access writes. */
export const LINEAR_WRITE = 0x100;

/** The function index of a helper. The imports come first. */
export const helperIndex = (name: HelperName): number => HELPERS.indexOf(name);
