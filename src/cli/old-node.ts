/** Older versions of Node cannot even load the program. This file imports nothing, so that they can say so. */
export const OLDEST_NODE = 24;

/** What is wrong with this Node; undefined: nothing. */
export const oldNode = (): string | undefined =>
  Number.parseInt(process.versions.node, 10) >= OLDEST_NODE
    ? undefined
    : `this is Node ${process.version}, and the program needs ${OLDEST_NODE} or newer: install it from nodejs.org, or use ./scripts/loongscope of a checkout, which brings it`;
