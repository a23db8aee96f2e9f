/**
 * Writes docs/your-hypervisor.md and its Chinese twin, with the real output of the commands: `npm run record-your-hypervisor`.
 * test/docs/your-hypervisor.test.ts compares the pages with a new recording.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MACHINE, type MachineCli } from '../src/cli/options.ts';
import { readDescriptor } from '../src/cli/own-descriptor.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';
import { commandsOf, type Part, rendered, session } from './recorded-page.ts';

const TINY = 'build/examples/tiny-hv.elf';
const DESCRIPTOR = 'examples/tiny-hv/tiny-hv.json';
const RECORDING = 'build/tiny-hv.recording';
/** Physical addresses of the image are so much lower than those that it is linked to. */
const LOWER = '-0x9000000000000000';

/** Paths by language. */
export const YOUR_HYPERVISOR = {
  en: join(PROJECT_ROOT, 'docs', 'your-hypervisor.md'),
  'zh-CN': join(PROJECT_ROOT, 'docs', 'zh-CN', 'your-hypervisor.md'),
} as const;

const FIRST: readonly Part[] = [
  { en: '# Your hypervisor under gdb in five minutes', 'zh-CN': '# 五分钟：用 gdb 调试你的 Hypervisor' },
  {
    en: 'From an ELF file to the first world switch. `examples/tiny-hv`, a hypervisor of 200 lines with two VMs, stands for yours: put your file in the place of `build/examples/tiny-hv.elf`. All output is real; `npm run record-your-hypervisor` records it again. Addresses may differ a little on your machine.',
    'zh-CN':
      '从一个 ELF 文件到第一次世界切换（world switch）。这里用 `examples/tiny-hv`（约 200 行、带两个 VM 的 Hypervisor）代表你的程序：把 `build/examples/tiny-hv.elf` 换成你自己的文件即可。所有输出都是真实的，由 `npm run record-your-hypervisor` 重新录制；在你的机器上地址可能略有不同。',
  },
  { en: '## Does it run?', 'zh-CN': '## 先跑起来' },
  {
    en: 'Build with debug information (`-g`), and link the image to RAM: 0x9000000001000000 and higher is a good place ([board.md](board.md) has the memory map, and other forms of images). The console of the machine is your terminal.',
    'zh-CN':
      '编译时带上调试信息（`-g`），并把镜像链接到内存里：0x9000000001000000 及以上是合适的位置（内存布局和其他镜像格式见 [board.md](../board.md)）。虚拟机的串口就是你的终端。',
  },
  { shell: ['run', TINY] },
  {
    en: 'Exit code 0 says that the machine was switched off by its program. When it dies, or makes no progress, the last lines say why ([troubleshooting.md](troubleshooting.md)). Your board looks different? `--machine ls3a5000`, `--boot`, `--load`, `--smp` and `--memory` are in [cli.md](cli.md).',
    'zh-CN':
      '退出码 0 表示程序自己关机。如果机器异常终止，或者不再有任何进展，最后几行会说明原因（见 [troubleshooting.md](troubleshooting.md)）。你的板子不一样？`--machine ls3a5000`、`--boot`、`--load`、`--smp`、`--memory` 都在 [cli.md](../cli.md) 里。',
  },
  { en: '## Attach gdb', 'zh-CN': '## 接上 gdb' },
  {
    en: '`--wait` holds the machine before its first instruction. `extended-remote` is needed later, to attach to a VM.',
    'zh-CN': '`--wait` 让机器停在第一条指令之前。要用 `extended-remote`，后面附加（attach）到某个 VM 时需要它。',
  },
  `\`\`\`\n./scripts/loongscope run --gdb 1234 --wait ${TINY}\ngdb-multiarch ${TINY} -ex "target extended-remote :1234"\n\`\`\``,
  {
    en: 'A breakpoint in the hypervisor is an ordinary breakpoint:',
    'zh-CN': '在 Hypervisor 里打断点和平时完全一样：',
  },
  { gdb: ['break enter_guest', 'continue', 'backtrace'] },
  { en: '## The first world switch', 'zh-CN': '## 第一次世界切换' },
  {
    en: 'You need not know where your hypervisor enters a guest. `catch first-entry` stops at the first instruction of a VM. `$world` is the VM’s number; 0 is the host.',
    'zh-CN':
      '你不必知道 Hypervisor 在哪里进入客户机（guest）。`catch first-entry` 会停在 VM 的第一条指令上。`$world` 是 VM 的编号，0 表示宿主（host）。',
  },
  { gdb: ['delete', 'monitor catch first-entry', 'continue', 'info registers pc crmd world gid'] },
  {
    en: 'One step back is the `ertn` that entered it, in the host’s world. GSTAT.PGM is set, ERA is the guest’s PC. One step forward is the guest again.',
    'zh-CN':
      '向后退一步，就是进入客户机的那条 `ertn`，此时仍在宿主世界：GSTAT.PGM 已置位，ERA 是客户机的 PC。再向前一步，又回到客户机。',
  },
  { gdb: ['monitor delete catch 1', 'reverse-stepi', 'x/i $pc', 'info registers gstat gtlbc era world', 'stepi'] },
  {
    en: 'The entry did not happen? `monitor info exits` shows what did, and `--log exception` each exception as it comes.',
    'zh-CN': '没有进入客户机？`monitor info exits` 显示实际发生了什么，`--log exception` 会逐个打印例外。',
  },
  { en: '## Symbols', 'zh-CN': '## 符号' },
  {
    en: 'The guests of this example lie in the same image, but run at its physical addresses, so gdb needs the symbols a second time. For a guest with a file of its own it is `add-symbol-file guest.elf`. The monitor gets its names from `--symbols vmlinux,in=1` ([gdb.md](gdb.md#names-of-addresses)).',
    'zh-CN':
      '这个例子的客户机代码在同一个镜像里，但运行在物理地址上，所以要给 gdb 再加载一次符号。如果客户机有自己的文件，就用 `add-symbol-file guest.elf`。监视器（monitor）命令使用的名字来自 `--symbols vmlinux,in=1`（见 [gdb.md](../gdb.md#names-of-addresses)）。',
  },
  { gdb: [`add-symbol-file ${TINY} -o ${LOWER}`, 'x/2i $pc'] },
  { en: '## The exit, and why', 'zh-CN': '## 退出，以及原因' },
  {
    en: 'A catch stops at exits by their cause, at the hypervisor’s vector, with the guest’s registers still in place. `monitor explain` says what happened, at any stop.',
    'zh-CN':
      '捕获点（catch）按原因停在 VM 退出（VM exit）处：停在 Hypervisor 的例外入口，客户机的寄存器还原封未动。任何一次停下来，都可以用 `monitor explain` 问发生了什么。',
  },
  { gdb: ['monitor catch vmexit HVC', 'continue', 'monitor explain', 'monitor info exits'] },
];

