/**
 * Writes the sessions at the beginning of docs/gdb.md, with the real output of the commands: `npm run record-gdb`. The session with KVM
 * boots two kernels, so it is recorded again only with `--kvm`. test/gdb/gdb-page.test.ts compares the page with a new recording.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../src/cli/options.ts';
import { readDescriptor } from '../src/cli/own-descriptor.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { type Running, start } from '../src/cli/run.ts';
import { parseSymbols } from '../src/cli/symbol-files.ts';
import { kvmInitramfs, LINUX } from '../test/linux/images.ts';
import { bootHost } from '../test/linux/kvm-session.ts';
import { APPEND } from '../test/linux/session.ts';
import { commandsOf, type Part, recordedBlocks, rendered, session } from './recorded-page.ts';

export const PAGE = join(PROJECT_ROOT, 'docs', 'gdb.md');
/** Where the part of the page begins that is written by hand. */
const REFERENCE = '\n# Reference\n';
/** Where gdb finds the kernel's symbols. */
const VMLINUX = relative(PROJECT_ROOT, join(LINUX, 'vmlinux'));
const TINY = 'build/examples/tiny-hv.elf';
const DESCRIPTOR = 'examples/tiny-hv/tiny-hv.json';

const INTRODUCTION: readonly Part[] = [
  '# Debugging with gdb',
  'You need gdb 16 or newer with LoongArch: `gdb-multiarch` of a recent Debian. `./scripts/demo` brings one to `.tools/bin/`. The tests run every session with 16.3 and with 18.1.',
  '```\n./scripts/loongscope run --guest hello --gdb 1234 --wait\ngdb-multiarch build/hv.elf -ex "target extended-remote :1234" -ex "add-symbol-file build/guests/hello.elf"\n```',
  'Connect with `target extended-remote`, because `attach` needs it. `./scripts/loongscope debug --guest hello` starts both programs, and loads the Python helper.',
  'Three sessions show what one does with it. Their output is real; `npm run record-gdb` records it again. Addresses and counts may differ on your machine. The [tutorial](tutorial/sync-exception.md) finds the cause of a guest’s death. All commands and rules are in the [reference](#reference) below.',
  '- [The reference hypervisor](#the-reference-hypervisor): over the world switch, exits, and back in time\n- [Linux KVM](#linux-kvm): from `kvm_enter_guest` into the inner kernel, and back by an MMIO exit\n- [A hypervisor of your own](#a-hypervisor-of-your-own): what works at once, and what a descriptor adds',
];

const HYPERVISOR: readonly Part[] = [
  '## The reference hypervisor',
  '`src/hv` is a small hypervisor. Its guest `hello` makes one hypercall, and then prints a line through an emulated UART. Start gdb as above.',
  '### Over the world switch',
  'A breakpoint in the hypervisor is an ordinary breakpoint. `_run_guest` enters a guest; a0 is its vCPU.',
  { gdb: ['break _run_guest', 'continue', 'info registers pc a0 world'] },
  '`_guest_entry` is the `ertn` behind it. One `stepi`, and gdb is inside the guest. It is the same thread, because it is the same CPU. `$world` is the VM’s number.',
  { gdb: ['break *&_guest_entry', 'continue', 'x/i $pc', 'stepi', 'x/2i $pc', 'info registers pc crmd world'] },
  'The guest’s hypercall leaves it again. The step ends where the hardware goes on: at the hypervisor’s vector.',
  { gdb: ['stepi 2', 'stepi', 'info registers pc estat era world', 'monitor explain'] },
  '### Stop at an exit',
  'A catch stops at exits by their cause. PIS is a store to a guest-physical address that stage 2 does not map: here the UART.',
  { gdb: ['delete', 'monitor catch vmexit PIS', 'continue', 'monitor explain'] },
  '### Back in time',
  'Everything goes backwards, too, and nothing was recorded for it: the machine is deterministic, and gets there again. Back to the guest’s hypercall, to its first instruction, and out of the guest: the `ertn` before it is that of the hypervisor’s TLB refill, which runs at its physical address. A second copy of the symbols, 0x9000000000000000 lower, shows it there.',
  {
    gdb: [
      'monitor delete catch 1',
      'add-symbol-file build/hv.elf -o -0x9000000000000000',
      'break hello_hypercall',
      'reverse-continue',
      'reverse-stepi 2',
      'reverse-stepi',
      'x/i $pc',
      'monitor history 3',
    ],
  },
  '### The guest as a process of its own',
  'VM 1 is process 17, and its vCPUs are threads. When the hypervisor runs, a vCPU is *parked*. Its registers and its memory can be read all the same. Here the hypervisor is about to handle the store to the UART:',
  {
    gdb: [
      'delete',
      'monitor catch vmexit PIS',
      'continue',
      'monitor delete catch 2',
      'tbreak handle_exit',
      'continue',
      'set schedule-multiple on',
      'add-inferior -exec build/guests/hello.elf',
      'inferior 2',
      'attach 17',
      'info threads',
      'x/3i $pc',
      'info registers t0 t2',
    ],
  },
  'What gdb shows of a parked vCPU comes from the hypervisor’s own structure, where its place is known. `monitor context` says so. A page of the guest goes two ways to memory:',
  { gdb: ['monitor context', 'monitor translate 0x200024', 'monitor translate 0x1fe001e0'] },
];

