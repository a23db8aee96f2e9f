/** A check of RAISES in bounds.S, and that of its BADV. */
const withBadv = (check: string): string[] => [check, `${check}: BADV is the address`];

/**
 * Checks that QEMU 11.1.2 does not pass, by program. The conformance test asserts that it fails these and no others, so
 * the list stays true; docs/oracle.md has the evidence.
 */
export const QEMU_DEFECTS: Readonly<Record<string, readonly string[]>> = {
  // An sc compares memory with the value of the ll, and looks at its own address only when it is that of the ll. LLBCTL is plain
  // storage: the LL bit is neither shown nor cleared by it, and ertn ignores KLO.
  atomic: [
    'a store of the CPU itself does not break the link',
    'nor does an atomic operation of its own',
    'a misaligned sc.w raises ALE',
    'LLBCTL.ROLLB shows the LL bit',
    'writing 0 or ROLLB changes nothing',
    'LLBCTL.WCLLB clears the LL bit',
    'LLBCTL.KLO keeps it over one ertn',
    'KLO is used up',
    'KLO keeps it over the ertn of a refill, and is used up',
  ],
  // Bound-checked accesses may be misaligned, the bound comes before the address, and BADV is PC. asrtle.d and asrtgt.d compare
  // unsigned. MISC.ALCL has no effect.
  bounds: [
    ...withBadv('ldle.h at an odd address'),
    ...withBadv('ldle.w at a misaligned address'),
    'ldgt.d at a misaligned address, inside its bound',
    ...withBadv('stle.w at a misaligned address'),
    'stgt.d at a misaligned address, inside its bound',
    ...withBadv('fldle.s at a misaligned address'),
    ...withBadv('fstgt.d at a misaligned address'),
    ...withBadv('alignment before the address'),
    ...withBadv('the address before the bound, ldle.w'),
    ...withBadv('the address before the bound, stgt.b'),
    ...withBadv('the address before the bound, fldgt.d'),
    'the bound before the TLB, ldle.d: BADV is the address',
    'the bound before the TLB, stgt.b: BADV is the address',
    'the bound before the TLB, fldle.d: BADV is the address',
    'asrtle.d compares signed: -1 is at most 0',
    'asrtgt.d compares signed: -1 is not above 0',
    'asrtle.d: 0 is above -1',
    'asrtgt.d: 0 is above -1',
    'MISC.ALCL0: ld.w',
    'MISC.ALCL0: fld.d',
    'MISC.ALCL0: stptr.d',
  ],
  // A misaligned target is fetched from, and its word raises INE.
  branch: ['a jump to a misaligned address raises ADEF', 'ERA is the target', 'BADV is the target'],
  // An sc compares values, so a store that restores the value, or one elsewhere in the line, does not break the link. ROLLB reads 0. An
  // sc that fails on the other CPU stores all the same, because WCLLB does nothing.
  links: [
    'another CPU stores another value, then the old one: sc.d',
    'the failing sc.d stores nothing',
    'another CPU stores the same value: sc.d',
    'another CPU stores a byte of it: sc.d',
    'another CPU stores to the same cache line: sc.d',
    'another CPU stores to the next cache line: LLBCTL.ROLLB',
    'another CPU stores to the line in front: LLBCTL.ROLLB',
    'another CPU loads it: LLBCTL.ROLLB',
    'another CPU adds 0 to it: sc.d',
    'another CPU links it: LLBCTL.ROLLB',
    "another CPU's sc.d fails: LLBCTL.ROLLB",
    "another CPU's sc.d fails: sc.d",
    "another CPU's sc.d succeeds: sc.d",
    "sc.q after another CPU's store to the upper half",
  ],
  // With Enables.U, exact tiny results do not trap.
  float: [
    'an exact subnormal traps where underflow is enabled',
    'with Underflow alone in Cause',
    'and without a result',
  ],
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
