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
  // MISC.VA32L1-3 and RVACFG do nothing.
  address: ['MISC.VA32L3 can be set', 'is none when RVACFG leaves 40', 'nor is one without the sign in bit 39'],
  // Bits that are constant in the manual are stored: of EENTRY, TLBEHI, TLBELO; PTEWidth is not; IsMERR can be written.
  csr: [
    'EENTRY is aligned to pages',
    'and PWCL',
    'TLBEHI extends bit VALEN-1 of its page number',
    'TLBREHI does too',
    'TLBELO0 has no bits 11:7 and 60:48',
    'nor has TLBRELO1',
    'MISC.VA32L1 to VA32L3 are writable',
    'MERRCTL.IsMERR is read-only',
  ],
  // Windows 2 and 3 serve fetches; each half of an entry keeps its G; TLBIDX and TLBEHI read without their sign.
  paging: [
    'but no fetches',
    'BADV is the target',
    'an entry is not global by one half: tlbrd shows no G in the even half',
    'TLBEHI has the sign of the address',
    'TLBIDX is negative after a search that found nothing',
    'ldpte ignores bits that an entry does not have',
    'the privilege level is checked before NR',
  ],
};
