/**
 * Writes docs/tutorial/sync-exception.md and its Chinese twin: the text below with the real output of the commands. Run it after a change of the output of
 * the debugger: `npm run record-tutorial`. test/gdb/tutorial.test.ts compares the page with a new recording.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';
import { LINUX } from '../test/linux/images.ts';
import { bootHost } from '../test/linux/kvm-session.ts';
import { APPEND } from '../test/linux/session.ts';
import { block, commandsOf, type Language, type Part, recordedBlocks, rendered, session } from './recorded-page.ts';

/** The initramfs of a KVM host (`./scripts/kvm --prepare`). */
export const KVM_INITRAMFS = join(LINUX, 'kvm-initramfs');

/** Paths by language. */
export const TUTORIAL = {
  en: join(PROJECT_ROOT, 'docs', 'tutorial', 'sync-exception.md'),
  'zh-CN': join(PROJECT_ROOT, 'docs', 'zh-CN', 'tutorial', 'sync-exception.md'),
} as const;

const PARTS: readonly Part[] = [
  {
    en: '# Why does my guest die of a synchronous exception?',
    'zh-CN': '# 客户机为什么死于同步例外？',
  },
  {
    en: 'From the symptom to the cause, with the `crash` guest of the reference hypervisor. Everything below is real output (recorded by `npm run record-tutorial`); addresses and counts on your machine may differ a little.',
    'zh-CN':
      '从症状到原因，用参考 Hypervisor 的 `crash` 客户机演示。下面全是真实输出（由 `npm run record-tutorial` 录制）；在你的机器上，地址和计数可能略有不同。',
  },
  {
    en: '## The symptom',
    'zh-CN': '## 症状',
  },
  {
    en: 'The guest prints a line and dies. The hypervisor says that it fetched an instruction from guest physical address 0, where it has no memory. Nobody jumped there on purpose.',
    'zh-CN': '客户机打印一行之后就死了。Hypervisor 说它从客户机物理地址 0 取指，而那里没有内存。没有人会故意跳到那里。',
  },
  { shell: ['run', '--guest', 'crash'], keep: /crash/ },
  {
    en: '## Stop where it happens',
    'zh-CN': '## 停在出事的地方',
  },
  {
    en: '`./scripts/loongscope debug --guest crash` starts the machine with a gdb on it, symbols loaded. PIF is the exit for a fetch that stage 2 does not map: catch it, and let the machine run.',
    'zh-CN':
      '`./scripts/loongscope debug --guest crash` 启动机器并接上 gdb，符号也已加载。PIF 是取指时第二阶段（stage 2）没有映射而引起的退出：捕获它，然后让机器运行。',
  },
  { gdb: ['monitor catch vmexit PIF', 'continue'] },
  {
    en: 'The machine has stopped at the hypervisor’s exit vector, before its first instruction. The registers are still those of the guest.',
    'zh-CN': '机器停在 Hypervisor 的例外入口，第一条指令还没有执行。寄存器仍是客户机的。',
  },
  {
    en: '## Ask',
    'zh-CN': '## 问它',
  },
  {
    gdb: ['monitor explain'],
  },
  {
    en: 'Read it from below. The address that could not be fetched *is a vector*: before, the guest took a system call exception, and its EENTRY was never written by it — so the exception was delivered to address 0. Above that stand the facts: both stages of the translation with every table entry, and the registers that matter with the instruction that wrote each of them last. The only one who ever wrote the guest’s EENTRY was the hypervisor, when it loaded the vCPU’s initial state.',
    'zh-CN':
      '从下往上读。取指失败的地址*本身就是例外入口*：在此之前，客户机发生了系统调用例外，而它从来没有写过 EENTRY，于是例外被送到地址 0。再往上是事实：两个阶段的翻译及每一级页表项，以及相关的寄存器和最后写它们的指令。写过客户机 EENTRY 的只有 Hypervisor，那是它装入 vCPU 初始状态的时候。',
  },
  {
    en: 'The same about one register:',
    'zh-CN': '再单独看其中一个寄存器：',
  },
  { gdb: ['monitor info gcsr eentry', 'info registers g_era g_estat g_eentry g_crmd'] },
  {
    en: '## Go back to the instruction that did it',
    'zh-CN': '## 退回到肇事的指令',
  },
  {
    en: 'Execution goes backwards, through the world switch. In the guest’s own view (process 17: VM 1) each step back is one of the guest: the fetch that failed, the same fetch before stage 2 was refilled, and then its `syscall`, with a stack behind it.',
    'zh-CN':
      '执行可以倒退，并且穿过世界切换。在客户机自己的视角里（17 号进程：VM 1），每退一步就是客户机的一步：失败的取指，第二阶段重填之前的同一次取指，再往前就是它的 `syscall`，后面还有调用栈。',
  },
  {
    gdb: [
      'add-inferior -exec build/guests/crash.elf',
      'inferior 2',
      'attach 17',
      'reverse-stepi 3',
      'x/i $pc',
      'backtrace',
    ],
  },
  {
    en: '## The way that led there',
    'zh-CN': '## 怎么走到这里的',
  },
  {
    en: 'gdb’s own `record btrace` has the last branches, although nothing was recorded: the emulator runs the past again and looks. `monitor history` adds exceptions, world switches and CSR writes.',
    'zh-CN':
      '虽然事先没有录制，gdb 自己的 `record btrace` 仍能给出最近的分支：模拟器把过去重新运行一遍来查看。`monitor history` 再加上例外、世界切换和 CSR 写入。',
  },
  {
    gdb: ['record btrace bts', 'record function-call-history', 'record stop', 'monitor history 6 all'],
  },
  {
    en: '## The whole run at a glance',
    'zh-CN': '## 整个过程一览',
  },
  {
    en: '`loongscope trace` writes every exit, exception and world switch into a file (text, JSON lines, or a timeline for Perfetto), and says what came first and what came often:',
    'zh-CN':
      '`loongscope trace` 把每次退出、例外和世界切换写进文件（文本、JSON 行，或 Perfetto 的时间线），并总结什么最先发生、什么最常发生：',
  },
  { shell: ['trace', '--guest', 'crash', '--serial', 'null', '--output', '/dev/null'] },
  {
    en: 'The auditor finds the same cause by itself:',
    'zh-CN': '审计器自己就能找到同样的原因：',
  },
  { shell: ['run', '--guest', 'crash', '--serial', 'null', '--audit', 'worldswitch'] },
  {
    en: '## A hunt: two mistakes of AxVisor',
    'zh-CN': '## 一次追查：AxVisor 的两个错误',
  },
  {
    en: 'AxVisor ran for a long time on an emulator that forgives. On hardware, and here, the host stands still before its guest runs: it sets GTLBC.TGID in ordinary Rust code, which is mapped by page tables, and has some thousand instructions to go before its `ertn`. `test/broken/paged` is a small hypervisor whose host is paged too; its variant `tgid_early` (`./scripts/build-broken`) makes the same mistake. Nothing has to be asked, the first message names it:',
    'zh-CN':
      'AxVisor 长期只在一个宽容的模拟器上运行。在硬件上和这里，宿主在客户机运行之前就停住了：它在由页表映射的普通 Rust 代码里写 GTLBC.TGID，离 `ertn` 还有几千条指令。`test/broken/paged` 是一个宿主也使用页表的小 Hypervisor，它的变体 `tgid_early`（`./scripts/build-broken`）犯同样的错误。什么都不用问，第一条消息就指出了它：',
  },
  { shell: ['run', 'build/broken/tgid_early.elf', '--memory', '128M'], keep: /no progress|cause|rule|pc |level 0|V D/ },
  {
    en: 'Two facts beside each other are the proof: the page of the host is mapped (level 0, V and D), and the handler fills it, but as an entry of GID 5, because GTLBC.TGID was written at `run+0x8`. Linux KVM writes TGID in the last assembly before the entry, and clears it first at the exit.',
    'zh-CN':
      '两个事实放在一起就是证据：宿主的这一页有映射（level 0，V 和 D），处理程序也填了它，但填成了 GID 5 的表项，因为 GTLBC.TGID 在 `run+0x8` 处已经写好。Linux KVM 在进入之前最后的汇编里写 TGID，退出时首先清除它。',
  },
  {
    en: 'Whoever wants to see the rest of the program first, and mend this later, has the forgiveness by name:',
    'zh-CN': '想先看程序其余的部分、以后再改的人，可以按名字打开这种宽容：',
  },
  { shell: ['run', 'build/broken/tgid_early.elf', '--memory', '128M', '--cpu', 'max,quirk-host-refill-gid=on'] },
  {
    en: 'The second mistake of AxVisor shows only behind the first: where a stage-2 directory is empty, its refill handler gives up, and goes on in the exit handler by a jump. Its variant here is `refill_jump`. What repeats is a fetch that fails at its own vector, thousands of times; the message goes back to the instruction before the first of them:',
    'zh-CN':
      'AxVisor 的第二个错误藏在第一个后面：第二级页表的目录为空时，它的重填处理程序放弃，用一次跳转继续执行退出处理程序。这里的变体是 `refill_jump`。不断重复的是在自己向量处失败的取指，成千上万次；消息则回到其中第一次之前的那条指令：',
  },
  {
    shell: ['run', 'build/broken/refill_jump.elf', '--memory', '128M', '--serial', 'null'],
    keep: /loops in exceptions|cause|rule|VM exit|pc |V=0/,
  },
  {
    en: 'A refill handler runs in direct address mode, and only its `ertn` ends that. What left it here was a `ret` to a paged address: CRMD.DA is still 1, so neither that address nor the vector of the fault can be fetched. In gdb, `monitor history` shows the same in its order, the repeats as one line.',
    'zh-CN':
      '重填处理程序运行在直接地址翻译模式，只有它的 `ertn` 才结束这种模式。这里离开它的是一条返回到需要页表的地址的 `ret`：CRMD.DA 仍然是 1，所以那个地址和出错的向量都取不到指令。在 gdb 里，`monitor history` 按顺序显示同样的内容，重复的事件合为一行。',
  },
];

