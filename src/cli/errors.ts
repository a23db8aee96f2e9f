/** A mistake of the user: `loongscope: <what is wrong>: <what to do>`, exit code 2. */
export class UsageError extends Error {}

/** Exit codes of the program. */
export const EXIT = { ok: 0, died: 1, usage: 2, limit: 124, interrupted: 130 } as const;
