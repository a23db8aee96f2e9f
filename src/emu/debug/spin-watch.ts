/** Looks for CPUs that spin: they execute the same few instructions for ever, and nothing can come that would end it. */
import type { Cpu } from '../cpu/cpu.ts';
import { peekCsr } from '../cpu/csr-access.ts';
import { CSR, csrByNumber } from '../cpu/csr-table.ts';
import { ecodeAt } from '../cpu/event-ring.ts';
import { ecodeOf } from '../cpu/exception-table.ts';
import { hex } from '../formats/hex.ts';
import { LongSpinTrace } from './long-spin-trace.ts';
import type { Loop } from './loops.ts';
import { type Spin, type SpinSurroundings, SpinTrace, type Trace } from './spin-trace.ts';
import { StateSamples } from './state-samples.ts';
import { worldName } from './vms.ts';
import { whyNoWake, whyUndisturbed } from './waits.ts';

/**
 * Instructions for which a CPU must be suspected before its first trace; each further one comes at four times that, at last every so many.
 */
const FIRST = 25_000_000;
const SELDOM = 2_000_000_000;
/** Time between two samples: one part in so many of that for which a CPU is suspected. Short rounds are found soon so, and long ones cost little. */
const EARLY_SAMPLES = 128;
/**
 * Most instructions of a long round that is looked for: so many in any case, then a part of the time that is over. With the breakpoint of that
 * trace, code runs at a twentieth of its speed.
 */
const LONG_ROUND = { least: 20_000, share: 1024, most: 4_000_000 } as const;
/** A loop that reads memory may wait for a device or for another program: it must last so long. */
const PATIENT = 50_000_000;
/** Names of the devices through which drivers reach virtio devices. Only those refuse. */
const VIRTIO = /^pcie-| \(mmio\)$/;
/** Most new events that are looked at. */
const MOST_EVENTS = 64;
const [INT, TLBR] = (['INT', 'TLBR'] as const).map(ecodeOf);

interface Suspect {
  /** Position of the first look that suspected it, and where the next trace is due; −1: it is not suspected. */
  since: number;
  due: number;
  /** What was found, when it must last longer. */
  key: string;
  /** Its state while it is suspected, now and then, and whether one has come back since the last trace. */
  readonly samples: StateSamples;
  isBack: boolean;
}

export class SpinWatch {
  private readonly around: SpinSurroundings;
  private readonly suspects = new Map<Cpu, Suspect>();

  constructor(around: SpinSurroundings) {
    this.around = around;
    for (const cpu of around.machine.cpus)
      this.suspects.set(cpu, {
        since: -1,
        due: 0,
        key: '',
        samples: new StateSamples(around),
        isBack: false,
      });
  }

  /** @param fresh events of the CPU since the last look. @returns a trace that is due now */
  look(cpu: Cpu, position: number, fresh: number): Trace | undefined {
    const s = this.suspects.get(cpu)!;
    if (position < s.since) s.since = -1;
    // The cheapest question first: most programs can be interrupted.
    if (cpu.idle || !this.mayBeStuck(cpu, fresh) || !onlyInterrupts(cpu, fresh)) {
      s.since = -1;
      return undefined;
    }
    if (s.since < 0) {
      Object.assign(s, { since: position, due: position + FIRST, key: '', isBack: false });
      s.samples.clear();
    }
    s.isBack ||= s.samples.take(cpu, position);
    // What has been found once needs no other sign.
    if (!(s.isBack || s.key) || position < s.due || !this.othersWait(cpu)) return undefined;
    s.isBack = false;
    s.due = position + Math.min(3 * (position - s.since), SELDOM);
    return new SpinTrace(cpu, this.around);
  }

  /** Instructions until the next sample of a suspect: many are taken early, because most rounds are short. Infinity: of none. */
  rest(cpu: Cpu, position: number): number {
    const { since } = this.suspects.get(cpu)!;
    return since >= 0 && position > since ? (position - since) / EARLY_SAMPLES : Number.POSITIVE_INFINITY;
  }

