/**
 * Checks that QEMU 11.1.2 does not pass, by program. The conformance test asserts that it fails these and no others, so
 * the list stays true; docs/oracle.md has the evidence.
 */
export const QEMU_DEFECTS: Readonly<Record<string, readonly string[]>> = {
  // LLBCTL is plain storage: the LL bit is neither shown nor cleared by it, and ertn ignores KLO.
  atomic: [
    'LLBCTL.ROLLB shows the LL bit',
    'LLBCTL.WCLLB clears the LL bit',
    'LLBCTL.KLO keeps it over one ertn',
    'KLO is used up',
  ],
  // A misaligned target is fetched from, and its word raises INE.
  branch: ['a jump to a misaligned address raises ADEF', 'ERA is the target', 'BADV is the target'],
  // BADI is a register of 32 bits, and these read with their sign.
  exception: ['BADI of an undefined word, with a sign'],
  // The low bits of EENTRY are stored.
  csr: ['EENTRY is aligned to pages'],
};
