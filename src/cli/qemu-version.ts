/** The version of QEMU whose command line and control protocol loongscope has. */
export const QEMU_VERSION = { major: 11, minor: 1, micro: 2 } as const;