  /** May it be that nothing ends what the CPU does? */
  private mayBeStuck(cpu: Cpu, fresh: number): boolean {
    if (cpu.world < 0 && fresh > 0) return this.around.machine.refusals.length > 0;
    return (
      whyUndisturbed(cpu, this.around.machine) !== undefined ||
      (cpu.world < 0 && this.around.machine.refusals.length > 0)
    );
  }

  /** Can no other CPU change anything? */
  private othersWait(cpu: Cpu): boolean {
    return this.around.machine.cpus.every(
      (c) =>
        c === cpu ||
        (c.idle && whyNoWake((num) => peekCsr(c, c.vm, num)) !== undefined) ||
        this.suspects.get(c)!.key !== '',
    );
  }

  /** The trace of a CPU is over. @returns what it does for ever, or a trace that comes next */
  judged(trace: Trace, position: number): Loop | Trace | undefined {
    const { cpu, result } = trace;
    const s = this.suspects.get(cpu)!;
    if (!result || result === 'no') {
      s.key = '';
      if (!(trace instanceof SpinTrace)) return undefined;
      const { least, share, most } = LONG_ROUND;
      const longest = Math.min(Math.floor((position - s.since) / share), most);
      return new LongSpinTrace(cpu, this.around, Math.max(least, longest));
    }
    const { refusals } = this.around.machine;
    // What arrives from outside is written there, and that ends the loop.
    if (result.awaits || this.mayChange(cpu, result.csrs)) return undefined;
    // A device may answer one day, unless it has refused: a key may be typed.
    if (result.devices.some((name) => refusals.length === 0 || !VIRTIO.test(name))) return undefined;
    s.key = `${result.world} ${result.pc}`;
    if ((result.reads || refusals.length > 0) && position - s.since < PATIENT) {
      s.due = s.since + PATIENT;
      return undefined;
    }
    return describe(cpu, result, whyUndisturbed(cpu, this.around.machine), refusals);
  }

  /** May one of these CSRs change although nobody writes it? */
  private mayChange(cpu: Cpu, csrs: ReadonlySet<number>): boolean {
    const timer = cpu.vm ? cpu.guestTimer : cpu.hostTimer;
    if (csrs.has(CSR.TVAL) && timer.deadline !== Number.POSITIVE_INFINITY) return true;
    if (!csrs.has(CSR.ESTAT)) return false;
    // The host injects interrupts.
    return cpu.vm || timer.wakeTime !== Number.POSITIVE_INFINITY || this.around.machine.mayInterrupt;
  }
}

/** Have there been nothing but interrupts, and what they cause in the host? */
function onlyInterrupts({ events }: Cpu, fresh: number): boolean {
  for (let back = 0; back < Math.min(fresh, MOST_EVENTS); back++) {
    const kind = events.kindAt(back);
    if (kind === 'entry') continue;
    const ecode = ecodeAt(events, back);
    if (ecode !== INT && !(ecode === TLBR && kind === 'exception')) return false;
  }
  return true;
}

function describe(cpu: Cpu, spin: Spin, undisturbed: string | undefined, refusals: readonly string[]): Loop {
  const { world, pc, length, reads, devices, csrs } = spin;
  const who = `${worldName(cpu, world)} makes no progress on cpu${cpu.index}`;
  const halts = length === 1;
  const polled = [...[...csrs].map((num) => csrByNumber(num)?.name ?? hex(num)), ...devices];
  const looks = reads || csrs.size > 0;
  const what = halts
    ? `it branches to itself at ${hex(pc)}`
    : `it executes the same ${length} instructions at ${hex(pc)} again and again, and ${looks ? 'what they read never changes' : 'nothing changes'}`;
  const polling = polled.length > 0 ? `, polling ${polled.join(', ')}` : '';
  const why = refusals.length > 0 ? refusals.join('; ') : `${undisturbed ?? ''}, so nothing can end it`;
  return { world, pc, text: `${who}: ${what}${polling}; ${why}`, round: [], spins: true, halts, hopeless: !halts };
}
