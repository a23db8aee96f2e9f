/** Listens to the events of the CPUs for the catches that are set, and describes the event that was caught. */
import type { Cpu } from '../cpu/cpu.ts';
import type { CsrWriting, TlbChange } from '../cpu/observer.ts';
import { hex } from '../formats/hex.ts';
import { type Catches, causeName, injects, writtenValue } from './catches.ts';
import type { ComparatorHooks, HookSurroundings } from './comparator-hooks.ts';
import type { Stop } from './stop.ts';
import { describeTlbChange } from './tlb-change.ts';

export class CatchListener {
  private readonly around: HookSurroundings;
  private readonly catches: Catches;
  private readonly hooks: ComparatorHooks;
  /** Tick at the last stop before a CSR write: the same write must not stop twice. */
  private csrStop = -1;
  private readonly disarm: (() => void)[] = [];

  /** @param hooks receive hits of watchpoints on CSRs */
  constructor(around: HookSurroundings, catches: Catches, hooks: ComparatorHooks) {
    this.around = around;
    this.catches = catches;
    this.hooks = hooks;
  }

  /** Listens to CSR writes and TLB changes while a catch needs them. */
  arm(): void {
    const wanted = this.catches.hearsAccesses || this.around.comparators.hasCsrWatchpoints;
    if (wanted === this.disarm.length > 0) return;
    for (const stop of this.disarm.splice(0)) stop();
    if (!wanted) return;
    for (const cpu of this.around.machine.cpus)
      this.disarm.push(
        cpu.observe({
          csrWrite: (c, write) => this.csrWrite(c, write),
          tlbChanged: (c, change) => this.tlbChanged(c, change),
        }),
      );
  }

  /** The machine has stopped before a CSR write. The write does not stop it again. */
  passWrite(cpu: Cpu): void {
    this.csrStop = cpu.now;
  }

  /** An exception, exit or entry has happened. It is the newest event of the CPU. */
  event(cpu: Cpu, firstEntry: boolean): void {
    if (this.catches.isEmpty || !this.catches.mayMeet(cpu.events.lastKind, cpu.events.lastEcode)) return;
    const record = cpu.events.at(0)!;
    const caught = this.catches.onEvent(cpu, record, firstEntry);
    if (!caught) return;
    const where = record.world < 0 ? 'host' : `VM ${record.world}`;
    const what = record.kind === 'exit' ? 'VM exit' : 'exception';
    const cause = `${causeName(record.ecode, record.esub)} (Ecode ${hex(record.ecode)})`;
    const badv = record.hasBadv ? ` badv=${hex(record.badv)}` : '';
    const text =
      record.kind === 'entry'
        ? `VM entry cpu${cpu.index} -> VM ${record.world} pc=${hex(record.pc)}`
        : `${what} cpu${cpu.index} in ${where}: ${cause} at pc=${hex(record.pc)}${badv}`;
    // The event belongs to an instruction that is not counted yet.
    this.catch({ kind: 'catch', cpu, caught, text }, this.around.position() + 1);
  }

  private catch(stop: Extract<Stop, { kind: 'catch' }>, position: number): boolean {
    const { cpu, caught } = stop;
    if (caught.log) {
      if (this.around.pending.silent) return false;
      caught.hits++;
      if (caught.log(`{${position}} ${stop.text}\n`)) return false;
    }
    const stops = this.around.pending.meet(stop, position);
    if (stops) {
      if (!caught.log) caught.hits++;
      cpu.requestStop();
    }
    return stops;
  }

  private csrWrite(cpu: Cpu, write: CsrWriting): boolean {
    const { pending, comparators } = this.around;
    if (pending.present) return false;
    if (comparators.hasCsrWatchpoints) {
      const hit = comparators.csrHit(cpu, write.bank, write.num);
      if (hit) return this.hooks.watchHit(cpu, hit);
    }
    if (this.catches.isEmpty || this.csrStop === cpu.now) return false;
    const caught = this.catches.onCsrWrite(cpu, write);
    if (!caught) return false;
    const { value, mask } = writtenValue(write);
    const name = `${write.bank} CSR ${hex(write.num)}`;
    const lines = caught.kind === 'inject' ? injects(cpu, write) : 0;
    const under = mask === (1n << 64n) - 1n ? '' : ` under mask ${hex(mask)}`;
    const text = lines
      ? `cpu${cpu.index} injects interrupt ${31 - Math.clz32(lines)} into the guest bank (${name})`
      : `${name} about to be written: ${hex(value)}${under}`;
    const stop = { kind: 'catch', cpu, caught, write, text: `${text} at pc=${hex(cpu.pc)}` } as const;
    const stops = this.catch(stop, this.around.position());
    if (stops) this.passWrite(cpu);
    return stops;
  }

  private tlbChanged(cpu: Cpu, change: TlbChange): void {
    if (this.catches.isEmpty || this.around.pending.present) return;
    const caught = this.catches.onTlb(cpu, change);
    if (!caught) return;
    const text = `cpu${cpu.index} ${describeTlbChange(cpu, change)}`;
    this.catch({ kind: 'catch', cpu, caught, change, text }, this.around.position() + 1);
  }
}
