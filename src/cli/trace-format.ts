/** The formats of `loongscope trace`: lines of text, JSON lines, a trace file for Perfetto and chrome://tracing, or a page that shows it. */

import type { Cpu } from '../emu/cpu/cpu.ts';
import type { EventRecord } from '../emu/cpu/event-ring.ts';
import { ecodeOf } from '../emu/cpu/exception-table.ts';
import { causeName } from '../emu/debug/catches.ts';
import { vcpuOf } from '../emu/debug/exit-statistics.ts';
import { describeEvent } from '../emu/debug/explain.ts';
import type { Symbolizer } from '../emu/debug/symbolizer.ts';
import { hex } from '../emu/formats/hex.ts';

import type { TraceFormat } from './options.ts';
import { inPage, PAGE_BEGIN, PAGE_END } from './timeline-page.ts';

/** Ticks of the stable counter (100 MHz) in a microsecond, the unit of Chrome traces. */
const TICKS_PER_US = 100;
const INT = ecodeOf('INT');
/** Tracks of functions are behind those of the CPUs. */
const FUNCTIONS = 100;

/** Turns events into text, in order of their arrival. */
export interface TraceWriter {
  /** The text before all events. */
  begin(): string;
  /** What is to be known of the run, before its events. */
  note(text: string): string;
  /** @param sinceExit ticks since the exit that this entry follows */
  event(cpu: Cpu, r: EventRecord, sinceExit: number | undefined): string;
  /** An interrupt that the host makes pending in a guest. */
  inject(cpu: Cpu, line: number, pc: bigint): string;
  /** Something else that happened on a CPU. @param kind `tlb` or `device` */
  mark(cpu: Cpu, kind: string, text: string): string;
  /** A CPU was in a function, from one tick to another. */
  ran(cpu: Cpu, name: string, world: number, from: number, to: number): string;
  /** The text after all events. */
  end(cpus: readonly Cpu[]): string;
}

/** One line for each event, without text before and after. */
abstract class Lines implements TraceWriter {
  protected readonly name: Symbolizer;

  constructor(name: Symbolizer) {
    this.name = name;
  }

  begin(): string {
    return '';
  }

  abstract note(text: string): string;
  abstract event(cpu: Cpu, r: EventRecord, sinceExit: number | undefined): string;
  abstract inject(cpu: Cpu, line: number, pc: bigint): string;
  abstract mark(cpu: Cpu, kind: string, text: string): string;
  abstract ran(cpu: Cpu, name: string, world: number, from: number, to: number): string;

  end(): string {
    return '';
  }
}

class Text extends Lines {
  note(text: string): string {
    return `# ${text}\n`;
  }
  event(cpu: Cpu, r: EventRecord, sinceExit: number | undefined): string {
    const late = sinceExit === undefined ? '' : ` after ${sinceExit} instructions in the host`;
    return `cpu${cpu.index} ${describeEvent(r, this.name)}${late}\n`;
  }
  inject(cpu: Cpu, line: number, pc: bigint): string {
    return `cpu${cpu.index} [${cpu.now}] interrupt ${line} injected at ${hex(pc)}\n`;
  }
  mark(cpu: Cpu, kind: string, text: string): string {
    return `cpu${cpu.index} [${cpu.now}] ${kind} ${text}\n`;
  }
  ran(cpu: Cpu, name: string, world: number, from: number, to: number): string {
    return `cpu${cpu.index} [${from}] ${world < 0 ? 'host' : `VM ${world}`} ${name} for ${to - from} instructions\n`;
  }
}

class JsonLines extends Lines {
  note(text: string): string {
    return `${JSON.stringify({ event: 'note', text })}\n`;
  }
  event(cpu: Cpu, r: EventRecord, sinceExit: number | undefined): string {
    const guest = r.world >= 0 && { vm: r.world, gid: r.gid, vcpu: vcpuOf(cpu) };
    const symbol = this.name(r.world, r.pc);
    return `${JSON.stringify({
      tick: r.time,
      cpu: cpu.index,
      event: r.kind,
      ...guest,
      ...(r.kind !== 'entry' && { cause: causeName(r.ecode, r.esub), ecode: r.ecode }),
      pc: hex(r.pc),
      ...(symbol && { symbol }),
      ...(r.hasBadv && { badv: hex(r.badv) }),
      ...(r.stage2 && { gva: hex(r.va) }),
      ...(r.kind !== 'entry' && r.ecode === INT && { line: r.badi }),
      ...(sinceExit !== undefined && { latency: sinceExit }),
    })}\n`;
  }
  inject(cpu: Cpu, line: number, pc: bigint): string {
    return `${JSON.stringify({ tick: cpu.now, cpu: cpu.index, event: 'inject', line, pc: hex(pc) })}\n`;
  }
  mark(cpu: Cpu, kind: string, text: string): string {
    return `${JSON.stringify({ tick: cpu.now, cpu: cpu.index, event: kind, text })}\n`;
  }
  ran(cpu: Cpu, name: string, world: number, from: number, to: number): string {
    return `${JSON.stringify({ tick: from, cpu: cpu.index, event: 'function', name, world, ticks: to - from })}\n`;
  }
}

/** Trace Event Format: one track for each CPU with its worlds, one for each vCPU with its runs; exits, exceptions and interrupts are marks. */
class Chrome implements TraceWriter {
  private readonly name: Symbolizer;
  private first = true;
  private readonly since = new Map<number, { readonly name: string; readonly time: number }>();
  private readonly known = new Set<string>();

