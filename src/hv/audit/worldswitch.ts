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
import { hasWritten } from '../../emu/debug/explain.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { MemoryObserver } from '../../emu/debug/stop.ts';
import type { Symbolizer } from '../../emu/debug/symbolizer.ts';
import { walk } from '../../emu/debug/walk.ts';
import { hex } from '../../emu/formats/hex.ts';
import { u32At } from '../../emu/formats/little-endian.ts';
import { decode } from '../../emu/isa/decoder.ts';
import { GPR_NAMES } from '../../emu/isa/operands.ts';
import { operandValue } from '../../emu/isa/row.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import { detect, type ImageSymbols } from '../awareness/descriptor.ts';
import { type Finding, Findings } from './findings.ts';
import { differences, type HostState, hostState } from './host-state.ts';
import { Stage2Entries } from './stage2-entries.ts';
import { WrittenMemory } from './written-memory.ts';

/** A field of a host CSR. */
const hostField = <N extends CsrName>(cpu: Cpu, name: N, field: FieldName<N>): number =>
  fieldNamed(name, field, cpu.host.get(CSR[name]));
/** Guest CSRs that are computed or constant, so that no hypervisor restores them. */
const COMPUTED = new Set<string>(['PGD', 'TICLR', 'PRCFG1', 'PRCFG2', 'PRCFG3']);
const SWITCHED = CSRS.filter((r) => r.guest === 'own' && !COMPUTED.has(r.name) && r.num < 0x200);
/** Host CSRs that only software sets: a read before the first write is a mistake. */
const SOFTWARE = new Set(
  CSRS.filter((r) => /^(SAVE\d+|TLBRSAVE|DSAVE|MERRSAVE|PGDL|PGDH)$/.test(r.name)).map((r) => r.num),
);

/** The state of the auditor for a CPU. */
interface CpuWatch {
  /** Host state at the first instruction of the entry function, until the function returns. */
  called: HostState | undefined;
  /** Between that instruction and the `ertn`: guest registers are being loaded. */
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
  private switches = 0;

