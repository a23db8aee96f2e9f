/**
 * Knowledge of the debugger about the hypervisor: its name, from a descriptor; where it keeps the registers of vCPUs that do
 * not run, from the layout in the descriptor or learned from its code; and which of its functions exchange registers.
 */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { ecodeOf } from '../../emu/cpu/exception-table.ts';
import { type ContextSource, HOST_WORLD, type SavedRegisters, type VcpuState } from '../../emu/debug/context.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { u64At } from '../../emu/formats/little-endian.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import { agrees, SavedContexts } from './contexts.ts';
import { type Descriptor, detect, type ImageSymbols } from './descriptor.ts';
import { withoutFiles } from './resolve.ts';
import { learningSaveArea, type SaveArea } from './save-area.ts';
import { searchSaveArea } from './save-search.ts';

const TLBR = ecodeOf('TLBR');
const LEARN = "; 'monitor context learn' finds the hypervisor's own copy";
const vcpuOf = (s: VcpuState): string => `${s.vm}.${s.vcpu}`;
/** A hypervisor may have a save area for each vCPU, or for each CPU. */
const placeOf = (s: VcpuState): string => `${vcpuOf(s)}.${s.cpu}`;
export class Awareness implements ContextSource {
  private readonly control: RunControl;
  private readonly machine: Machine;
  private readonly symbols: ImageSymbols;
  private readonly symbolize: Symbolizer;
  /** Save areas by the {@link placeOf} of their vCPU. */
  private readonly learned = new Map<string, SaveArea>();
  /** Those that a search has found, by vCPU: these know less. */
  private readonly searched = new Map<string, SaveArea>();
  private known: Descriptor | undefined;
  private looked = false;
  private contexts: SavedContexts | undefined;

  constructor(control: RunControl, symbols: ImageSymbols, symbolize: Symbolizer) {
    this.control = control;
    this.machine = control.machine;
    this.symbols = symbols;
    this.symbolize = symbolize;
  }

  /** The descriptor of the hypervisor. It is searched when the symbols have been read. */
  get descriptor(): Descriptor | undefined {
    const { symbols } = this;
    if (symbols.descriptor) this.adopt(symbols.descriptor());
    else if (!this.looked && symbols.names().length > 0) {
      this.looked = true;
      const known = detect(symbols);
      this.adopt(known && withoutFiles(known));
    }
    return this.known;
  }

  private adopt(known: Descriptor | undefined): void {
    if (known === this.known) return;
    this.known = known;
    const { contexts } = known ?? {};
    this.contexts = contexts && new SavedContexts(this.control, this.symbols, { ...known!, contexts });
  }

  private read(pa: number): bigint {
    return u64At(this.machine.ram.read(pa, 8)) ?? 0n;
  }

  /** Name of the function that a host address is in. */
  private functionAt(pc: bigint): string | undefined {
    return this.symbolize(HOST_WORLD, pc)?.replace(/\+0x[0-9a-f]+$/, '');
  }

  inTransition(cpu: Cpu): boolean {
    if (cpu.vm) return false;
    const here = this.functionAt(cpu.pc);
    if (here === undefined) return false;
    if (this.descriptor?.transition.includes(here)) return true;
    // The function with the ertn that enters guests, and the function at the vector of VM exits.
    const entry = cpu.events.lastEntry();
    const exit = cpu.events.lastException();
    return (
      (entry !== undefined && this.functionAt(entry.va) === here) ||
      (exit?.kind === 'exit' && this.functionAt(exit.vector) === here)
    );
  }

  isExchanged(s: VcpuState): boolean {
    const cpu = this.machine.cpus[s.cpu]!;
    return this.control.vcpuStates.leftLast(cpu) === s && this.inTransition(cpu);
  }

  /** The contexts of the hypervisor, where its descriptor says where they are. */
  private get saved(): SavedContexts | undefined {
    return this.descriptor && this.contexts;
  }

  /** Has the hypervisor a copy of the registers of a parked vCPU now? */
  private isSaved(s: VcpuState): boolean {
    // After a stage-2 refill nothing was saved: the registers have stayed in the CPU.
    return !s.running && s.ecode >= 0 && s.ecode !== TLBR && !this.isExchanged(s);
  }