const CURE: readonly Part[] = [
  {
    en: '## The cure',
    'zh-CN': '## 怎样修好',
  },
  {
    en: 'A guest sets EENTRY before the first instruction that can raise an exception: `csrwr` of the address of its handler to CSR 0xc, as `guests/privileged/main.c` does first of all (`csr_write(CSR_EENTRY, guest_vector)`). If the guest is a kernel that does set it and dies all the same, the usual suspects are next in line, and the same three questions find them:',
    'zh-CN':
      '客户机要在第一条可能引起例外的指令之前设置 EENTRY：用 `csrwr` 把处理程序的地址写进 CSR 0xc，就像 `guests/privileged/main.c` 一开始做的那样（`csr_write(CSR_EENTRY, guest_vector)`）。如果客户机是内核，明明设置了却还是死，那么依次检查下面几种常见情况，同样的三个问题都能找到答案：',
  },
  {
    en: '- **EENTRY is set, and the fetch still fails**: `monitor explain` shows the step of the translation that fails (no window, no TLB entry, V=0), and who wrote PGDL or the window.\n- **TLBRENTRY holds a virtual address**: refill handlers run in direct address mode; `explain` says so.\n- **The handler faults itself**: the loop is stopped and explained instead of spinning.\n- **It happens after a world switch only**: `--audit worldswitch` tells which register the hypervisor did not bring back.',
    'zh-CN':
      '- **设置了 EENTRY，取指仍然失败**：`monitor explain` 指出翻译在哪一步失败（没有窗口、没有 TLB 表项、V=0），以及 PGDL 或窗口是谁写的。\n- **TLBRENTRY 里是虚拟地址**：重填处理程序运行在直接地址翻译模式；`explain` 会指出来。\n- **处理程序自己出错**：循环会被停下并给出解释，而不是一直空转。\n- **只在世界切换之后发生**：`--audit worldswitch` 说明 Hypervisor 没有恢复哪个寄存器。',
  },
];

