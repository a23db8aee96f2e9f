/**
 * The world-switch auditor (`--audit worldswitch`): checks every guest entry and every return from a guest, and reports what a
 * hypervisor forgot to save, to restore, to set or to invalidate. It needs the symbols of the hypervisor only to find the function
 * that enters guests; the other checks need nothing.
 */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { CSR, CSRS, type CsrName, csrByNumber, type FieldName, fieldNamed } from '../../emu/cpu/csr-table.ts';
import { HOST_TO_BANK } from '../../emu/cpu/csr-writers.ts';
import { ecodeOf, exceptionByCode } from '../../emu/cpu/exception-table.ts';
import type { TlbChange } from '../../emu/cpu/observer.ts';
import { HOST_WORLD, hostContext } from '../../emu/debug/context.ts';
import { hasWritten } from '../../emu/debug/csr-words.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { MemoryObserver } from '../../emu/debug/stop.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { walk } from '../../emu/debug/walk.ts';
import { remarksAt } from '../../emu/debug/why/remarks.ts';
import type { Values } from '../../emu/debug/why/values.ts';
import { hex } from '../../emu/formats/hex.ts';
import { u32At } from '../../emu/formats/little-endian.ts';
import { decode } from '../../emu/isa/decoder.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { operandValue } from '../../emu/isa/row.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import { detect, type ImageSymbols } from '../awareness/descriptor.ts';
import { type Finding, Findings } from './findings.ts';
import { HostState } from './host-state.ts';
import { Stage2Entries, type Stale } from './stage2-entries.ts';
import { WrittenMemory } from './written-memory.ts';

/** A field of a host CSR. */
const hostField = <N extends CsrName>(cpu: Cpu, name: N, field: FieldName<N>): number =>
  fieldNamed(name, field, cpu.host.get(CSR[name]));
/** Guest CSRs that are computed or constant, so that no hypervisor restores them. */
const COMPUTED = new Set<string>(['PGD', 'TICLR', 'PRCFG1', 'PRCFG2', 'PRCFG3']);
const SWITCHED = CSRS.filter((r) => r.guest === 'own' && !COMPUTED.has(r.name) && r.num < 0x200);
/** Calls of an entry function with the same arguments whose loads are looked at: the first ones, then at powers of two. */
const FIRST_CALLS = 4;
/** Most different arguments that are counted. */
const MOST_CONTEXTS = 1024;
const TLBR = ecodeOf('TLBR');

/** The state of the auditor for a CPU. */
interface CpuWatch {
  /** Host state at the first instruction of the entry function, and whether the function has not returned yet. */
  readonly state: HostState;
  called: boolean;
  /** Between that instruction and the `ertn`, where loads are looked at: guest registers are being loaded. */
  loading: boolean;
  /** A guest has run since. */
  left: boolean;
  /** The vCPU that had the guest bank last, and the time of its entry. */
  vm: number;
  vcpu: number;
  entered: number;
}

export class WorldSwitchAudit implements MemoryObserver {
  readonly findings: Findings;
  private readonly control: RunControl;
  private readonly machine: Machine;
  private readonly symbols: ImageSymbols;
  private readonly symbolize: Symbolizer;
  private readonly cpus = new Map<Cpu, CpuWatch>();
  private readonly memory = new WrittenMemory();
  private readonly stage2: Stage2Entries;
  private readonly functions = new Set<bigint>();
  private readonly returns = new Set<bigint>();
  /** How often entry functions were called, by their arguments. */
  private readonly calls = new Map<string, number>();
  private switches = 0;