const KVM: readonly Part[] = [
  '## Linux KVM',
  'Debian’s kernel is the host, with KVM. Debian’s QEMU runs in it, and in QEMU runs Debian’s kernel again. All three are unmodified ([kvm.md](kvm.md)). These commands bring them, with the kernel’s symbols, and boot the host:',
  `\`\`\`\n./scripts/linux --symbols\n./scripts/kvm --prepare\n./scripts/loongscope run --gdb 1234 --memory 2G --symbols ${VMLINUX} --symbols ${VMLINUX},in=1 \\\n  --initrd .tools/linux/kvm-initramfs --append "${APPEND} quiet nokaslr" .tools/linux/vmlinuz\n\`\`\``,
  `Both kernels are the same file here: \`in=1\` gives its names to VM 1. At the host’s shell, type \`APPEND=nokaslr guest -m 256\`, which starts QEMU. Then \`gdb-multiarch ${VMLINUX}\`, and \`target extended-remote :1234\`.`,
  '### KVM enters the guest',
  'QEMU has asked for `KVM_RUN`. The vCPU is KVM’s own structure, and gdb prints it by its types. The guest will begin at 0x1c000000, where QEMU has put its boot code.',
  { gdb: ['break kvm_enter_guest', 'continue', 'backtrace 3', 'print/x ((struct kvm_vcpu *) $a1)->arch.pc'] },
  'Stop at the guest’s first instruction. KVM maps a page only when the guest first touches it, so nobody can know this instruction yet. The program says so, and `stepi` works all the same: it is the stage-2 fault, and arrives at KVM’s vector.',
  {
    gdb: [
      'delete',
      'monitor catch first-entry',
      'continue',
      'info os vms',
      'monitor delete catch 1',
      'stepi',
      'stepi',
      'x/i $pc',
      'monitor context',
    ],
  },
  'The offsets of KVM’s structures are from the debug information of this kernel. So the registers of parked vCPUs are right, whatever the version is.',
  '### Into the inner kernel',
  'Attach to the VM, with the symbols of the kernel in it. A breakpoint of process 17 stops this guest only, although the host’s kernel has the same function at the same address.',
  {
    gdb: [
      'set schedule-multiple on',
      `add-inferior -exec ${VMLINUX}`,
      'inferior 2',
      'attach 17',
      'tbreak *start_kernel',
      'continue',
      'backtrace',
      'info registers pc crmd',
    ],
  },
  '### Back by an MMIO exit',
  'The inner kernel finds a UART at 0x1fe001e0. QEMU emulates it, so KVM has not mapped this page. The catch stops at the first access that KVM must handle, in its vector; `monitor explain` says what it is.',
  {
    gdb: ['monitor catch vmexit PIL PIS gpa 0x1fe001e0-0x1fe001e7', 'continue', 'info threads', 'monitor explain'],
  },
  'KVM decodes the instruction, and gives the access to QEMU. Follow it in the host, process 1:',
  {
    gdb: [
      'monitor delete catch 2',
      'inferior 1',
      'tbreak *kvm_emu_mmio_write',
      'continue',
      'backtrace 4',
      'monitor context',
      'monitor info vcpus',
    ],
  },
  'The vCPU is parked: its PC is the instruction that touches the UART. Its registers are from KVM’s structure. When QEMU has done the store, KVM enters the guest again, behind that instruction.',
  {
    gdb: [
      'tbreak *kvm_enter_guest',
      'continue',
      'print/x ((struct kvm_vcpu *) $a1)->arch.pc',
      'inferior 2',
      'tbreak *($pc + 4)',
      'continue',
      'x/2i $pc - 4',
      'backtrace 3',
    ],
  },
];

