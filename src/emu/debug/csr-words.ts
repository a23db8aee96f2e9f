/** Who wrote a CSR last, in words. */
import type { Cpu } from '../cpu/cpu.ts';
import { csrByNumber } from '../cpu/csr-table.ts';
import { type CsrWrite, HOST_OWN, HOST_TO_BANK } from '../cpu/csr-writers.ts';
import { hex } from '../formats/hex.ts';
import { HOST_WORLD } from './context.ts';
import type { Symbolizer } from './symbolizer.ts';

/** An address with its name. */
export const address = (name: Symbolizer, world: number, a: bigint): string => {
  const symbol = name(world, a);
  return symbol ? `${hex(a)} <${symbol}>` : hex(a);
};

/** gdb's name of a CSR as seen from the host: those of a guest have the prefix `g_`. */
export const csrName = (world: number, num: number): string =>
  `${world === HOST_WORLD ? '' : 'g_'}${csrByNumber(num)?.name.toLowerCase() ?? hex(num)}`;

/** The last write of a CSR of a world; undefined when there was none. */
export function lastWrite(cpu: Cpu, world: number, num: number): CsrWrite | undefined {
  if (world === HOST_WORLD) return cpu.writers.last(HOST_OWN, num);
  const write = cpu.writers.lastOfGuest(num, (gid, time) => cpu.events.vmOf(gid, time) === world);
  return write && write.owner > 0 ? { ...write, owner: world } : write;
}

/**
 * Has a world ever written its CSR? A vCPU may have done so on another CPU: then it no longer has its reset value. Where VMs are not
 * numbered it may have done so under another GID, too: then it is not known which of them wrote it, and yes is the careful answer.
 */
export function hasWritten(cpu: Cpu, world: number, num: number): boolean {
  if (world === HOST_WORLD || cpu.hasWrittenCsr(world, num)) return cpu.hasWrittenCsr(world, num);
  if (!cpu.events.numbered && cpu.writers.writtenByGuest(num)) return true;
  return cpu.guest.get(num) !== (csrByNumber(num)?.reset ?? 0n);
}

/** `written at 0x… <f+0x10> (tick 5)` or `never written`. */
export function describeWrite(w: CsrWrite | undefined, name: Symbolizer): string {
  if (!w) return 'never written';
  const byHost = w.owner === HOST_TO_BANK || w.owner === HOST_OWN;
  const who = w.owner === HOST_TO_BANK ? ' by the host for its guest' : '';
  return `last written${who} at ${address(name, byHost ? HOST_WORLD : w.owner, w.pc)}, tick ${w.time}`;
}