  /** @param tell called for each new finding */
  constructor(control: RunControl, symbols: ImageSymbols, symbolize: Symbolizer, tell: (finding: Finding) => void) {
    this.control = control;
    this.machine = control.machine;
    this.symbols = symbols;
    this.symbolize = symbolize;
    this.findings = new Findings(tell);
    this.stage2 = new Stage2Entries(this.machine.ram, this.machine.cpus);
    for (const { pa, size } of this.machine.loadedRanges()) this.memory.mark(pa, size);
    for (const cpu of this.machine.cpus) {
      const none = { called: false, loading: false, left: false, vm: 0, vcpu: -1, entered: -1 };
      this.cpus.set(cpu, { state: new HostState(), ...none });
      cpu.observe({
        entered: (c) => this.quietly(() => this.entered(c)),
        exception: (c) => {
          if (this.isUnhandled(c)) this.quietly(() => this.exception(c));
        },
        unwrittenRead: (c, num) => this.quietly(() => this.unwrittenRead(c, num)),
        tlbChanged: (c, change) => {
          if (change.index >= 0 && !change.guestType) this.stage2.filled(c, change);
          if (change.doubled) this.quietly(() => this.doubled(c, change));
        },
      });
    }
    control.hooks.observeMemory(this);
    const known = (symbols.descriptor ? symbols.descriptor() : detect(symbols))?.entry;
    const start = known === undefined ? undefined : symbols.address(known);
    if (start !== undefined) this.watchFunction(start);
  }

  /** The result in words, one line a finding. */
  summary(): string[] {
    const list = this.findings.list();
    const found = list.length === 0 ? 'nothing found' : `${list.length} finding${list.length > 1 ? 's' : ''}`;
    const head =
      this.switches === 0 ? `no guest was ever entered: ${found}` : `${this.switches} guest entries, ${found}`;
    return [
      head,
      ...list.map((f) => `${f.check}: ${f.text}${f.count > 1 ? ` (${f.count} times)` : ''}`),
      ...this.notes(),
    ];
  }

  /** What is no mistake, but may be of interest. */
  private notes(): string[] {
    return this.stage2.aged.map(
      ([vm, pages]) =>
        `note: stage 2 of VM ${vm}: V of ${pages} ${pages > 1 ? 'pages' : 'page'} was cleared without an invtlb, and the frame stayed. This is right if pages are aged; to take a page away, an invtlb is needed`,
    );
  }

  private quietly(body: () => void): void {
    if (!this.control.repeating) body();
  }

  private at(pc: bigint, world = HOST_WORLD): string {
    const name = this.symbolize(world, pc);
    return name ? `${hex(pc)} <${name}>` : hex(pc);
  }

  /** A `tlbfill` for an address that the TLB had an entry for. */
  private doubled(cpu: Cpu, { guestType, gid, index }: TlbChange): void {
    // A refill under the wrong GID comes again and again; the check of TGID tells of that.
    if (!guestType && hostField(cpu, 'TLBRPRMD', 'PGM') && gid !== cpu.gid) return;
    const tlb = guestType ? cpu.gtlb : cpu.htlb;
    const entry = tlb.view(index);
    const number = this.control.vcpuStates.vms.byGid(gid)?.number;
    const vm = number === undefined ? `gid ${gid}, with which no guest was entered yet` : `VM ${number}`;
    const whose = guestType ? vm : gid === 0 ? 'the host' : `stage 2 of ${vm}`;
    const { world } = cpu;
    this.findings.add(
      'two TLB entries',
      `${world}:${cpu.pc}`,
      `tlbfill at ${this.at(cpu.pc, world)} fills ${hex(BigInt(entry.vppn) << 13n)} (${whose}), which the TLB already maps: hardware has two entries then, and may use either; an invtlb is missing`,
    );
  }

  // --- guest entry ---------------------------------------------------------------------------------------------------------

  private entered(cpu: Cpu): void {
    const w = this.cpus.get(cpu)!;
    const entry = cpu.events.at(0)!;
    this.switches++;
    const from = entry.va;
    w.loading = false;
    w.left = true;
    // A return from a stage-2 refill is not an entry that the hypervisor has prepared.
    const before = cpu.events.at(1);
    const prepared = before?.ecode !== TLBR || before?.kind !== 'exit';
    if (prepared) {
      this.learnFunction(cpu, from);
      this.checkControls(cpu, from);
      this.checkBank(cpu, w);
      for (const s of this.stage2.stale(cpu, cpu.gid)) this.stale(cpu, s);
    }
    w.vm = cpu.world;
    w.vcpu = this.control.vcpuStates.on(cpu)?.vcpu ?? 0;
    w.entered = entry.time;
  }

  private stale(cpu: Cpu, s: Stale): void {
    const whose = s.foreign
      ? `the table of VM ${s.vm}, which had its GID before, gave it`
      : 'its table no longer has: at that time';
    this.findings.add(
      'stale stage-2 entry',
      `${s.vm}:${s.foreign}`,
      `a guest was entered on cpu${cpu.index} with a TLB entry of VM ${s.vm} for GPA ${hex(s.gpa)} that ${whose} ${s.was}, now ${s.is}; an invtlb is missing`,
    );
  }