const OWN: readonly Part[] = [
  '## A hypervisor of your own',
  '`examples/tiny-hv` stands for yours: two VMs take turns, one prints letters, the other digits. The program knows nothing of it. All that the first session showed works at once. What it cannot know is where your hypervisor keeps the registers of its vCPUs, and which functions exchange them. A JSON file tells it, [descriptors.md](descriptors.md) says how:',
  `\`\`\`json\n${readFileSync(join(PROJECT_ROOT, DESCRIPTOR), 'utf8').trimEnd()}\n\`\`\``,
  `\`\`\`\n./scripts/loongscope run --gdb 1234 --wait --descriptor ${DESCRIPTOR} ${TINY}\ngdb-multiarch ${TINY} -ex "target extended-remote :1234"\n\`\`\``,
  'Stop where the second guest has come back. `monitor context` says what is known.',
  { gdb: ['break handle_exit', 'continue', 'continue', 'info os vms', 'monitor context', 'monitor info vcpus'] },
  'VM 1 stands *behind* its hypercall: the hypervisor has moved its PC, in its own structure. The hardware has seen it on the `hvcl`.',
  {
    gdb: [
      'print vcpus[0]',
      'add-inferior',
      'inferior 2',
      'attach 17',
      'x/2i $pc - 4',
      'info registers pc a0',
      'detach',
      'inferior 1',
    ],
  },
  'In the functions of `transition` the registers belong to neither world; `info threads` says so.',
  { gdb: ['delete', 'break leave_guest', 'continue', 'info threads'] },
  'While a guest runs, process 2 shows the hypervisor as it will go on. The `host` of the descriptor gives it a stack.',
  {
    gdb: [
      'delete',
      'break *((unsigned long) letters_loop & 0xffffffffffff)',
      'continue',
      'add-inferior',
      'inferior 3',
      'attach 2',
      `file ${TINY}`,
      'backtrace',
    ],
  },
  'A mistake in the file is named when the program starts:',
];

const common = { serial: { kind: 'null' }, gdb: { host: '127.0.0.1', port: 0 }, quiet: true } as const;
const machine = (image: string | undefined, more: Partial<MachineCli>): Promise<Running> =>
  start(image, { ...DEFAULT_MACHINE, ...common, wait: true, ...more }, () => {});

async function recordHypervisor(): Promise<string[]> {
  const running = await machine(undefined, { guest: [parseGuest('hello')] });
  const symbols = ['add-symbol-file build/guests/hello.elf'];
  const [, ...outputs] = await session(running, ['file build/hv.elf'], [symbols, ...commandsOf(HYPERVISOR)]);
  return outputs;
}

async function recordOwn(): Promise<string[]> {
  const running = await machine(join(PROJECT_ROOT, TINY), {
    descriptor: readDescriptor(join(PROJECT_ROOT, DESCRIPTOR)),
  });
  return session(running, [`file ${TINY}`], commandsOf(OWN));
}

/** What is said of a descriptor with a misspelt field. */
function mistake(): string {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-record-'));
  const file = join(folder, 'my.json');
  writeFileSync(file, readFileSync(join(PROJECT_ROOT, DESCRIPTOR), 'utf8').replace('"transition"', '"transitions"'));
  try {
    readDescriptor(file);
    throw new Error('a descriptor with a mistake was accepted');
  } catch (error) {
    const { message } = error as Error;
    return `\`\`\`\n$ ./scripts/loongscope run --descriptor my.json ${TINY}\nloongscope: ${message.replace(file, 'my.json')}\n\`\`\``;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function recordKvm(): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-record-'));
  const initrd = join(folder, 'initramfs');
  writeFileSync(initrd, kvmInitramfs());
  try {
    const host = await bootHost({
      initrd,
      gdb: common.gdb,
      append: `${APPEND} quiet nokaslr`,
      symbols: [parseSymbols(VMLINUX), parseSymbols(`${VMLINUX},in=1`)],
    });
    host.type('APPEND=nokaslr guest -m 256\n');
    return await session(host.running!, [`file ${VMLINUX}`], commandsOf(KVM));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * The page: sessions with fresh output, and the reference as it is.
 * @param kvm record the session with KVM again
 */
export async function recordGdbPage(kvm: boolean): Promise<string> {
  const old = readFileSync(PAGE, 'utf8');
  const reference = old.slice(old.indexOf(REFERENCE));
  const blocks = kvm ? await recordKvm() : recordedBlocks(old, KVM);
  const sessions = [
    await rendered(INTRODUCTION, []),
    await rendered(HYPERVISOR, await recordHypervisor()),
    await rendered(KVM, blocks),
    await rendered(OWN, await recordOwn()),
    mistake(),
  ];
  return `${sessions.join('\n\n')}\n${reference}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(PAGE, await recordGdbPage(process.argv.includes('--kvm')));
