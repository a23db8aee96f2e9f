/** `--dump-region PC`: what becomes of the code at an address, as it is translated. */
import { type Block, inPage } from '../emu/engine/translator/discover.ts';
import type { Translation, TranslationObserver } from '../emu/engine/translator/regions.ts';
import type { UopPage } from '../emu/engine/uop-page.ts';
import { disassemble } from '../emu/isa/disassembler.ts';
import type { Machine } from '../emu/machine/machine.ts';
import { moduleText } from '../emu/wasm/text.ts';

const PAGE_MASK = 0xfffn;
const hex = (v: bigint): string => `0x${v.toString(16)}`;

/** How a block ends, where its last instruction does not tell. `address` is that of a position in the page. */
function ending({ end }: Block, address: (at: number) => string): string | undefined {
  switch (end.kind) {
    case 'stop':
      return end.gate ? `${address(end.at)} by ${end.gate.name}` : `the interpreter goes on at ${address(end.at)}`;
    case 'jump':
      return end.likely.length ? `likely: ${end.likely.map(address).join(', ')}` : undefined;
    default:
      return undefined;
  }
}

/**
 * Prints each translated region with the instruction at an address: the guest's code, the WebAssembly text of its function, sizes.
 * A region belongs to physical pages; it is one at the address when one of them was there as an instruction became hot, or is there now.
 */
export class RegionDump implements TranslationObserver {
  readonly pc: bigint;
  private readonly machine: Machine;
  private readonly write: (text: string) => void;
  /** Pages that have been seen at the address. */
  private readonly pages = new Set<UopPage>();
  /** Regions printed so far. */
  count = 0;

  /** @param pc virtual address of an instruction */
  constructor(machine: Machine, pc: bigint, write: (text: string) => void) {
    this.machine = machine;
    this.pc = pc;
    this.write = write;
  }

  private get position(): number {
    return Number(this.pc & PAGE_MASK) / 4;
  }

  hot(page: UopPage): void {
    if (this.isAtPc(page)) this.pages.add(page);
  }

  /** Is the page at the address in the context that a CPU runs? */
  private isAtPc(page: UopPage): boolean {
    const [lo, hi] = [Number(BigInt.asIntN(32, this.pc)), Number(BigInt.asIntN(32, this.pc >> 32n))];
    return this.machine.cpus.some((cpu) => cpu.fast.fetchEntry(lo, hi) === page.base);
  }

  translated({ pageOf: page, blocks, bytes, parts }: Translation): void {
    const instructions = blocks.flatMap((b) => b.instructions);
    const here = instructions.find(
      ({ at }) => inPage(at) === this.position && (this.pages.has(page(at)) || this.isAtPc(page(at))),
    );
    if (!here) return;
    this.count++;
    const start = (this.pc & ~PAGE_MASK) - 4n * BigInt(here.at - inPage(here.at));
    const address = (at: number): string => hex(BigInt.asUintN(64, start + 4n * BigInt(at)));
    const out = [
      `region at ${address(blocks[0]!.start)}: ${instructions.length} instructions, blocks: ${blocks.length}, bytes of WebAssembly: ${bytes}`,
    ];
    for (const block of blocks) {
      out.push(`${address(block.start)}:`);
      for (const i of block.instructions)
        out.push(`  ${address(i.at)}  ${i.word.toString(16).padStart(8, '0')}  ${disassemble(i.word)}`);
      const end = ending(block, address);
      if (end) out.push(`  ; ${end}`);
    }
    this.write(`${out.join('\n')}\n${moduleText(parts)}`);
  }
}
