/**
 * The program as a library: `import { Machine } from 'loongscope'` (docs/library.md). A machine that a program runs, stops and looks at.
 * Addresses and registers are bigints, sizes are bytes.
 */

import { csrByName } from '../emu/cpu/csr-table.ts';
import { parseEcode } from '../emu/debug/catches.ts';
import { anyGuestContext, type DebugContext, hostContext, runningContext } from '../emu/debug/context.ts';
import { readVirtual } from '../emu/debug/debug-memory.ts';
import { explaining } from '../emu/debug/explain-stop.ts';
import type { Client, End, Stop } from '../emu/debug/stop.ts';
import { GPR_NAMES } from '../emu/isa/operands.ts';
import { finish } from '../emu/runtime/steps.ts';
import { UsageError } from './errors.ts';
import { DEFAULT_MACHINE, MAX_CPUS, parseGuest, parseMemory } from './options.ts';
import { type Running, start } from './run.ts';

export { UsageError };

/** What a machine is made of. */
export interface MachineOptions {
  /** Path of an ELF program or a kernel. Left out: the reference hypervisor, which runs {@link guests}. */
  readonly image?: string;
  /** Guests of the reference hypervisor, as `--guest` has them: `hello`, or `FILE,name=N`. */
  readonly guests?: readonly string[];
  /** Bytes of RAM, a whole number of MiB; 256 MiB if left out. */
  readonly memory?: number;
  /** CPUs, 1 to 16; one if left out. */
  readonly cpus?: number;
  /** The kernel's command line. */
  readonly commandLine?: string;
  /** Receives what the guest prints. */
  readonly console?: (text: string) => void;
}

/** Why {@link Machine.run} has come back. */
export interface Stopped {
  /** `breakpoint`, `exit` (a VM exit that was caught), `paused`, or that the machine has ended: `poweroff`, `died`. */
  readonly reason: 'breakpoint' | 'exit' | 'paused' | 'other' | 'poweroff' | 'died';
  /** The CPU that has stopped. */
  readonly cpu: number;
  /** Its PC: at an exit, the hypervisor's vector. */
  readonly pc: bigint;
  /** What it executes: 0 is the host, N is VM number N. */
  readonly world: number;
  /** In words. */
  readonly text: string;
}

/** Registers of a CPU, or of a VM. */
export interface Registers {
  readonly pc: bigint;
  /** By name: `ra`, `tp`, `sp`, `a0` to `a7`, `t0` to `t8`, `r21`, `fp`, `s0` to `s8`. */
  readonly general: Readonly<Record<string, bigint>>;
}

/** A machine. It is stopped unless {@link run} is in progress. */
export class Machine {
  private readonly running: Running;
  private readonly client: Client;
  private wake: (what: Stop | End) => void = () => {};
  private ended: End | undefined;
  /** The CPU that has stopped last. */
  private last = 0;

  private constructor(running: Running) {
    this.running = running;
    this.client = {
      running: false,
      stopped: (stop) => {
        this.client.running = false;
        this.wake(stop);
      },
      ended: (end) => {
        this.client.running = false;
        this.ended = end;
        this.wake(end);
      },
    };
    running.control.attach(this.client);
    if (!running.control.history.enabled) running.control.history.enable(true);
  }

  /**
   * Makes a machine, stopped before its first instruction.
   * @throws UsageError when a file or an option cannot be used
   */
  static async boot(options: MachineOptions = {}): Promise<Machine> {
    const { image, guests, memory, cpus, commandLine, console: print } = options;
    if (cpus !== undefined && !(Number.isInteger(cpus) && cpus >= 1 && cpus <= MAX_CPUS))
      throw new UsageError(`cpus: ${cpus} is not a whole number from 1 to ${MAX_CPUS}: correct it`);
    if (memory !== undefined) parseMemory(`${memory}`, 'memory');
    const decoder = new TextDecoder();
    const running = await start(
      image,
      {
        ...DEFAULT_MACHINE,
        quiet: true,
        detail: true,
        serial: { kind: 'null' },
        ...(guests && { guest: guests.map(parseGuest) }),
        ...(memory !== undefined && { memory }),
        ...(cpus !== undefined && { smp: cpus }),
        ...(commandLine !== undefined && { append: commandLine }),
      },
      (bytes) => print?.(decoder.decode(bytes, { stream: true })),
    );
    const machine = new Machine(running);
    await running.booted.named;
    return machine;
  }

  /** Lets the machine go on until something stops it. @throws Error when it has ended */
  async run(): Promise<Stopped> {
    this.mustLive();
    const { control } = this.running;
    // A breakpoint at PC has stopped the machine already.
    control.hooks.passOnce(this.cpu(this.last));
    const what = await new Promise<Stop | End>((resolve) => {
      this.wake = resolve;
      this.client.running = true;
      control.kick();
    });
    this.running.flush();
    return this.described(what);
  }

  /** Stops the machine while {@link run} is in progress. */
  pause(): void {
    this.running.control.interrupt();
  }

