/**
 * Writes docs/tutorial/sync-exception.md and its Chinese twin: the text below with the real output of the commands. Run it after a change of the output of
 * the debugger: `npm run record-tutorial`. test/gdb/tutorial.test.ts compares the page with a new recording.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';
import { commandsOf, type Part, rendered, session } from './recorded-page.ts';

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

/** The pages by language, with fresh output. */
export async function recordTutorial(): Promise<Readonly<Record<keyof typeof TUTORIAL, string>>> {
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
  return {
    en: `${await rendered(PARTS, outputs)}\n`,
    'zh-CN': `${await rendered(PARTS, outputs, 'zh-CN')}\n`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [language, page] of Object.entries(await recordTutorial()))
    writeFileSync(TUTORIAL[language as keyof typeof TUTORIAL], page);
