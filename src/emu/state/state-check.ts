/**
 * Does a state that comes from a file have the form of the machine's own? Whoever made the file may have written anything into
 * it: types are compared before any of it reaches a model. What the numbers mean is the models' business; they come from a guest
 * in any case.
 */
import { isTyped, type Stateful } from './fields.ts';

const isRecord = (v: unknown): v is Readonly<Record<string, unknown>> => v !== null && typeof v === 'object';

/** A number of a model: anything but NaN. */
export const isNumber = (v: unknown): v is number => typeof v === 'number' && !Number.isNaN(v);
export const isText = (v: unknown): v is string => typeof v === 'string';
export const isBytes = (v: unknown): v is Uint8Array => v instanceof Uint8Array;

export const isListOf =
  <T>(item: (v: unknown) => v is T) =>
  (v: unknown): v is T[] =>
    Array.isArray(v) && v.every(item);

/** A list, each item as a check wants it. */
export const isEvery =
  (item: (v: unknown) => boolean) =>
  (v: unknown): boolean =>
    Array.isArray(v) && v.every(item);

/** An object that has what is named, each as its check wants it. Other names are not looked at. */
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

/** A typed array like another: of the same kind, and as long. */
const isLike = (v: unknown, now: ArrayBufferView): boolean =>
  isTyped(v) && v.constructor === now.constructor && v.byteLength === now.byteLength;

/** Is a value of the kind that a field has now? Lists and maps hold numbers unless their part says more. */
function fitsField(v: unknown, now: unknown): boolean {
  if (isTyped(now)) return isLike(v, now);
  if (Array.isArray(now) && now.length > 0 && now.every(isTyped))
    return Array.isArray(v) && v.length === now.length && v.every((x, n) => isLike(x, now[n] as ArrayBufferView));
  if (Array.isArray(now)) return isListOf(isNumber)(v);
  if (now instanceof Map) return isMapOf(isNumber)(v);
  return isNumber(now) ? isNumber(v) : typeof v === typeof now;
}

/** Can a part be put into a state? */
export function fits(part: Stateful, state: unknown): boolean {
  if (!isRecord(state)) return false;
  return part.stateFields.every((name) => {
    const check = part.stateChecks?.[name];
    return check ? check(state[name]) : fitsField(state[name], Reflect.get(part, name));
  });
}