  /** From now on, host state is checked at the function that contains the `ertn`. */
  private learnFunction(cpu: Cpu, ertn: bigint): void {
    const name = this.symbolize(HOST_WORLD, ertn)?.replace(/\+0x[0-9a-f]+$/, '');
    // The symbol may be a label inside a function: the symbol before it, which is called, is the function.
    let start = name === undefined ? undefined : this.symbols.address(name);
    if (start === ertn) start = this.functionBefore(ertn);
    if (start === undefined || this.functions.has(start)) return;
    const entry = start;
    this.control.defer(cpu, () => this.watchFunction(entry));
  }

  /** Host state is recorded when this function is called. */
  private watchFunction(start: bigint): void {
    this.functions.add(start);
    this.control.comparators.insert({
      owner: this,
      scope: 'host',
      va: start,
      hardware: false,
      when: (c) => this.called(c),
    });
  }

  /** The nearest symbol before an address that is not the address itself. */
  private functionBefore(address: bigint): bigint | undefined {
    const name = this.symbolize(HOST_WORLD, address - 4n)?.replace(/\+0x[0-9a-f]+$/, '');
    return name === undefined ? undefined : this.symbols.address(name);
  }

  /** A CPU is at the first instruction of the entry function. */
  private called(cpu: Cpu): boolean {
    if (this.control.repeating) return false;
    const w = this.cpus.get(cpu)!;
    w.state.take(cpu);
    w.called = true;
    w.left = false;
    w.loading = this.isWorthLooking(cpu);
    // From here to the ertn, every load must be reported.
    if (w.loading) cpu.fast.clearData(HOST_WORLD);
    const back = w.state.returnAddress;
    if (!this.returns.has(back)) {
      this.returns.add(back);
      this.control.defer(cpu, () => {
        this.control.comparators.insert({
          owner: this,
          scope: 'host',
          va: back,
          hardware: false,
          when: (c) => this.returned(c, back),
        });
      });
    }
    return false;
  }

  /** Memory that was never written is found at the first calls, which cost time. The arguments say whose registers are loaded. */
  private isWorthLooking(cpu: Cpu): boolean {
    const key = `${cpu.gpr(4)}:${cpu.gpr(5)}`;
    const calls = (this.calls.get(key) ?? 0) + 1;
    if (calls > 1 || this.calls.size < MOST_CONTEXTS) this.calls.set(key, calls);
    return calls <= FIRST_CALLS || (calls & (calls - 1)) === 0;
  }

  /** Checks the CSRs that decide what the guest may do, and where its exits and TLB misses go, by the rules. */
  private checkControls(cpu: Cpu, from: bigint): void {
    for (const { rule, text } of remarksAt('entered', this.valuesOf(cpu)))
      this.findings.add(
        rule.id === 'vector-written' ? 'CSR never initialised' : 'control register',
        rule.id,
        `at ${this.at(from)} ${text}`,
      );
  }

  private valuesOf(cpu: Cpu): Values {
    const { machine, symbolize: name } = this;
    return { cpu, machine, world: HOST_WORLD, csr: (num) => cpu.host.get(num), name };
  }

  /** Checks for guest CSRs whose values the previous vCPU has left in the bank. */
  private checkBank(cpu: Cpu, w: CpuWatch): void {
    const vcpu = this.control.vcpuStates.on(cpu)?.vcpu ?? 0;
    if (w.vcpu < 0 || (w.vm === cpu.world && w.vcpu === vcpu)) return;
    const left = SWITCHED.filter((r) => {
      const write = cpu.writers.last(HOST_TO_BANK, r.num);
      return (write === undefined || write.time < w.entered) && cpu.guest.get(r.num) !== r.reset;
    });
    for (const r of left)
      this.findings.add(
        'guest CSR left over',
        r.name,
        `VM ${cpu.world} vcpu ${vcpu} is entered on cpu${cpu.index} with g_${r.name.toLowerCase()} = ${hex(cpu.guest.get(r.num))} as VM ${w.vm} vcpu ${w.vcpu} left it: it is not restored`,
      );
  }