/** What a user types in the host, whose folder build/guests is shared with it. */
const MOUNT = 'mount -t 9p -o trans=virtio,version=9p2000.L,ro host /mnt';
const QEMU =
  'qemu-system-loongarch64 -machine virt,accel=kvm -nodefaults -display none -m 256 -serial stdio -kernel /mnt/crash.elf';

const KVM_HEADING = '## A hunt in Linux KVM';

/** The same guest, of which Linux KVM says nothing. */
export const KVM: readonly Part[] = [
  {
    en: KVM_HEADING,
    'zh-CN': '## 在 Linux KVM 里追查',
  },
  {
    en: 'The same guest under a hypervisor that we did not write. Linux and its KVM are Debian’s, so is QEMU ([how they are started](../kvm.md)); the machine has `--share build/guests,tag=host,readonly`, and the host’s shell starts the guest:',
    'zh-CN':
      '同一个客户机，换成一个不是我们写的 Hypervisor。Linux 和它的 KVM 来自 Debian，QEMU 也是（[如何启动](../../kvm.md)）；机器带 `--share build/guests,tag=host,readonly`，在宿主的 shell 里启动客户机：',
  },
  block(`# ${MOUNT}\n# ${QEMU}\ncrash: EENTRY was never set, and now a system call`),
  {
    en: 'And nothing more. QEMU gives its guest RAM at address 0, so the fetch does not fail: the guest executes zeros, which are no instruction, and takes the next exception at its own vector, for ever, at 100 % CPU. KVM sees no exit that it should report. Here the machine stops by itself:',
    'zh-CN':
      '然后就没有了。QEMU 在地址 0 给了客户机内存，所以取指不会失败：客户机执行的是零，那不是指令，于是在自己的例外入口上再次发生例外，永远循环，CPU 占用 100 %。KVM 看不到任何该报告的退出。在这里，机器自己停下来：',
  },
  { gdb: ['continue'] },
  {
    en: 'That is what repeats. `explain` goes back to what began it, some hundred exceptions before:',
    'zh-CN': '这是在重复的事情。`explain` 退回到它的开头，几百次例外之前：',
  },
  { gdb: ['monitor explain'] },
  {
    en: 'EENTRY is 0, and here it was even written: 0x1c000000 is QEMU’s boot ROM, which clears it. Who would rather walk there himself takes the guest as a process of its own, and goes back to its last own instruction:',
    'zh-CN':
      'EENTRY 是 0，而且这次它确实被写过：0x1c000000 是 QEMU 的启动 ROM，由它清零。想自己走过去的人，可以把客户机当作一个单独的进程，退回到它自己的最后一条指令：',
  },
  {
    gdb: [
      'monitor info vms',
      'add-inferior -exec build/guests/crash.elf',
      'inferior 2',
      'attach 17',
      'info registers g_era g_eentry g_estat g_crmd',
      'x/2i 0x1c000000',
      'break make_system_call',
      'reverse-continue',
      'backtrace',
      'monitor when write EENTRY in 1',
    ],
  },
  {
    en: 'Without gdb (`run`), the message has the same cause, as long as the machine has no disk, network or share of yours.',
    'zh-CN': '不用 gdb（`run`）时，消息里是同样的原因，只要机器没有用到你的磁盘、网络或共享文件夹。',
  },
];