  constructor(name: Symbolizer) {
    this.name = name;
  }

  private static us(tick: number): number {
    return tick / TICKS_PER_US;
  }

  protected put(e: object): string {
    const text = `${this.first ? '' : ','}\n${JSON.stringify(e)}`;
    this.first = false;
    return text;
  }

  /** Names a track once. */
  private track(pid: number, process: string, tid: number, thread: string): string {
    let out = '';
    for (const [key, e] of [
      [`${pid}`, { ph: 'M', name: 'process_name', pid, tid: 0, args: { name: process } }],
      [`${pid}.${tid}`, { ph: 'M', name: 'thread_name', pid, tid, args: { name: thread } }],
    ] as const) {
      if (this.known.has(key)) continue;
      this.known.add(key);
      out += this.put(e);
    }
    return out;
  }

  note(text: string): string {
    return this.put({ ph: 'i', s: 'g', name: text, ts: 0, pid: 0, tid: 0 });
  }

  begin(): string {
    return '{"displayTimeUnit":"ns","traceEvents":[';
  }

  /** The world that a CPU leaves, as a slice. */
  private slice(cpu: Cpu, time: number, next: string): string {
    const before = this.since.get(cpu.index) ?? { name: 'host', time: 0 };
    this.since.set(cpu.index, { name: next, time });
    const out = this.track(1, 'machine', cpu.index + 1, `cpu${cpu.index}`);
    const ts = Chrome.us(before.time);
    return out + this.put({ ph: 'X', name: before.name, pid: 1, tid: cpu.index + 1, ts, dur: Chrome.us(time) - ts });
  }

  event(cpu: Cpu, r: EventRecord, sinceExit: number | undefined): string {
    const world = r.world < 0 ? 'host' : `VM ${r.world} vcpu ${vcpuOf(cpu)}`;
    let out = '';
    if (r.kind === 'entry') out += this.slice(cpu, r.time, world);
    const ran = this.since.get(cpu.index);
    if (r.kind === 'exit') {
      out += this.slice(cpu, r.time, 'host');
      const [pid, tid] = [16 + r.world, vcpuOf(cpu) + 1];
      out += this.track(pid, `VM ${r.world}`, tid, `vcpu${vcpuOf(cpu)}`);
      const ts = Chrome.us(ran?.time ?? r.time);
      out += this.put({ ph: 'X', name: `on cpu${cpu.index}`, pid, tid, ts, dur: Chrome.us(r.time) - ts });
    }
    if (r.kind === 'entry' && sinceExit === undefined) return out;
    const symbol = this.name(r.world, r.pc);
    const cause = r.kind === 'entry' ? 'entry' : causeName(r.ecode, r.esub);
    const name = r.kind === 'entry' ? 'entry' : r.ecode === INT ? `interrupt ${r.badi}` : `${r.kind} ${cause}`;
    return (
      out +
      this.put({
        ph: 'i',
        s: 't',
        name,
        cat: r.kind,
        pid: 1,
        tid: cpu.index + 1,
        ts: Chrome.us(r.time),
        args: {
          pc: hex(r.pc),
          ...(symbol && { symbol }),
          ...(r.hasBadv && { badv: hex(r.badv) }),
          ...(sinceExit !== undefined && { latency: sinceExit }),
        },
      })
    );
  }

  inject(cpu: Cpu, line: number, pc: bigint): string {
    const ts = Chrome.us(cpu.now);
    return this.put({
      ph: 'i',
      s: 't',
      name: `inject ${line}`,
      cat: 'inject',
      pid: 1,
      tid: cpu.index + 1,
      ts,
      args: { pc: hex(pc) },
    });
  }

  mark(cpu: Cpu, kind: string, text: string): string {
    const ts = Chrome.us(cpu.now);
    return this.put({ ph: 'i', s: 't', name: text, cat: kind, pid: 1, tid: cpu.index + 1, ts });
  }

  ran(cpu: Cpu, name: string, world: number, from: number, to: number): string {
    const tid = FUNCTIONS + cpu.index;
    const out = this.track(1, 'machine', tid, `functions of cpu${cpu.index}`);
    const [ts, dur] = [Chrome.us(from), Chrome.us(to - from)];
    return out + this.put({ ph: 'X', name, cat: world < 0 ? 'host' : `VM ${world}`, pid: 1, tid, ts, dur });
  }

  end(cpus: readonly Cpu[]): string {
    return `${cpus.map((c) => this.slice(c, c.now, 'end')).join('')}\n]}\n`;
  }
}

/** A Chrome trace in a page that shows it. */
class Html extends Chrome {
  override begin(): string {
    return PAGE_BEGIN + super.begin();
  }

  protected override put(e: object): string {
    return inPage(super.put(e));
  }

  override end(cpus: readonly Cpu[]): string {
    return super.end(cpus) + PAGE_END;
  }
}

const WRITERS: Readonly<Record<TraceFormat, new (name: Symbolizer) => TraceWriter>> = {
  text: Text,
  jsonl: JsonLines,
  chrome: Chrome,
  html: Html,
};

export const traceWriter = (format: TraceFormat, name: Symbolizer): TraceWriter => new WRITERS[format](name);
