/** Follows `arch.csr->csrs` from a structure through its members and pointers, whatever the debug information is written in. */

/** What is asked of debug information. `T` is a type in it. */
export interface Types<T> {
  /** What kind of debug information it is, for messages. */
  readonly kind: string;
  /** A structure by its name. */
  structure(name: string): T | undefined;
  /** A member of a structure, also one of a member without a name: its offset in bytes, and its type. */
  member(of: T, name: string): { readonly offset: number; readonly type: T } | undefined;
  /** The structure that a pointer leads to; undefined when it is no pointer. */
  target(of: T): T | undefined;
}

/** Debug information of a file, as descriptors use it. */
export interface DebugTypes {
  /** Has the file none? */
  readonly isEmpty: boolean;
  /**
   * Where something is that a structure leads to.
   * @param type name of the structure
   * @param path members, `arch.csr->csrs`; a number behind an arrow is an offset itself
   * @returns offsets in bytes: each arrow reads an address at the offset before it
   * @throws Error naming what the debug information does not have
   */
  offsets(type: string, path: string): number[];
}

const NUMBER = /^-?(0x[0-9a-f]+|\d+)$/i;

/** {@link DebugTypes.offsets}, for any kind of debug information. A RangeError of its reader means that it is damaged. */
export function offsetsOf<T>(types: Types<T>, type: string, path: string): number[] {
  try {
    return follow(types, type, path);
  } catch (error) {
    // A read outside of a section, or structures within themselves without an end.
    throw error instanceof RangeError ? new Error(`the ${types.kind} is damaged`) : error;
  }
}

function follow<T>(types: Types<T>, type: string, path: string): number[] {
  let now = types.structure(type);
  if (now === undefined) throw new Error(`the ${types.kind} has no structure ${type}`);
  const out: number[] = [];
  for (const [n, part] of path.split('->').entries()) {
    if (NUMBER.test(part)) {
      out.push(part.startsWith('-') ? -Number(part.slice(1)) : Number(part));
      now = undefined;
      continue;
    }
    if (n > 0 && now !== undefined) now = types.target(now);
    if (now === undefined) throw new Error(`'${path}': what is before '->${part}' is no pointer to a structure`);
    let sum = 0;
    for (const name of part.split('.')) {
      const member: { readonly offset: number; readonly type: T } | undefined = types.member(now, name);
      if (!member) throw new Error(`'${path}': there is no member ${name} in the structure`);
      sum += member.offset;
      now = member.type;
    }
    out.push(sum);
  }
  return out;
}
