/** Memory as a debugger sees it: in the context of one world, without exceptions, TLB fills or device side effects. */
import type { Machine } from '../machine/machine.ts';
import type { DebugContext } from './context.ts';
import { physicalAddress } from './walk.ts';

const PAGE = 4096n;

/**
 * Where an address leads. What is closed to the level that runs is looked at as PLV 0 sees it: a debugger in a process wants
 * to see its kernel.
 */
const physical = (machine: Machine, ctx: DebugContext, va: bigint): number | undefined =>
  physicalAddress(ctx, machine.ram, va) ?? physicalAddress(ctx, machine.ram, va, 0n);

/** Calls `each` for the pieces of a virtual range that lie in one page; stops when it returns false. */
function pieces(va: bigint, length: number, each: (va: bigint, length: number, done: number) => boolean): void {
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, va + BigInt(done));
    const n = Math.min(length - done, Number(PAGE - (at % PAGE)));
    if (!each(at, n, done)) return;
    done += n;
  }
}

/** Up to `length` bytes; fewer when the range runs into something unmapped or into a device. */
export function readVirtual(machine: Machine, ctx: DebugContext, va: bigint, length: number): Uint8Array {
  const out = new Uint8Array(length);
  let got = 0;
  pieces(va, length, (at, n, done) => {
    const pa = physical(machine, ctx, at);
    if (pa === undefined) return false;
    const bytes = machine.ram.read(pa, n);
    out.set(bytes, done);
    got = done + bytes.length;
    return bytes.length === n;
  });
  return out.subarray(0, got);
}

/** Writes RAM; decoded code follows. @returns false when a byte of the range is not writable RAM */
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
  machine.uops.written(pa, data.length);
  machine.ram.write(pa, data);
}