/** @returns gdb's output for {@link KVM}: boots a KVM host, and the guest in it */
export async function recordKvm(): Promise<string[]> {
  const host = await bootHost({
    initrd: KVM_INITRAMFS,
    gdb: { host: '127.0.0.1', port: 0 },
    append: `${APPEND} quiet nokaslr`,
    share: [{ folder: join(PROJECT_ROOT, 'build', 'guests'), tag: 'host', readOnly: true }],
  });
  await host.run(MOUNT);
  const { control } = host.running!;
  // The guest dies at once: gdb must be there before.
  const attached = setInterval(() => {
    if (!control.hasClients) return;
    clearInterval(attached);
    host.type(`${QEMU}\n`);
  }, 50);
  try {
    return await session(host.running!, [], commandsOf(KVM));
  } finally {
    clearInterval(attached);
  }
}

/**
 * The pages by language, with fresh output.
 * @param kvm record the session with KVM again, too
 */
export async function recordTutorial(kvm: boolean): Promise<Readonly<Record<keyof typeof TUTORIAL, string>>> {
  const old = readFileSync(TUTORIAL.en, 'utf8');
  const kvmOutputs = kvm ? await recordKvm() : recordedBlocks(old.slice(old.indexOf(KVM_HEADING)), KVM);
  const running = await start(
    undefined,
    {
      ...DEFAULT_MACHINE,
      guest: [parseGuest('crash')],
      serial: { kind: 'null' },
      gdb: { host: '127.0.0.1', port: 0 },
      wait: true,
      quiet: true,
    },
    () => {},
  );
  const first = ['file build/hv.elf'];
  const symbols = ['add-symbol-file build/guests/crash.elf'];
  const [, ...outputs] = await session(running, first, [symbols, ...commandsOf(PARTS)]);
  const page = async (language: Language): Promise<string> => {
    const parts = [
      await rendered(PARTS, outputs, language),
      await rendered(KVM, kvmOutputs, language),
      await rendered(CURE, [], language),
    ];
    return `${parts.join('\n\n')}\n`;
  };
  return { en: await page('en'), 'zh-CN': await page('zh-CN') };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [language, page] of Object.entries(await recordTutorial(process.argv.includes('--kvm'))))
    writeFileSync(TUTORIAL[language as keyof typeof TUTORIAL], page);
