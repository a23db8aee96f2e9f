/**
 * Saves and restores the state of a model: the fields that its class names. Typed arrays and lists are copied by
 * value and restored in place, so that views of them and references to them stay valid.
 */

/** A part of a model whose state is saved in copies and snapshots. */
export interface Stateful {
  /** Names of the fields that change while the machine runs. All other fields are wiring. */
  readonly stateFields: readonly string[];
  /** Fields whose arrays never change in place, so that copies of the machine may share them. */
  readonly sharedFields?: readonly string[];
  /** Checks for fields from a file, for fields whose present value does not show their form (state-check.ts). */
  readonly stateChecks?: Readonly<Record<string, (value: unknown) => boolean>>;
}

/**
 * The fields of a class that can change and are not state, each with the reason why it is not saved. A static member `wiring`, beside
 * `stateFields`. Together the two name every field that can change.
 */
export type Wiring = Readonly<Record<string, string>>;

/**
 * An object of the state that counts its changes. Where one state has come from another, the same count means the same content, so a
 * copy need not compare it.
 */
export interface Versioned {
  readonly version: number;
}

export const isVersioned = (v: unknown): v is Versioned =>
  v !== null && typeof v === 'object' && typeof (v as Partial<Versioned>).version === 'number';

export type TypedArray =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Int32Array
  | Int16Array
  | Float64Array
  | BigUint64Array;
type Value = unknown;
export type Fields = Readonly<Record<string, Value>>;

export const isTyped = (v: unknown): v is TypedArray => ArrayBuffer.isView(v) && !(v instanceof DataView);

function copy(v: unknown): Value {
  if (isTyped(v)) return v.slice();
  if (Array.isArray(v)) return v.map(copy);
  if (v instanceof Map) return new Map([...v].map(([k, x]) => [k, copy(x)]));
  if (v !== null && typeof v === 'object') return Object.fromEntries(Object.entries(v).map(([k, x]) => [k, copy(x)]));
  return v;
}

/** Restores a field of a part from a copy of its value. */
export function restoreField(into: Stateful, name: string, value: Value): void {
  const shared = into.sharedFields?.includes(name);
  const now: unknown = Reflect.get(into, name);
  if (isTyped(now)) (now as Uint8Array).set(value as Uint8Array);
  else if (Array.isArray(now) && now.every(isTyped) && now.length > 0 && sameShape(now, value))
    now.forEach((a, n) => {
      (a as Uint8Array).set((value as Uint8Array[])[n]!);
    });
  else if (Array.isArray(now)) now.splice(0, now.length, ...(copy(value) as unknown[]));
  else if (now instanceof Map) {
    now.clear();
    for (const [k, v] of value as Map<unknown, unknown>) now.set(k, shared ? v : copy(v));
  } else Reflect.set(into, name, copy(value));
}

/** Does a list have arrays of the same lengths as the present list? Otherwise its items can be added and removed. */
const sameShape = (now: readonly TypedArray[], value: Value): boolean => {
  const list = value as readonly TypedArray[];
  return list.length === now.length && list.every((a, n) => a.length === now[n]!.length);
};

/** Copies the state of a part. */
export function saveFields(part: Stateful): Fields {
  return Object.fromEntries(
    part.stateFields.map((name) => {
      const value: unknown = Reflect.get(part, name);
      const shared = value instanceof Map && part.sharedFields?.includes(name);
      return [name, shared ? new Map(value) : copy(value)];
    }),
  );
}

/** Restores a part from a state that {@link saveFields} has copied. */
export function restoreFields(part: Stateful, state: Fields): void {
  for (const name of part.stateFields) restoreField(part, name, state[name]);
}

/** Adds the arrays that a state holds to `found`. */
export function arraysIn(state: unknown, found: Set<ArrayBufferView>): void {
  if (isTyped(state)) found.add(state);
  else if (Array.isArray(state)) for (const v of state as unknown[]) arraysIn(v, found);
  else if (state instanceof Map) for (const v of (state as Map<unknown, unknown>).values()) arraysIn(v, found);
  else if (state !== null && typeof state === 'object') for (const v of Object.values(state)) arraysIn(v, found);
}