  /** Is there a copy, and is its place unknown? */
  private isUnknown(s: VcpuState): boolean {
    return this.isSaved(s) && this.fromContext(s) === undefined && !this.learned.has(placeOf(s));
  }

  *learning(): Steps<number> {
    const { history, replayer, vcpuStates } = this.control;
    if (!history.enabled) throw new Error("learning needs the past, which is not kept: 'monitor reverse on'");
    const now = history.position;
    // Copies: a replay puts back what was known of the vCPUs at that time. The way to an exit begins at the one before it.
    const wanted = vcpuStates.vcpus().flatMap((s) => (this.isUnknown(s) ? [{ ...s }] : []));
    wanted.sort((a, b) => a.position - b.position);
    let found = 0;
    for (const s of wanted) {
      const area = yield* learningSaveArea(this.control, s);
      if (!area) continue;
      this.learned.set(placeOf(s), area);
      found++;
    }
    if (wanted.length) yield* replayer.going(now);
    return found;
  }

  vcpu(vm: number, vcpu: number): SavedRegisters | undefined {
    const s = this.control.vcpuStates.get(vm, vcpu);
    if (!s || !this.isSaved(s)) return undefined;
    const saved = this.fromContext(s) ?? this.fromArea(s);
    return saved && agrees(saved, s) ? saved : undefined;
  }

  /** From the descriptor's place, unless there is something else. */
  private fromContext(s: VcpuState): SavedRegisters | undefined {
    const saved = this.saved?.registers(s);
    return saved && agrees(saved, s) ? saved : undefined;
  }

  private fromArea(s: VcpuState): SavedRegisters | undefined {
    const learned = this.learned.get(placeOf(s));
    const own = vcpuOf(s);
    const known = [learned, this.searched.get(own)].map((area) => area && this.valuesIn(area));
    const good = known.find((saved) => saved && agrees(saved, s));
    if (good) return good;
    // On the CPU that it left last, another vCPU's context may be in use by now: then it is found after its next exit.
    const area = searchSaveArea(this.machine.cpus[s.cpu]!, this.machine.ram, s);
    if (!area) return undefined;
    this.searched.set(own, area);
    return this.valuesIn(area);
  }

  private valuesIn(area: SaveArea): SavedRegisters {
    const values = (places: ReadonlyMap<number, number>): Map<number, bigint> =>
      new Map([...places].map(([n, pa]) => [n, this.read(pa)]));
    return {
      source: `${this.descriptor ? `${this.descriptor.name}'s` : "the hypervisor's"} save area`,
      ...(area.pc !== undefined && { pc: this.read(area.pc) }),
      gpr: values(area.gpr),
      csr: values(area.csr),
    };
  }

  host(cpu: Cpu): SavedRegisters | undefined {
    const s = this.control.vcpuStates.on(cpu);
    if (!s) return undefined;
    const known = this.saved?.host(s);
    if (known) return known;
    const area = this.learned.get(placeOf(s));
    if (!area || area.host.size === 0) return undefined;
    const gpr = new Map([...area.host].map(([n, pa]) => [n, this.read(pa)]));
    const pc = gpr.get(1);
    return { source: 'the exit path', ...(pc !== undefined && { pc }), gpr, csr: new Map() };
  }

  describe(): string {
    const { name = 'not known by name', source } = this.descriptor ?? {};
    const out = [`hypervisor: ${name}${source === undefined ? '' : ` (${source})`}`];
    const list = this.control.vcpuStates.vcpus();
    for (const s of list) {
      const who = `VM ${s.vm} vcpu ${s.vcpu}`;
      const saved = this.vcpu(s.vm, s.vcpu);
      const at = this.saved?.physical(s);
      const place = at === undefined ? '' : `, context at physical 0x${at.toString(16)}`;
      if (s.running) out.push(`${who}: runs on cpu${s.cpu}${place}`);
      else if (saved)
        out.push(
          `${who}: parked, ${saved.gpr.size} general registers and ${saved.csr.size} CSRs from ${saved.source}${place}`,
        );
      else if (this.isExchanged(s))
        out.push(`${who}: parked, in transition on cpu${s.cpu}: shown as the hardware saw it leave${place}`);
      else out.push(`${who}: parked, shown as the hardware saw it leave${place}${this.isUnknown(s) ? LEARN : ''}`);
    }
    if (list.length === 0) out.push('no guest has run yet');
    return `${out.join('\n')}\n`;
  }
}
