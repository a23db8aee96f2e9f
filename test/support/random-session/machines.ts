/** The machines of random sessions: a program of its own each, which gdb reaches by a socket, as a user starts it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { HYPERVISOR, PROJECT_ROOT } from '../../../src/cli/paths.ts';
import type { Words } from './vocabulary.ts';

export interface Debuggee {
  readonly name: string;
  /** Arguments of `loongscope run`. */
  readonly args: readonly string[];
  /** The file of the host's symbols. */
  readonly file: string | undefined;
  readonly words: Words;
  /** How sessions begin: lines as those of the vocabulary. One of them is drawn. */
  readonly openings: readonly (readonly string[])[];
  /** Typed on the console when the debugger has left; the console must then show {@link alive}. */
  readonly type?: string;
  readonly alive: RegExp;
  /** With nothing typed: the machine ends by itself, with this status. */
  readonly status?: number;
}

const guestFile = (name: string): string => join(PROJECT_ROOT, 'build', 'guests', `${name}.elf`);
/** What `add-inferior` says of an inferior's symbols. */
const execOf = (file: string): string => ` -exec ${file}`;

/** Words for the reference hypervisor. */
const REFERENCE: Words = {
  place: [
    'handle_exit',
    'vm_create',
    'inject_interrupt',
    'vcpu_run',
    '_run_guest',
    '_guest_exit',
    '*&_guest_entry',
    'nonesuch',
    'main',
    'handle_gspr',
    'stage2_map',
  ],
  variable: ['vm_count', 'vms[0].column', 'vms', 'nonesuch'],
  expression: [
    'vm_count',
    'vms[0]',
    '*v',
    '*vms[0].name@4',
    '$_siginfo',
    '$_thread',
    '$_inferior',
    '$bpnum',
    '1+1',
    '$nonesuch',
    'sizeof(vms)',
  ],
  condition: ['$a0 == 0', 'vm_count > 1', '$gid == 2', '$world == 1', '$icount > 100000', '0', '$_thread == 1'],
  call: ['strlen("a")', 'vm_create', '((int(*)(void))0x9000000000200000)()'],
};

/** A guest as a second process. */
const ATTACH = ['add-inferior<exec>', 'inferior 2', 'attach 17'];
/** Beginnings that reach guests, and none. */
const REFERENCE_OPENINGS = [
  [],
  ['tbreak _run_guest', 'continue', 'tbreak handle_exit', 'continue', ...ATTACH],
  ['set schedule-multiple on', 'monitor catch ertn', 'continue', 'monitor delete catch 1', ...ATTACH, 'stepi'],
  ['tbreak *&_guest_entry', 'continue', 'stepi', 'stepi'],
  ['source <helper>', 'lvz catch exit HVC', 'continue', 'lvz attach 1'],
];
const linuxOpenings = (enter: string): readonly (readonly string[])[] => [
  [],
  ATTACH,
  ['set schedule-multiple on', ...ATTACH, `hbreak ${enter}`, 'continue'],
  ['source <helper>', 'lvz attach 1', 'lvz attach 2'],
  [`tbreak ${enter}`, 'continue', 'stepi 10', 'monitor catch ertn', 'continue', 'stepi'],
];

/** Guests of the reference hypervisor, by a number. */
const GUESTS: readonly (readonly string[])[] = [
  ['hello'],
  ['two,name=a,append=a', 'two,name=b,append=b'],
  ['paging', 'hello'],
  ['timer'],
  ['smp,vcpus=2,append=soak:2000'],
  ['virtio', 'two,append=x'],
];

/** The reference hypervisor with some guests. @param n chooses the guests */
export function referenceMachine(n: number, cpus: number): Debuggee {
  const guests = GUESTS[n % GUESTS.length]!;
  return {
    name: `${cpus} CPU${cpus > 1 ? 's' : ''}, ${guests.join(' and ')}`,
    args: ['--smp', `${cpus}`, '--wait', ...guests.flatMap((g) => ['--guest', g])],
    file: HYPERVISOR,
    openings: REFERENCE_OPENINGS,
    words: { ...REFERENCE, exec: guests.map((g) => execOf(guestFile(g.split(',')[0]!))) },
    alive: /stopped with status 0/,
    status: 0,
  };
}

