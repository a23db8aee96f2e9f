/**
 * The state of a model as data: copies of the fields that a class names, and back. Typed arrays and lists are copied by
 * value and restored in place, so that views and references on them stay valid.
 */

/** A model part that takes part in snapshots. */
export interface Stateful {
  /** Names of the fields that change while the machine runs; everything else is wiring. */
  readonly stateFields: readonly string[];
}

/**
 * What a class says of fields that can change and are no state: why each one is not saved. A static member `wiring`, beside
 * `stateFields`; together they name every field that can change.
 */
export type Wiring = Readonly<Record<string, string>>;

type TypedArray = Uint8Array | Uint16Array | Uint32Array | Int32Array | Int16Array | Float64Array | BigUint64Array;
type Value = unknown;
export type Fields = Readonly<Record<string, Value>>;

const isTyped = (v: unknown): v is TypedArray => ArrayBuffer.isView(v) && !(v instanceof DataView);

function copy(v: unknown): Value {
  if (isTyped(v)) return v.slice();
  if (Array.isArray(v)) return v.map(copy);
  if (v instanceof Map) return new Map([...v].map(([k, x]) => [k, copy(x)]));
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, copy(x)]));
  return v;
}

function put(into: object, name: string, value: Value): void {
  const now: unknown = Reflect.get(into, name);
  if (isTyped(now)) (now as Uint8Array).set(value as Uint8Array);
  else if (Array.isArray(now) && now.every(isTyped) && now.length > 0)
    now.forEach((a, n) => {
      (a as Uint8Array).set((value as Uint8Array[])[n]!);
    });
  else if (Array.isArray(now)) now.splice(0, now.length, ...(copy(value) as unknown[]));
  else if (now instanceof Map) {
    now.clear();
    for (const [k, v] of value as Map<unknown, unknown>) now.set(k, copy(v));
  } else Reflect.set(into, name, copy(value));
}

/** Copies the state of a part. */
export function saveFields(part: Stateful): Fields {
  return Object.fromEntries(part.stateFields.map((name) => [name, copy(Reflect.get(part, name))]));
}

/** Puts a part back to a state that {@link saveFields} copied from it. */
export function restoreFields(part: Stateful, state: Fields): void {
  for (const name of part.stateFields) put(part, name, state[name]);
}
