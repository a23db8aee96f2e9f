/* TLB refill: runs in direct address mode at a physical address. The hypervisor itself lives in direct mapping windows
 * and never misses, so every refill is a guest's stage-2 miss: TLBRBADV is the GPA, PGD the VM's stage-2 table
 * (loaded by _run_guest), and GTLBC.TGID tags the new entry with the guest's GID.
 * The return goes straight back into the guest: TLBRPRMD.PGM was set when the miss left it. */
#include "csr.h"

  .text
  .balign 4096
  .globl _tlb_refill
_tlb_refill:
  csrwr $t0, CSR_TLBRSAVE   /* the one scratch register of this handler */
  csrrd $t0, CSR_PGD        /* stage-2 root */
  lddir $t0, $t0, 3         /* GPA 47:39 */
  lddir $t0, $t0, 2         /* GPA 38:30 */
  lddir $t0, $t0, 1         /* GPA 29:21, or a 2 MiB page */
  ldpte $t0, 0              /* even page to TLBRELO0 */
  ldpte $t0, 1              /* odd page to TLBRELO1 */
  tlbfill                   /* an entry that maps nothing has V = 0: the retry then exits with PIL, PIS or PIF */
  csrrd $t0, CSR_TLBRSAVE
  ertn
