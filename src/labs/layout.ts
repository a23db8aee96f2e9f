/** Where the parts of a lab's program are: labs/lib/link.ld, for the linker of the page. */
import type { Layout, Output } from '../emu/assembler/link.ts';

/** The hypervisor runs in the cached window. */
const BASE = 0x9000000001000000n;
const PHYSICAL = 0xffff_ffff_ffffn;
/** The guest-physical address of the guest's code. */
const GUEST = 0x200000n;
const PAGE = 0x1000n;
const STACK = 0x4000n;

const up = (x: bigint, to: bigint): bigint => ((x + to - 1n) / to) * to;
const physical = (at: bigint): bigint => at & PHYSICAL;
const stackTop = (end: bigint): bigint => up(end, PAGE) + STACK;
const guestImage = (end: bigint): bigint => stackTop(end) + PAGE;
const endOf = ({ at, size }: Output): bigint => at + BigInt(size);

const plan = { loadedAt: physical, writable: false, executable: false };

export const LAB_LAYOUT: Layout = {
  entry: '_start',
  sections: [
    {
      ...plan,
      name: '.text',
      takes: [/^\.text\.boot$/, /^\.text$|^\.text\.(?!boot$)/],
      at: () => BASE,
      executable: true,
    },
    { ...plan, name: '.rodata', takes: [/^\.rodata\.str/, /^\.s?rodata(\.(?!str)|$)/], at: (end) => up(end, 16n) },
    { ...plan, name: '.data', takes: [/^\.s?data(\.|$)/], at: (end) => up(end, PAGE), writable: true },
    { ...plan, name: '.bss', takes: [/^\.s?bss(\.|$)/], at: (end) => up(end, 16n), writable: true },
    {
      ...{ name: '.guest', takes: [/^\.guest$/], at: () => GUEST, writable: false, executable: true },
      loadedAt: (_, end) => physical(guestImage(end)),
    },
  ],
  tableBehind: '.bss',
  symbols: (outputs) => {
    const [guest, bss] = ['.guest', '.bss'].map((name) => outputs.find((o) => o.name === name)!) as [Output, Output];
    const end = endOf(bss);
    return new Map([
      ['stack_top', stackTop(end)],
      ['guest_image', guestImage(end)],
      ['guest_size', BigInt(guest.size)],
    ]);
  },
};
