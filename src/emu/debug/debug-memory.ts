/** Memory as a debugger sees it: in the context of one world, without exceptions, TLB fills or device side effects. */
import type { Machine } from '../machine/machine.ts';
import type { DebugContext } from './context.ts';
import { physicalAddress, reachedBy } from './walk.ts';

const PAGE = 4096n;

/**
 * Translates an address. A page that the current privilege level may not access is read as PLV 0: the user who debugs a
 * process also wants to see the kernel.
 */
const physical = (machine: Machine, ctx: DebugContext, va: bigint): number | undefined =>
  physicalAddress(ctx, machine.ram, va) ?? physicalAddress(ctx, machine.ram, va, 0n);

/** For reading: a page that the hypervisor has removed is read where it was last. */
function readable(machine: Machine, ctx: DebugContext, va: bigint): number | undefined {
  const own = reachedBy(ctx, machine.ram, va);
  if (own.address !== undefined) return own.address;
  const kernel = reachedBy(ctx, machine.ram, va, 0n);
  return kernel.address ?? own.remembered ?? kernel.remembered;
}

/** Splits a virtual range at page borders and calls `each` for every piece. It ends when `each` returns false. */
function pieces(va: bigint, length: number, each: (va: bigint, length: number, done: number) => boolean): void {
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, va + BigInt(done));
    const n = Math.min(length - done, Number(PAGE - (at % PAGE)));
    if (!each(at, n, done)) return;
    done += n;
  }
}

/** Up to `length` bytes; fewer when the range reaches an unmapped page or a device. */
export function readVirtual(machine: Machine, ctx: DebugContext, va: bigint, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let got = 0;
  pieces(va, length, (at, n, done) => {
    const pa = readable(machine, ctx, at);
    if (pa === undefined) return false;
    const bytes = machine.ram.read(pa, n);
    out.set(bytes, done);
    got = done + bytes.length;
    return bytes.length === n;
  });
  return out.subarray(0, got);
}

/** Writes RAM, and drops the decoded code there. @returns false when a byte of the range is not writable RAM */
export function writeVirtual(machine: Machine, ctx: DebugContext, va: bigint, data: Uint8Array): boolean {
  let ok = true;
  pieces(va, data.length, (at, n, done) => {
    const pa = physical(machine, ctx, at);
    ok = pa !== undefined && machine.ram.has(pa);
    if (ok) writePhysical(machine, pa!, data.subarray(done, done + n));
    return ok;
  });
  return ok;
}

/** Writes physical RAM within a page. */
export function writePhysical(machine: Machine, pa: number, data: Uint8Array): void {
  machine.store(pa, data);
}
