/** The mistakes, each with what the first message must say about it. A message names one cause, so it says nothing else. */
import type { RuleId } from '../../src/emu/debug/why/rules.ts';

export interface Mistake {
  /** The file in build/broken: BREAK_NAME of the paged hypervisor, or an edit of the reference hypervisor. */
  readonly program: string;
  /** The guest that shows it, for the reference hypervisor. */
  readonly guest?: string;
  /** In the words of its author. */
  readonly mistake: string;
  /** The rule that is named, and words of its cause. */
  readonly rule: RuleId;
  readonly says: RegExp;
}

const paged = (name: string, mistake: string, rule: RuleId, says: RegExp): Mistake => ({
  program: name,
  mistake,
  rule,
  says,
});
const reference = (name: string, guest: string, mistake: string, rule: RuleId, says: RegExp): Mistake => ({
  ...paged(`reference-${name}`, mistake, rule, says),
  guest,
});

export const MISTAKES: readonly Mistake[] = [
  // Enabling.
  paged('eentry_unset', 'EENTRY is not written', 'vector-written', /the host never wrote eentry/),
  paged(
    'eentry_unaligned',
    'the vectors are not aligned to 4 KiB',
    'vector-aligned',
    /eentry was given 0x\w+40 and keeps 0x\w+00/,
  ),
  paged(
    'eentry_physical',
    'EENTRY holds a physical address',
    'vector-mapped',
    /eentry is 0x210000, a physical address/,
  ),
  paged(
    'dmw_plv',
    'the window of the vectors is not open to PLV0',
    'vector-mapped',
    /DMW1 = 0x9000000000000010, which is not open to PLV0/,
  ),
  paged(
    'vs_zero',
    'a vector for each cause, and ECFG.VS is 0',
    'vector-spacing',
    /VS is 0.* 32 bytes apart: VS must be 3/,
  ),
  paged('tlbrentry_unset', 'TLBRENTRY is not written', 'vector-written', /the host never wrote tlbrentry/),
  paged(
    'tlbrentry_unaligned',
    'the refill handler is not aligned to 4 KiB',
    'vector-aligned',
    /tlbrentry was given 0x211040 and keeps 0x211000/,
  ),
  paged(
    'tlbrentry_virtual',
    'TLBRENTRY holds a virtual address',
    'refill-physical',
    /tlbrentry was given the virtual address 0xffff\w+ .* needs its physical address/,
  ),
  paged(
    'pg_too_early',
    'paging is turned on where PC is not mapped',
    'paging-on',
    /csrxchg .* turns paging on, and the next PC/,
  ),
  paged(
    'pgdh_unset',
    'PGDH is not written',
    'root-written',
    /pgdh was never written, and 0xffff\w+ is in the upper half/,
  ),
  // Tables.
  paged('dir1_base', 'PWCL.Dir1_base is wrong', 'walk-geometry', /PWCL\.Dir1_base is 20, .* ends at bit 25/),
  paged('dir_empty', 'a directory entry of stage 2 is 0', 'stage2-root', /maps nothing at all/),
  paged(
    'dir_flags',
    'a directory entry has the flags of a page',
    'image-loaded',
    /has bit 6 set: it is taken for a huge page/,
  ),
  paged('leaf_invalid', 'V is missing in stage-2 entries', 'stage2-entry', /has a frame and V = 0/),
  paged('leaf_clean', 'D is missing in stage-2 entries', 'stage2-entry', /with D = 0/),
  paged('leaf_nx', 'NX is set in stage-2 entries', 'stage2-entry', /NX is set/),
  paged(
    'leaf_high',
    'stage-2 entries have address bits beyond RAM',
    'image-loaded',
    /leads to physical 0x200004000000, where no RAM is/,
  ),
  paged('leaf_gpa', 'stage 2 maps to the wrong frames', 'image-loaded', /holds nothing but zeros/),
  paged('pgdl_unset', 'PGDL is not written before the entry', 'stage2-root', /maps nothing at all/),
  paged('pgdl_wrong', 'PGDL holds the root of the host', 'stage2-root', /which is the host's own table \(PGDH\)/),
  paged('map_nothing', 'a page is not mapped after its fault', 'skip', /stage 2 still maps nothing at GPA 0x180010/),
  // Entering.
  paged('pgm_unset', 'GSTAT.PGM is not set', 'pgm-set', /did not enter the guest: GSTAT\.PGM is 0/),
  paged('gid_zero', 'the guest has GID 0', 'gid', /GSTAT\.GID 0, the GID of the host/),
  paged('tgid_other', 'TGID is that of another guest', 'tgid-gid', /GTLBC\.TGID is 6 and the guest's GID 5/),
  paged('tgid_unset', 'TGID is not set', 'tgid-gid', /GTLBC\.TGID is 0 and the guest's GID 5/),
  paged('era_unset', 'ERA is not written', 'entry-pc', /the host never wrote ERA/),
  paged(
    'era_host',
    'ERA holds an address of the host',
    'entry-pc',
    /an address of the host: ERA must hold the guest's PC/,
  ),
  paged('pie_off', 'PRMD.PIE is 0', 'host-interrupts', /PRMD\.PIE = 0/),
  paged(
    'a0_lost',
    'a0 of the guest is not restored',
    'guest-registers',
    /\$a0 of VM 1 was 0x66 .* comes from move \$a0, \$t0/,
  ),
  paged(
    'guest_ra',
    'ra of the guest is that of the host',
    'guest-registers',
    /\$ra of VM 1 was 0x67 .* from ld\.d \$ra, \$a0, 264/,
  ),
  paged(
    'guest_sp',
    'sp of the guest is that of the host',
    'guest-registers',
    /\$sp of VM 1 was .* from ld\.d \$sp, \$a0, 280/,
  ),
  paged(
    'slot_beside',
    'a register of the guest comes from the slot beside',
    'guest-registers',
    /\$s3 of VM 1 was 0x\w+1a .* is 0x\w+1b .* ld\.d \$s3, \$a0, 216/,
  ),
  // Leaving.
  paged('pgm_not_cleared', 'GSTAT.PGM is not cleared', 'pgm-cleared', /a return of the host, entered the guest/),
  paged(
    'tgid_not_cleared',
    'TGID is not cleared',
    'tgid-cleared',
    /GTLBC\.TGID is 5 while the host misses its own page/,
  ),
  paged(
    'tgid_early',
    'TGID is written in paged code before the entry (AxVisor)',
    'tgid-cleared',
    /GTLBC\.TGID is 5 while the host misses.*last written at 0x\w+ <run/,
  ),
  paged(
    'era_not_saved',
    'the PC of the exit is not saved',
    'entry-pc',
    /left at .* and is entered at .* must save ERA/,
  ),
  paged(
    'host_ra',
    'ra of the host comes from another slot',
    'host-pointer',
    /ret at .* \$ra = 0x0 comes from ld\.d .* it was saved at/,
  ),
  paged(
    'host_s0',
    's0 of the host is not restored',
    'host-registers',
    /\$s0 of the host came back different.* is the guest's/,
  ),
  paged(
    'host_sp',
    'sp of the host is not restored',
    'host-registers',
    /\$sp of the host came back different.* is the guest's/,
  ),
  paged('context_null', 'the context pointer is null', 'host-pointer', /\$a0 = 0x0 comes from move \$a0, \$zero/),
  paged(
    'pointer_in_tlbrsave',
    'the context pointer is kept in TLBRSAVE',
    'host-pointer',
    /TLBRSAVE was last written .* <refill>; before that, .* <enter/,
  ),
  paged('badv_of_refill', 'the GPA is read from TLBRBADV', 'gpa-register', /reads TLBRBADV after a PIS exit/),
  paged('gspr_not_skipped', 'PC stays on an emulated instruction', 'skip', /entered again at the GSPR .* add 4/),
  paged('hvcl_not_skipped', 'PC stays on the hvcl', 'skip', /entered again at the HVC .* add 4/),
  paged(
    'mmio_not_skipped',
    'PC stays on an emulated access',
    'skip',
    /GPA 0x1fe001e0 \(where this board has its uart0\).*PC \+ 4/,
  ),
  paged(
    'skip_after_map',
    'PC is advanced after a repaired fault',
    'no-skip-after-repair',
    /behind the instruction of its PIS exit .* the instruction is lost/,
  ),
  // Refills.
  paged(
    'refill_t0',
    'the refill handler does not restore t0',
    'guest-registers',
    /\$t0 of VM 1 was .* at its TLBR exit .* lddir/,
  ),
  paged(
    'refill_scratch',
    'the refill handler uses the scratch CSR of the exit path',
    'host-pointer',
    /SAVE5 was last written .* <refill>; before that, .* <enter/,
  ),
  paged(
    'refill_pgdh',
    'the refill handler walks PGDH for stage 2',
    'refill-fills',
    /fills GPA 0x100000 .* where the table has 0x4000013/,
  ),
  paged(
    'refill_level',
    'the refill handler walks a level too much',
    'refill-fills',
    /fills GPA 0x100000 .* where the table has 0x4000013/,
  ),
  paged(
    'refill_odd',
    'the refill handler does not load the odd page',
    'refill-fills',
    /\(odd page\) with 0x0 where the table has/,
  ),
  paged('refill_no_fill', 'the refill handler has no tlbfill', 'refill-fills', /has filled nothing/),
  paged('refill_pgm', 'the refill handler clears TLBRPRMD', 'refill-pgm', /TLBRPRMD\.PGM is 0 at ertn .*<refill/),
  paged(
    'refill_jump',
    'the refill handler is left by a jump (AxVisor)',
    'refill-returns',
    /leaves the refill handler by a jump: CRMD\.DA is still 1/,
  ),
  // Changes of stage 2.
  paged('invtlb_missing', 'no invtlb after a page is mapped', 'invtlb', /the TLB still has GPA 0x180000 as 0x0/),
  paged(
    'invtlb_gid_bits',
    'invtlb has the GID in the wrong bits',
    'invtlb',
    /names GID 0 \(rj = 0x5\) and the guest has 5/,
  ),
  paged('invtlb_guest_type', 'invtlb removes stage 1 alone', 'invtlb', /removes guest-type entries \(stage 1\) alone/),
  paged('invtlb_host', 'invtlb removes entries of the host', 'invtlb', /removes entries of the host alone \(GID 0\)/),
  paged(
    'move_no_invtlb',
    'no invtlb after a page has got another frame',
    'invtlb',
    /still has GPA 0x180000 as 0x4080013 .* has 0x4200013/,
  ),
  // Interrupts.
  paged(
    'timer_not_acknowledged',
    'the timer of the host is not acknowledged',
    'acknowledge',
    /line 11 \(TI\) .* handler of the host must write 1 to TICLR/,
  ),
  paged('line_stays', 'a line of the guest is never lowered', 'acknowledge', /line 2 \(HWI0\) .* GINTC\.HWIS = 0x1/),
  // The guest's own.
  paged(
    'guest_eentry_unset',
    'the guest does not write EENTRY',
    'vector-written',
    /this address is a vector: VM 1 took SYS/,
  ),
  paged(
    'guest_eentry_unaligned',
    'the vector of the guest is not aligned',
    'vector-aligned',
    /g_eentry was given 0x101040 and keeps 0x101000/,
  ),
  paged(
    'guest_tlbrentry_unset',
    'the guest does not write TLBRENTRY',
    'vector-written',
    /this address is a vector: VM 1 took TLBR/,
  ),
  paged(
    'guest_tlbrentry_virtual',
    'TLBRENTRY of the guest is virtual',
    'refill-physical',
    /g_tlbrentry was given the virtual address/,
  ),
  paged(
    'guest_dmw',
    'the window of the guest is not open to PLV0',
    'vector-mapped',
    /g_eentry .* DMW0 = 0x18, which is not open to PLV0/,
  ),
  paged('guest_pgdh_unset', 'the guest does not write PGDH', 'root-written', /g_pgdh is 0/),
  paged('guest_no_fill', 'the refill handler of the guest has no tlbfill', 'refill-fills', /has filled nothing/),
  paged(
    'guest_era_not_advanced',
    'the guest returns to its system call',
    'exception-return',
    /returns from SYS to the same instruction/,
  ),
  paged(
    'guest_stack',
    'the handler of the guest has no stack',
    'handler-stack',
    /faults itself, by PIS .* when it handles SYS/,
  ),
  paged('guest_fpd', 'the guest does not enable floating point', 'unit-enabled', /EUEN\.FPE still 0/),
  paged(
    'guest_null',
    'the guest uses a wrong pointer, and reports its end',
    'host-pointer',
    /\$t1 = 0x6000000000000000 comes from lu52i\.d/,
  ),
  paged('guest_jump_null', 'the guest jumps to 0', 'host-pointer', /jirl \$ra, \$zero, 0 at .* jumped there/),
  paged(
    'guest_ticlr',
    'the guest does not acknowledge its timer',
    'acknowledge',
    /handler of VM 1 must write 1 to TICLR/,
  ),
  paged('guest_line', 'the guest does not have its line lowered', 'acknowledge', /line 2 \(HWI0\)/),
  paged('guest_lie', 'the guest waits with no interrupt enabled', 'wake', /ECFG\.LIE = 0/),
  paged('guest_timer_unset', 'the guest waits for a timer that is off', 'wake', /TCFG\.En = 0/),
  // The reference hypervisor.
  reference('pgm-unset', 'hello', 'GSTAT.PGM is not set', 'pgm-set', /did not enter the guest: GSTAT\.PGM is 0/),
  reference('no-skip-hypercall', 'hello', 'PC stays on the hvcl', 'skip', /entered again at the HVC/),
  reference('no-skip-gspr', 'privileged', 'PC stays on an emulated instruction', 'skip', /entered again at the GSPR/),
  reference('no-skip-mmio', 'hello', 'PC stays on an emulated access', 'skip', /entered again at the PIS/),
  reference(
    'refill-level',
    'hello',
    'the refill handler leaves a level out',
    'refill-fills',
    /where the table has 0x1200053/,
  ),
  reference('refill-no-fill', 'hello', 'the refill handler has no tlbfill', 'refill-fills', /has filled nothing/),
  reference(
    'refill-loses-t0',
    'hello',
    'the refill handler does not restore t0',
    'guest-registers',
    /\$t0 of VM 1 was 0x0 at its TLBR exit/,
  ),
  reference('refill-clears-pgm', 'hello', 'the refill handler clears TLBRPRMD', 'refill-pgm', /TLBRPRMD\.PGM is 0/),
  reference(
    'exit-vector-unaligned',
    'hello',
    'the exit vector is not aligned',
    'vector-aligned',
    /eentry was given 0x\w+040 and keeps 0x\w+000/,
  ),
  reference('root-unset', 'hello', 'PGDL is not written', 'stage2-root', /the host never wrote PGDL/),
  reference('era-unset', 'hello', 'ERA is not written', 'entry-pc', /the host never wrote ERA/),
  reference('era-not-saved', 'hello', 'the PC of the exit is not saved', 'entry-pc', /must save ERA/),
  reference('geometry', 'hello', 'PWCL.Dir1_base is wrong', 'walk-geometry', /PWCL\.Dir1_base is 22/),
  reference('leaf-invalid', 'hello', 'V is missing in stage-2 entries', 'stage2-entry', /has a frame and V = 0/),
  reference('leaf-gpa', 'hello', 'stage 2 maps to the wrong frames', 'image-loaded', /holds nothing but zeros/),
  reference(
    'host-s0-lost',
    'hello',
    's0 of the host comes from the slot beside',
    'host-registers',
    /\$s0 of the host came back different/,
  ),
  reference(
    'pointer-in-refill-scratch',
    'hello',
    'the context pointer is kept in TLBRSAVE',
    'host-pointer',
    /TLBRSAVE was last written/,
  ),
];
