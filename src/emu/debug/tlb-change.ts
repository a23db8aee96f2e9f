/** A change of a TLB in words. */
import type { Cpu } from '../cpu/cpu.ts';
import type { TlbChange } from '../cpu/observer.ts';
import { hex } from '../formats/hex.ts';

/** `tlbfill: stage 2 of VM 1 at 0x200000 entry #5`. It costs a search for the VM. */
export function describeTlbChange(cpu: Cpu, change: TlbChange): string {
  const whose =
    change.gid < 0 ? 'all guests' : change.gid === 0 ? 'the host' : `VM ${cpu.events.vmOf(change.gid, cpu.now)}`;
  const tlb = change.guestType ? cpu.gtlb : cpu.htlb;
  const stage = change.guestType ? 'stage 1' : change.gid === 0 ? 'VA' : 'stage 2';
  const vppn = change.index < 0 ? change.vppn : tlb.vppn[change.index]!;
  const at = vppn < 0 ? '' : ` at ${hex(BigInt(vppn) << 13n)}`;
  const entry = change.index < 0 ? '' : ` entry #${change.index}`;
  return `${change.by}: ${stage} of ${whose}${at}${entry}`;
}