  /** @param tell called for each new finding */
  constructor(control: RunControl, symbols: ImageSymbols, symbolize: Symbolizer, tell: (finding: Finding) => void) {
    this.control = control;
    this.machine = control.machine;
    this.symbols = symbols;
    this.symbolize = symbolize;
    this.findings = new Findings(tell);
    this.stage2 = new Stage2Entries(this.machine.ram);
    for (const { pa, size } of this.machine.loadedRanges()) this.memory.mark(pa, size);
    for (const cpu of this.machine.cpus) {
      const none = { called: undefined, loading: false, left: false, vm: 0, vcpu: -1, entered: -1 };
      this.cpus.set(cpu, none);
      cpu.observe({
        entered: (c) => this.quietly(() => this.entered(c)),
        exception: (c) => this.quietly(() => this.exception(c)),
        csrRead: (c, bank, num) => this.quietly(() => this.csrRead(c, bank, num)),
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
    const head = `${this.switches} guest entries, ${list.length === 0 ? 'nothing found' : `${list.length} finding${list.length > 1 ? 's' : ''}`}`;
    return [head, ...list.map((f) => `${f.check}: ${f.text}${f.count > 1 ? ` (${f.count} times)` : ''}`)];
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
    const whose = guestType ? `guest gid ${gid}` : gid === 0 ? 'the host' : `stage 2 of gid ${gid}`;
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
    const prepared = cpu.events.at(1)?.ecode !== ecodeOf('TLBR') || cpu.events.at(1)?.kind !== 'exit';
    if (prepared) {
      this.learnFunction(cpu, from);
      this.checkControls(cpu, from);
      this.checkBank(cpu, w);
      for (const s of this.stage2.stale(cpu, cpu.gid))
        this.findings.add(
          'stale stage-2 entry',
          `${cpu.gid}:${s.gpa}`,
          `VM ${cpu.world} is entered on cpu${cpu.index} at ${this.at(from)} with a TLB entry for GPA ${hex(s.gpa)} that its table no longer has: at ${hex(s.slot)} was ${s.was}, is ${s.is}; an invtlb is missing`,
        );
    }
    w.vm = cpu.world;
    w.vcpu = this.control.vcpuStates.on(cpu)?.vcpu ?? 0;
    w.entered = entry.time;
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
    w.called = hostState(cpu);
    w.left = false;
    w.loading = true;
    // From here to the ertn, every load must be reported.
    cpu.fast.clearData(HOST_WORLD);
    const back = w.called.returnAddress;
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

  /** Checks the CSRs that decide what the guest may do, and where its exits and TLB misses go. */
  private checkControls(cpu: Cpu, from: bigint): void {
    const { host } = cpu;
    const tgid = hostField(cpu, 'GTLBC', 'TGID');
    if (hostField(cpu, 'GTLBC', 'USETGID') && tgid !== cpu.gid)
      this.findings.add(
        'control register',
        'tgid',
        `at ${this.at(from)} GTLBC.TGID is ${tgid} and GSTAT.GID ${cpu.gid}: stage-2 refills fill entries that this guest never finds`,
      );
    if (!hostField(cpu, 'CRMD', 'IE'))
      this.findings.add(
        'control register',
        'pie',
        `at ${this.at(from)} a guest is entered with host interrupts off (PRMD.PIE was 0): nothing but the guest itself can bring the CPU back`,
      );
    for (const num of [CSR.EENTRY, CSR.TLBRENTRY])
      if (!cpu.hasWrittenCsr(HOST_WORLD, num))
        this.findings.add(
          'CSR never initialised',
          `host:${num}`,
          `at ${this.at(from)} a guest is entered and the host never wrote ${csrByNumber(num)!.name}: its ${num === CSR.EENTRY ? 'exits' : 'stage-2 misses'} arrive at ${hex(host.get(num))}`,
        );
    const refill = Number(host.get(CSR.TLBRENTRY));
    if (!this.machine.ram.has(refill))
      this.findings.add(
        'control register',
        'tlbrentry',
        `at ${this.at(from)} TLBRENTRY is ${hex(refill)}, where no RAM is: refill handlers run in direct address mode, at a physical address`,
      );
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
    const { called } = w;
    if (this.control.repeating || !called || !w.left || called.returnAddress !== back) return false;
    w.called = undefined;
    w.left = false;
    for (const d of differences(called, cpu)) {
      // The GID for TLB writes is checked separately below.
      if (d.name === 'GTLBC') continue;
      this.findings.add(
        d.name.startsWith('$') ? 'host register' : 'host CSR',
        `${d.name}:${back}`,
        `${d.name} came back different: ${hex(d.before)} before the guest ran, ${hex(d.after)} at ${this.at(back)}`,
      );
    }
    const tgid = hostField(cpu, 'GTLBC', 'TGID');
    if (tgid !== 0)
      this.findings.add(
        'host CSR',
        `TGID:${back}`,
        `GTLBC.TGID is still ${tgid} at ${this.at(back)}: the host's own TLB instructions write entries of that guest`,
      );
    if (hostField(cpu, 'GSTAT', 'PGM'))
      this.findings.add(
        'host CSR',
        `PGM:${back}`,
        `GSTAT.PGM is still 1 at ${this.at(back)}: an ertn of the host goes into a guest`,
      );
    return false;
  }

  private exception(cpu: Cpu): void {
    const r = cpu.events.at(0)!;
    if (r.kind === 'exit') return;
    const refill = exceptionByCode(r.ecode, r.esub)?.name === 'TLBR';
    const num = refill ? CSR.TLBRENTRY : CSR.EENTRY;
    if (hasWritten(this.machine, cpu, r.world, num)) return;
    const who = r.world < 0 ? 'the host' : `VM ${r.world}`;
    this.findings.add(
      'CSR never initialised',
      `${r.world}:${num}`,
      `${who} took ${exceptionByCode(r.ecode, r.esub)?.name} at ${this.at(r.pc, r.world)} and never wrote ${csrByNumber(num)!.name}: it went to ${hex(r.vector)}`,
    );
  }

  private csrRead(cpu: Cpu, bank: 'host' | 'guest', num: number): void {
    if (cpu.vm || bank !== 'host' || !SOFTWARE.has(num) || cpu.hasWrittenCsr(HOST_WORLD, num)) return;
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
    this.memory.mark(pa, size);
  }

  accessed(cpu: Cpu, vaLo: number, vaHi: number, size: number, write: boolean): void {
    if (write || !this.watchesAll(cpu) || this.control.repeating) return;
    const va = (BigInt(vaHi >>> 0) << 32n) | BigInt(vaLo >>> 0);
    const { address } = walk(hostContext(cpu), this.machine.ram, va);
    if (address === undefined || !this.machine.ram.has(Number(address)) || this.memory.has(Number(address), size))
      return;
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
