/** Numbers as people and programs write addresses. */
export const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