/** Functions of Linux as host, where sessions stop. */
export const LINUX_PLACES: readonly string[] = [
  'kvm_enter_guest',
  'kvm_exc_entry',
  'kvm_handle_wait',
  '_kvm_get_cpucfg',
  'do_idle',
  '__schedule',
  'handle_mm_fault',
  'kvm_flush_tlb_gpa',
  'vfs_read',
  'start_kernel',
  'tick_handle_periodic',
];

/** Words for Linux as host. */
const LINUX: Words = {
  variable: ['jiffies_64', 'nr_iowait_cpu', 'system_state'],
  expression: ['jiffies_64', 'init_task', 'system_state', '$_thread', '$lx_current()', '1+1', '$_inferior'],
  condition: ['$a0 == 0', '$gid == 2', '$world == 1', '$icount > 100000', '0', '$_thread == 1'],
  call: ['strlen("a")', 'get_random_u32()'],
};

/**
 * Linux with VMs of KVM, from a snapshot.
 * @param symbols the kernel's file of symbols, of host and guests; or without one, what gdb calls {@link LINUX_PLACES}
 */
export function linuxMachine(snapshot: string, symbols: string | readonly string[]): Debuggee {
  const file = typeof symbols === 'string' ? symbols : undefined;
  const place = typeof symbols === 'string' ? LINUX_PLACES : symbols;
  return {
    name: 'Linux with VMs of KVM',
    args: ['--snapshot', snapshot, ...(file ? ['--symbols', file] : []), '--wait'],
    file,
    openings: linuxOpenings(place[0]!),
    words: { ...LINUX, place: [...place, 'nonesuch'], exec: [file ? execOf(file) : ''] },
    type: 'echo alive$((40+2))\n',
    alive: /alive42/,
  };
}

/** The longest time until a machine listens, on a busy computer. */
const START_MS = 300_000;

/** A running machine. */
export class RunningMachine {
  /** What its console shows. */
  console = '';
  /** What the emulator says. */
  messages = '';
  private readonly child: ChildProcess;
  private over = false;

  private constructor(child: ChildProcess) {
    this.child = child;
    child.stdout!.setEncoding('latin1').on('data', (text: string) => {
      this.console += text;
    });
    child.stderr!.setEncoding('latin1').on('data', (text: string) => {
      this.messages += text;
    });
    child.stdin!.on('error', () => {});
    child.on('exit', () => {
      this.over = true;
    });
  }

  /** Starts it, and waits until the socket is there. @param folder where the socket is made, and files of `snapshot save` */
  static async start(debuggee: Debuggee, folder: string, socket: string): Promise<RunningMachine> {
    const main = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
    const args = ['run', '--no-code-cache', '--no-sandbox', '--gdb', `unix:${socket}`, '--files', folder];
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args, ...debuggee.args], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const machine = new RunningMachine(child);
    await machine.until(() => existsSync(socket), START_MS);
    if (!existsSync(socket)) {
      await machine.kill();
      throw new Error(`the machine does not start: ${machine.messages}`);
    }
    return machine;
  }

  /** How it has ended: a status or a signal; undefined while it runs. */
  get end(): string | undefined {
    if (!this.over) return undefined;
    return this.child.signalCode ?? `status ${this.child.exitCode}`;
  }

  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /** Waits until something is true, or the machine has ended, or the time is over. @returns whether it is true */
  async until(what: () => boolean, limitMs: number): Promise<boolean> {
    const limit = Date.now() + limitMs;
    while (!what() && !this.over && Date.now() < limit) await new Promise((resolve) => setTimeout(resolve, 10));
    return what();
  }

  async kill(): Promise<void> {
    if (this.over) return;
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.kill('SIGKILL');
    await ended;
  }
}
