/** Explains a vCPU that no CPU runs: where it left, and whether something can bring it back. */

import { CSR, csrByNumber } from '../cpu/csr-table.ts';
import { ecodeOf, exceptionByCode } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { u32At } from '../formats/little-endian.ts';
import { decode } from '../isa/decoder.ts';
import { disassemble } from '../isa/disassembler.ts';
import { STATE } from '../memory/layout.ts';
import { guestContext, type VcpuState } from './context.ts';
import { address, csrName } from './csr-words.ts';
import { readVirtual } from './debug-memory.ts';
import { fieldsInWords, INTERRUPT_LINES } from './decode-number.ts';
import type { RunControl } from './run-control.ts';
import type { Symbolizer } from './symbolizer.ts';
import { whyNoWake } from './waits.ts';
import { ruleOf } from './why/rules.ts';

const GSPR = ecodeOf('GSPR');
/** What decides about waking. */
const SHOWN = [CSR.CRMD, CSR.ECFG, CSR.ESTAT, CSR.TCFG] as const;

interface Left {
  readonly pc: bigint;
  readonly word: number | undefined;
  readonly idles: boolean;
  /** Why nothing can end its idle; undefined when something can, or it does not wait. */
  readonly stuck: string | undefined;
  readonly csr: (num: number) => bigint;
}

/** Where a vCPU left, by the registers that the hardware had then. */
function leftAt(control: RunControl, v: VcpuState): Left | undefined {
  const { machine, vcpuStates } = control;
  const ctx = guestContext(machine.cpus, v.vm, v.vcpu, vcpuStates);
  if (!ctx || v.running || v.ecode < 0) return undefined;
  const pc = v.state[STATE.pc >> 3]!;
  const word = u32At(readVirtual(machine, ctx, pc, 4));
  const idles = v.ecode === GSPR && word !== undefined && decode(word)?.name === 'idle';
  return { pc, word, idles, stuck: idles ? whyNoWake(ctx.csr) : undefined, csr: ctx.csr };
}

/** The vCPUs that wait in `idle`, and that nothing can wake: a line each. */
export function parkedForEver(control: RunControl, name: Symbolizer): string[] {
  return control.vcpuStates.vcpus().flatMap((v) => {
    const vm = control.vcpuStates.vms.get(v.vm);
    const left = vm?.ended ? undefined : leftAt(control, v);
    return left?.stuck === undefined
      ? []
      : [`VM ${v.vm} vcpu ${v.vcpu} waits in idle at ${address(name, v.vm, left.pc)}, and ${left.stuck}`];
  });
}

/** @returns undefined when a CPU runs it, it has never been entered, or its exit is the newest event of its CPU: then that is explained */
export function explainParked(control: RunControl, vm: number, vcpu: number, name: Symbolizer): string[] | undefined {
  const v = control.vcpuStates.get(vm, vcpu);
  const left = v && leftAt(control, v);
  if (!left) return undefined;
  const newest = control.machine.cpus[v.cpu]!.events.lastException();
  if (newest?.kind === 'exit' && newest.world === vm) return undefined;
  const { pc, word, idles, stuck, csr } = left;
  const cause = exceptionByCode(v.ecode, 0);
  const ago = control.machine.cpus[v.cpu]!.now - v.time;
  const out = [
    `VM ${vm} vcpu ${vcpu} is parked: it left cpu${v.cpu} ${ago} ticks ago by ${cause?.name ?? hex(v.ecode)} (${cause?.text ?? 'reserved code'}), and has not been entered since`,
    `  pc          ${address(name, vm, pc)}${word === undefined ? '' : `: ${disassemble(word)} (word ${hex(word)})`}`,
    ...SHOWN.map((num) => {
      const fields = fieldsInWords(csrByNumber(num)!, csr(num));
      return `  csr         ${csrName(vm, num)} = ${hex(csr(num))}${fields && ` [${fields}]`}`;
    }),
  ];
  if (stuck !== undefined) {
    const { must, section } = ruleOf('wake');
    out.push(`  cause       VM ${vm} waits in idle, and ${stuck}`, `  rule        ${must} (docs/lvz.md, ${section})`);
  } else if (idles) {
    const enabled = Number(csr(CSR.ECFG));
    const lines = INTERRUPT_LINES.filter((_, n) => (enabled >> n) & 1).join(' ');
    out.push(`  waits for   ${lines} (ECFG.LIE): the hypervisor enters it again when one of them is pending`);
  } else out.push('  look at     what the hypervisor does for this exit: it has not come to the next entry');
  return out;
}