const SECOND: readonly Part[] = [
  { en: '## A descriptor', 'zh-CN': '## 描述文件' },
  {
    en: 'All this worked without knowledge of the hypervisor. What cannot be known is where it keeps the registers of vCPUs that do not run. A JSON file of some lines says so, [descriptors.md](descriptors.md) explains its fields:',
    'zh-CN':
      '到此为止，调试器对这个 Hypervisor 一无所知也能工作。它唯一无法知道的，是没有运行的 vCPU 的寄存器存放在哪里。用几行 JSON 告诉它，字段说明见 [descriptors.md](../descriptors.md)：',
  },
  `\`\`\`\n./scripts/loongscope run --gdb 1234 --wait --descriptor ${DESCRIPTOR} ${TINY}\n\`\`\``,
  { gdb: ['break handle_exit', 'continue', 'continue', 'info os vms', 'monitor context', 'monitor info vcpus'] },
  {
    en: 'Now a parked vCPU has its registers: `add-inferior`, `inferior 2`, `attach 17`, as in [gdb.md](gdb.md#a-hypervisor-of-your-own). VM number N is process 16 + N.',
    'zh-CN':
      '现在，被换下的 vCPU 也有寄存器了：`add-inferior`、`inferior 2`、`attach 17`，完整过程见 [gdb.md](../gdb.md#a-hypervisor-of-your-own)。第 N 个 VM 就是进程 16 + N。',
  },
  { en: '## The auditor', 'zh-CN': '## 审计器' },
  {
    en: 'The auditor compares the machine before each entry and after each exit. The example does have a fault: it never takes its guest’s GID out of GTLBC, so a TLB refill of the hypervisor itself would be filled for that guest. It has not shown yet, because this hypervisor runs in a direct mapping window.',
    'zh-CN':
      '审计器（auditor）比较每次进入之前和每次退出之后的机器状态。这个例子确实有毛病：退出之后没有把客户机的 GID 从 GTLBC 里清掉，于是 Hypervisor 自己的 TLB 重填会填成那个客户机的表项。它目前还没有发作，因为这个 Hypervisor 运行在直接映射窗口里。',
  },
  { shell: ['run', '--audit', 'worldswitch', '--serial', 'null', TINY] },
  { en: '## In CI', 'zh-CN': '## 放进 CI' },
  {
    en: 'On a server, record every run. The file is small, and keeps the failure for a debugger. `--timeout` ends a run that hangs, with exit code 124; 1 says that the machine died, 0 that it was switched off. Keep the file of a failed run with the test’s results.',
    'zh-CN':
      '在服务器上，每次运行都录制下来。录制文件很小，却把故障现场留给了调试器。`--timeout` 结束挂住的运行，退出码为 124；1 表示机器异常终止，0 表示正常关机。测试失败时，把录制文件和测试结果一起保存。',
  },
  { shell: ['run', '--record', RECORDING, '--timeout', '60', TINY] },
  {
    en: 'Later, on another computer, the same run happens again, and gdb may look at any moment of it ([recordings.md](recordings.md)). Shown without the console’s text:',
    'zh-CN':
      '之后，在另一台电脑上，同样的运行可以一条指令不差地重现，gdb 可以查看其中任意时刻（见 [recordings.md](../recordings.md)）。下面省略了串口输出：',
  },
  { shell: ['replay', RECORDING, '--at', 'end'], keep: /^(VM exit| {2}|loongscope)/ },
  { en: '## Where to go on', 'zh-CN': '## 接下来' },
  {
    en: '- The guest dies of an exception: the [tutorial](tutorial/sync-exception.md).\n- It must stop at something rarer, or go backwards: [gdb.md](gdb.md).\n- Words that you do not know: [glossary.md](glossary.md).\n- LVZ, bit by bit: [lvz.md](lvz.md).',
    'zh-CN':
      '- 客户机死于例外：看[教程](tutorial/sync-exception.md)。\n- 想停在更少见的事件上，或者反向执行：看 [gdb.md](../gdb.md)。\n- 遇到不认识的术语：看[术语表](glossary.md)。\n- 想逐位了解 LVZ：看 [lvz.md](../lvz.md)。',
  },
];

/** The pages by language, with fresh output. */
export async function recordYourHypervisor(): Promise<Readonly<Record<keyof typeof YOUR_HYPERVISOR, string>>> {
  const run = async (parts: readonly Part[], more: Partial<MachineCli>): Promise<string[]> => {
    const running = await start(
      join(PROJECT_ROOT, TINY),
      {
        ...DEFAULT_MACHINE,
        serial: { kind: 'null' },
        gdb: { host: '127.0.0.1', port: 0 },
        wait: true,
        quiet: true,
        ...more,
      },
      () => {},
    );
    return session(running, [`file ${TINY}`], commandsOf(parts));
  };
  const outputs = [
    ...(await run(FIRST, {})),
    ...(await run(SECOND, { descriptor: readDescriptor(join(PROJECT_ROOT, DESCRIPTOR)) })),
  ];
  const parts = [...FIRST, ...SECOND];
  return {
    en: `${await rendered(parts, outputs)}\n`,
    'zh-CN': `${await rendered(parts, outputs, 'zh-CN')}\n`,
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [language, page] of Object.entries(await recordYourHypervisor()))
    writeFileSync(YOUR_HYPERVISOR[language as keyof typeof YOUR_HYPERVISOR], page);