  /**
   * Stops the machine before an instruction.
   * @param at an address, or a symbol of the image
   * @param world left out: in every world; 0: in the host; N: in VM number N
   * @throws Error when there is no such symbol
   */
  breakpoint(at: bigint | string, world?: number): void {
    this.mustLive();
    const va = typeof at === 'bigint' ? at : this.symbol(at);
    if (va === undefined) throw new Error(`the image has no symbol '${at}': give an address`);
    const scope = world === undefined ? 'any' : world === 0 ? 'host' : world;
    this.running.control.comparators.insert({ owner: this, scope, va, hardware: false });
  }

  /**
   * Stops the machine at VM exits, at the hypervisor's vector.
   * @param causes names, as `HVC`, `PIS`, `GSPR`; none: all
   * @param vm left out: of every VM
   * @throws Error naming the causes there are
   */
  catchExit(causes: readonly string[] = [], vm?: number): void {
    this.mustLive();
    const ecodes = new Set(causes.map(parseEcode));
    this.running.control.catches.add({
      kind: 'vmexit',
      ecodes,
      world: vm ?? 'any',
      text: `vmexit ${causes.join(' ')}`,
    });
  }

  /** Address of a symbol of the image. */
  symbol(name: string): bigint | undefined {
    return this.running.booted.symbols.address(name);
  }

  /** Numbers of the VMs that have run so far. */
  vms(): number[] {
    return this.running.control.vcpuStates.vms.all().map((vm) => vm.number);
  }

  /**
   * Registers as they are now.
   * @param of left out: CPU 0; `{ cpu }`: of a CPU, in the world that it runs; `{ vm }`: of a VM, also while the hypervisor runs
   * @throws Error when there is no such CPU, or the VM has not run
   */
  registers(of: { readonly cpu?: number; readonly vm?: number } = {}): Registers {
    const ctx = this.context(of);
    return { pc: ctx.pc(), general: Object.fromEntries(GPR_NAMES.map((name, n) => [name, ctx.gpr(n)])) };
  }

  /** A CSR by name, `CRMD`; of a guest, with `{ vm }`, from its own bank. @throws Error when there is none */
  csr(name: string, of: { readonly cpu?: number; readonly vm?: number } = {}): bigint {
    const row = csrByName(name);
    if (!row) throw new Error(`there is no CSR '${name}'`);
    return this.context(of).csr(row.num);
  }

  /**
   * Memory at a virtual address, as the CPU or the VM sees it.
   * @returns as many bytes as can be read, at most `length`
   */
  read(address: bigint, length: number, of: { readonly cpu?: number; readonly vm?: number } = {}): Uint8Array {
    return readVirtual(this.running.control.machine, this.context(of), address, length);
  }

  /** What has happened last on a CPU, in words, as `monitor explain`. It may look into the past for the cause, which can take seconds. */
  explain(cpu = 0): string[] {
    const { control, symbolize } = this.running;
    return finish(explaining(control, this.cpu(cpu), symbolize));
  }

  /** Instructions executed so far, of all CPUs. */
  get instructions(): number {
    return this.running.control.machine.instructions;
  }

  /** Ends the machine, if it has not ended. */
  async close(): Promise<void> {
    this.running.control.quit();
    await this.running.done;
  }

  private mustLive(): void {
    if (this.ended) throw new Error(`the machine has ended (${this.ended.kind}): boot another one`);
  }

  private cpu(n: number): Running['control']['machine']['cpus'][number] {
    const cpu = this.running.control.machine.cpus[n];
    if (!cpu) throw new Error(`there is no CPU ${n}: the machine has ${this.running.control.machine.cpus.length}`);
    return cpu;
  }

  private context({ cpu = 0, vm }: { readonly cpu?: number; readonly vm?: number }): DebugContext {
    const { control } = this.running;
    const on = this.cpu(cpu);
    if (vm === undefined) return runningContext(on, control.vcpuStates);
    if (vm === 0) return hostContext(on);
    const ctx = anyGuestContext(control.machine.cpus, on, vm, control.vcpuStates, control.contexts);
    if (!ctx) throw new Error(`VM ${vm} has not run yet: 'vms()' lists those that have`);
    return ctx;
  }

  private described(what: Stop | End): Stopped {
    const cpu = 'cpu' in what ? what.cpu : this.cpu(0);
    this.last = cpu.index;
    const at = { cpu: cpu.index, pc: cpu.pc, world: Math.max(0, cpu.world) };
    switch (what.kind) {
      case 'breakpoint':
        return { ...at, reason: 'breakpoint', text: 'a breakpoint' };
      case 'catch':
        return { ...at, reason: 'exit', text: what.text };
      case 'interrupt':
        return { ...at, reason: 'paused', text: 'paused' };
      case 'poweroff':
        return { ...at, reason: 'poweroff', text: 'the machine has switched itself off' };
      case 'died':
        return { ...at, reason: 'died', text: what.reason };
      default:
        return { ...at, reason: 'other', text: what.kind };
    }
  }
}
