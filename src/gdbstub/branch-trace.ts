/**
 * `record btrace bts`: the last branches of a thread, found by a replay of the last instructions. Nothing is recorded while
 * the machine runs, so the trace also covers the time before gdb enabled it.
 */
import type { Cpu } from '../emu/cpu/cpu.ts';
import { CRMD, DMW } from '../emu/cpu/csr-fields.ts';
import { CSR, fieldNamed } from '../emu/cpu/csr-table.ts';
import type { Steps } from '../emu/runtime/steps.ts';
import type { Target } from './target.ts';
import type { Thread } from './threads.ts';

/** Instructions that a trace holds at most, and blocks. */
const LENGTH = 20_000;
const MOST_BLOCKS = 4000;

interface Block {
  readonly begin: bigint;
  /** Address of the last instruction. */
  readonly end: bigint;
}

/** Does the host run at physical addresses, as in a refill handler? */
const isDirect = ({ host }: Cpu): boolean => (host.lo(CSR.CRMD) & CRMD.DA) !== 0;

/**
 * The base of the direct mapping window in which the host reaches memory at PLV0: by it gdb can read code that ran at its physical
 * address, and finds its name. 0 without one.
 */
function windowBase({ host }: Cpu): bigint {
  const windows = [0, 1].map((n) => host.get(CSR.DMW0 + n)).filter((w) => w & BigInt(DMW.PLV0));
  const cached = windows.find((w) => fieldNamed('DMW0', 'MAT', w) === 1) ?? windows[0];
  return cached === undefined ? 0n : (cached >> 60n) << 60n;
}

export class BranchTrace {
  private readonly target: Target;
  private enabledFor = new Set<string>();
  private size = 0x10000;

  constructor(target: Target) {
    this.target = target;
  }

  private static key(t: Thread): string {
    return `${t.pid}.${t.tid}`;
  }

  get enabled(): boolean {
    return this.enabledFor.has(BranchTrace.key(this.target.current));
  }

  /** Size of the buffer that gdb asks for, in bytes. */
  set bufferSize(bytes: number) {
    this.size = bytes;
  }

  enable(on: boolean): void {
    const key = BranchTrace.key(this.target.current);
    if (on) this.enabledFor.add(key);
    else this.enabledFor.delete(key);
  }

  /** Blocks of straight code that the selected thread has executed, the newest first. */
  private *blocks(): Steps<Block[]> {
    const { control, current } = this.target;
    const { cpu, vm } = current;
    const now = control.history.position;
    const pc = this.target.context.pc();
    const window = isDirect(cpu) ? 0n : windowBase(cpu);
    const blocks: Block[] = [];
    let open: { begin: bigint; end: bigint } | undefined;
    yield* control.replayer.replayingEach(cpu, now - LENGTH, now, (c) => {
      if (c !== cpu || (vm !== undefined && c.world !== vm)) return;
      const at = !c.vm && isDirect(c) ? c.pc | window : c.pc;
      if (open && at === open.end + 4n) open.end = at;
      else {
        if (open) blocks.push(open);
        open = { begin: at, end: at };
      }
    });
    // The newest block ends at the instruction that comes next.
    if (open && pc === open.end + 4n) blocks.push({ begin: open.begin, end: pc });
    else {
      if (open) blocks.push(open);
      blocks.push({ begin: pc, end: pc });
    }
    const most = Math.min(MOST_BLOCKS, Math.max(2, this.size >> 4));
    return blocks.slice(-most).reverse();
  }

  *document(): Steps<string> {
    const list = (yield* this.blocks()).map(
      (b) => `<block begin="0x${b.begin.toString(16)}" end="0x${b.end.toString(16)}"/>`,
    );
    return `<?xml version="1.0"?><!DOCTYPE btrace SYSTEM "btrace.dtd"><btrace version="1.0">${list.join('')}</btrace>`;
  }

  configuration(): string {
    const size = `0x${this.size.toString(16)}`;
    return `<?xml version="1.0"?><!DOCTYPE btrace-conf SYSTEM "btrace-conf.dtd"><btrace-conf version="1.0"><bts size="${size}"/></btrace-conf>`;
  }
}