  // --- guest exit ----------------------------------------------------------------------------------------------------

  /** The entry function's caller has control again. */
  private returned(cpu: Cpu, back: bigint): boolean {
    const w = this.cpus.get(cpu)!;
    if (this.control.repeating || !w.called || !w.left || w.state.returnAddress !== back) return false;
    w.called = false;
    w.left = false;
    for (const d of w.state.differences(cpu))
      this.findings.add(
        d.name.startsWith('$') ? 'host register' : 'host CSR',
        `${d.name}:${back}`,
        `${d.name} came back different: ${hex(d.before)} before the guest ran, ${hex(d.after)} at ${this.at(back)}`,
      );
    for (const { rule, text } of remarksAt('host', this.valuesOf(cpu)))
      this.findings.add('host CSR', `${rule.id}:${back}`, `${text}; seen at ${this.at(back)}`);
    return false;
  }

  /** May the exception that was delivered have no handler? It is asked at each one. */
  private isUnhandled(cpu: Cpu): boolean {
    if (cpu.events.lastIsExit) return false;
    const num = cpu.events.lastEcode === TLBR ? CSR.TLBRENTRY : CSR.EENTRY;
    return cpu.csr.lo(num) === 0 && cpu.csr.hi(num) === 0;
  }

  private exception(cpu: Cpu): void {
    const r = cpu.events.at(0)!;
    const refill = exceptionByCode(r.ecode, r.esub)?.name === 'TLBR';
    const num = refill ? CSR.TLBRENTRY : CSR.EENTRY;
    if (hasWritten(cpu, r.world, num)) return;
    const who = r.world < 0 ? 'the host' : `VM ${r.world}`;
    this.findings.add(
      'CSR never initialised',
      `${r.world}:${num}`,
      `${who} took ${exceptionByCode(r.ecode, r.esub)?.name} at ${this.at(r.pc, r.world)} and never wrote ${csrByNumber(num)!.name}: it went to ${hex(r.vector)}`,
    );
  }

  private unwrittenRead(cpu: Cpu, num: number): void {
    const { pc } = cpu;
    this.findings.add(
      'CSR never initialised',
      `read:${num}:${pc}`,
      `the host reads ${csrByNumber(num)!.name} at ${this.at(pc)} and has never written it`,
    );
  }

  // --- memory --------------------------------------------------------------------------------------------------------

  watchesAll(cpu: Cpu): boolean {
    return !cpu.vm && this.cpus.get(cpu)!.loading;
  }

  stored(_cpu: Cpu, pa: number, size: number): void {
    this.memory.stored(pa, size);
    this.stage2.stored(pa, size);
  }

  /** What guests and programs write is of no interest word by word; the tables of stage 2 always are. */
  recordsStores(cpu: Cpu, page: number): boolean {
    if (this.stage2.isTable(page)) return true;
    if (cpu.vm || cpu.plv > 0) this.memory.complete(page);
    return !this.memory.isComplete(page);
  }

  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void {
    if (write || !this.watchesAll(cpu) || this.control.repeating) return;
    const va = (BigInt(vaHi >>> 0) << 32n) | BigInt(vaLo >>> 0);
    const { address } = walk(hostContext(cpu), this.machine.ram, va);
    if (address === undefined || !this.machine.ram.has(Number(address)) || this.memory.has(Number(address), size))
      return;
    // A device may have written it.
    if (this.machine.ram.read(Number(address), size).some((byte) => byte !== 0)) return;
    const { pc } = cpu;
    this.findings.add(
      'never-written memory',
      `${pc}`,
      `${this.at(pc)} loads ${this.destination(cpu, pc)} for a guest from ${hex(va)} (physical ${hex(address)}), which nobody has ever written`,
    );
  }

  /** The register that the instruction at a host address loads. */
  private destination(cpu: Cpu, pc: bigint): string {
    const { address } = walk(hostContext(cpu), this.machine.ram, pc);
    const word = address === undefined ? undefined : u32At(this.machine.ram.read(Number(address), 4));
    if (word === undefined) return 'a register';
    const row = decode(word);
    return row?.operands.includes('rd') ? `$${GPR_NAMES[operandValue(row, word, 'rd')]}` : 'a register';
  }
}
