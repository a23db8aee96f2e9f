/** `monitor info stage2` and `info pagetable`: what tables map. */
import { CSR } from '../../emu/cpu/csr-table.ts';
import type { DebugContext } from '../../emu/debug/context.ts';
import { anyGuestContext } from '../../emu/debug/context.ts';
import { type ListedTable, type MappedRange, mappedRanges } from '../../emu/debug/table-listing.ts';
import { registersOf, walkStage2 } from '../../emu/debug/walk.ts';
import { hex } from '../../emu/formats/hex.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';
import { type Command, lines, notYet, parseWorld } from './command.ts';

/** Most ranges in an answer. */
const MOST_LINES = 200;
const PHYSICAL = (1n << 48n) - 1n;
/** Where the upper half of the address space begins, in which PGDH is the root. */
const HIGH = 0xffff_8000_0000_0000n;

const line = ({ from, to, at, ps, rights }: MappedRange, base: bigint): string =>
  `  ${hex(base + BigInt(from))}-${hex(base + BigInt(to - 1))} -> ${hex(at)}  pages of 2^${ps}, ${rights}`;

function* listing(title: string, table: ListedTable, base: bigint): Steps<string[]> {
  const { ranges, cut } = yield* mappedRanges(table, MOST_LINES);
  const head = `${title} at ${hex(table.root)}: ${ranges.length === 0 ? 'nothing is mapped' : `${ranges.length} ranges`}`;
  return [head, ...ranges.map((r) => line(r, base)), ...(cut ? ['  … and more'] : [])];
}

function* stage2(s: Target, args: readonly string[]): Steps<string> {
  if (args.length > 1) throw new Error('one VM expected');
  const { vms } = s.control.vcpuStates;
  const number = args[0] === undefined ? (s.guestContext?.world ?? 0) : parseWorld(s, args[0]);
  const vm = vms.get(number);
  if (!vm) throw number > 0 ? notYet(s, number) : new Error('which VM? None is selected: give its number');
  const { cpu } = s.current;
  const root = Number(vm.root & PHYSICAL);
  const table = { csr: cpu.host, ram: s.machine.ram, root, place: (slot: number) => slot, invalid: true };
  return lines(yield* listing(`stage-2 table of VM ${number}`, table, 0n));
}

/** Where an address of the tables of a world is in physical memory. */
function placeOf(s: Target, ctx: DebugContext): (slot: number) => number | undefined {
  if (ctx.world < 0) return (slot) => slot;
  return (slot) => {
    const { address } = walkStage2(ctx, s.machine.ram, ctx.gid, BigInt(slot));
    return address === undefined ? undefined : Number(address);
  };
}

function* pageTable(s: Target, args: readonly string[]): Steps<string> {
  if (args.length > 1) throw new Error('one world expected');
  const { vcpuStates, contexts, machine } = s.control;
  const world = args[0] === undefined ? undefined : parseWorld(s, args[0]);
  const ctx =
    world === undefined || world < 0
      ? s.context
      : anyGuestContext(machine.cpus, s.current.cpu, world, vcpuStates, contexts);
  if (!ctx) throw notYet(s, world!);
  const csr = registersOf(ctx, undefined);
  const place = placeOf(s, ctx);
  const out: string[] = [];
  for (const [title, num, base] of [
    ['lower half (PGDL)', CSR.PGDL, 0n],
    ['upper half (PGDH)', CSR.PGDH, HIGH],
  ] as const) {
    const root = Number(ctx.csr(num) & PHYSICAL);
    out.push(...(yield* listing(title, { csr, ram: machine.ram, root, place }, base)));
  }
  return lines(out);
}

export const TABLE_COMMANDS: readonly Command[] = [
  {
    name: 'info stage2',
    args: '[VM]',
    help: "all that a VM's stage-2 table maps: guest physical to physical",
    run: stage2,
  },
  {
    name: 'info pagetable',
    args: '[host|VM]',
    help: 'all that the page tables of a world map',
    run: pageTable,
  },
];
