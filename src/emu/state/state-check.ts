/**
 * Checks whether a state from a file has the form of the state of this machine. A file can contain anything, so
 * types are compared before any value reaches a model. The models themselves handle any numbers, because a guest can set them,
 * too.
 */
import { isTyped, type Stateful } from './fields.ts';

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => v !== null && typeof v === 'object';

/** A number of a model: anything but NaN. */
export const isNumber = (v: unknown): v is number => typeof v === 'number' && !Number.isNaN(v);
export const isText = (v: unknown): v is string => typeof v === 'string';
export const isSwitch = (v: unknown): v is boolean => typeof v === 'boolean';
export const isBigint = (v: unknown): v is bigint => typeof v === 'bigint';
export const isBytes = (v: unknown): v is Uint8Array => v instanceof Uint8Array;

export const isListOf =
  <T>(item: (v: unknown) => v is T) =>
  (v: unknown): v is T[] =>
    Array.isArray(v) && v.every(item);

/** A list whose items all pass a check. */
export const isEvery =
  (item: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    Array.isArray(v) && v.every(item);

/** An object whose named members all pass their checks. Other members are ignored. */
export const isObjectWith =
  (checks: Readonly<Record<string, (v: unknown) => boolean>>) =>
  (v: unknown): boolean =>
    isRecord(v) && Object.entries(checks).every(([name, check]) => check(v[name]));

export const isOptional =
  (check: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    v === undefined || check(v);

/** A map from numbers. */
export const isMapOf =
  (value: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    v instanceof Map && [...v].every(([k, x]) => isNumber(k) && value(x));

/** A map from texts. */
export const isMapOfNames =
  (value: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    v instanceof Map && [...v].every(([k, x]) => isText(k) && value(x));

/** A typed array of the same kind and length as another one. */
const isLike = (v: unknown, now: ArrayBufferView): boolean =>
  isTyped(v) && v.constructor === now.constructor && v.byteLength === now.byteLength;

/** Is a value of the same kind as the present value of a field? Lists and maps must hold numbers, unless their part names a check. */
function fitsField(v: unknown, now: unknown): boolean {
  if (isTyped(now)) return isLike(v, now);
  if (Array.isArray(now) && now.length > 0 && now.every(isTyped))
    return Array.isArray(v) && v.length === now.length && v.every((x, n) => isLike(x, now[n] as ArrayBufferView));
  if (Array.isArray(now)) return isListOf(isNumber)(v);
  if (now instanceof Map) return isMapOf(isNumber)(v);
  return isNumber(now) ? isNumber(v) : typeof v === typeof now;
}

/** Can a state be restored in a part? */
export function fits(part: Stateful, state: unknown): boolean {
  if (!isRecord(state)) return false;
  return part.stateFields.every((name) => {
    const check = part.stateChecks?.[name];
    return check ? check(state[name]) : fitsField(state[name], Reflect.get(part, name));
  });
}
