/** What the page says in each language. Messages of the machine itself are English everywhere, as in the terminal. */
import type { Language } from '../content.ts';

export interface Words {
  readonly labs: string;
  readonly demos: string;
  readonly own: string;
  readonly chooseFile: string;
  readonly dropHere: string;
  readonly saveSnapshot: string;
  readonly saveRecording: string;
  readonly saveHint: string;
  readonly slowFloats: string;
  readonly page: string;
  readonly skeleton: string;
  readonly solution: string;
  readonly mixed: string;
  readonly source: string;
  readonly assembleAndRun: string;
  readonly undoChanges: string;
  readonly changed: string;
  readonly canBeChanged: string;
  /** Of C, for a lab. */
  readonly prebuilt: (lab: string) => string;
  readonly run: string;
  readonly pause: string;
  readonly step: string;
  readonly stepOver: string;
  readonly back: string;
  readonly backOver: string;
  readonly restart: string;
  readonly check: string;
  readonly link: string;
  readonly catchExits: string;
  readonly console: string;
  readonly why: string;
  readonly code: string;
  readonly registers: string;
  readonly csrs: string;
  readonly translate: string;
  readonly events: string;
  readonly monitor: string;
  readonly running: string;
  readonly instruction: string;
  readonly breakpoint: string;
  readonly add: string;
  readonly address: string;
  readonly nothingYet: string;
  readonly search: string;
  readonly time: string;
  readonly passed: string;
  readonly failed: string;
  readonly hint: string;
  readonly next: {
    readonly lab: string;
    readonly demo: string;
    readonly stopped: string;
    readonly off: string;
    readonly died: string;
    readonly running: string;
    readonly passed: string;
    readonly failed: string;
    readonly held: string;
    readonly mistakes: string;
  };
  readonly gdb: { readonly attached: string; readonly lost: string; readonly again: string };
}

const EN: Words = {
  labs: 'Labs',
  demos: 'Guests to look at',
  own: 'Your own files',
  chooseFile: 'Open a file…',
  dropHere: 'ELF program, snapshot or recording; or drop it anywhere',
  saveSnapshot: 'Save the machine',
  saveRecording: 'Save the run',
  saveHint: 'for later, or for loongscope debug --snapshot and loongscope replay',
  slowFloats: 'This browser has no relaxed SIMD: floating point is slower.',
  page: 'Text',
  skeleton: 'skeleton',
  solution: 'solution',
  mixed: 'your assembly, C of the solution',
  source: 'Source',
  assembleAndRun: 'Assemble and run',
  undoChanges: 'Undo all changes',
  changed: 'changed; Check and Restart take it as it is here',
  canBeChanged: 'write in it: no toolchain is needed',
  prebuilt: (lab) => `C comes prebuilt. To change it, in a terminal: loongscope lab ${lab} --start ${lab}`,
  run: 'Run',
  pause: 'Pause',
  step: 'Step',
  stepOver: 'Step over world switch',
  back: 'Step back',
  backOver: 'Run back',
  restart: 'Restart',
  check: 'Check',
  link: 'Link to here',
  catchExits: 'stop at VM exits',
  console: 'Console',
  why: 'Why',
  code: 'Code',
  registers: 'Registers',
  csrs: 'CSRs',
  translate: 'Translation',
  events: 'Events',
  monitor: 'Monitor',
  running: 'running',
  instruction: 'instruction',
  breakpoint: 'Breakpoint',
  add: 'Add',
  address: 'address 0x… or function',
  nothingYet: 'Nothing has happened yet. Press Run.',
  search: 'filter by name',
  time: 'Time: drag back to go to the past',
  passed: 'passed',
  failed: 'not yet',
  hint: 'Hint',
  next: {
    lab: 'Read the text on the left, then press Run to see what the program does, or Check to have it judged.',
    demo: 'Press Run. Or tick "stop at VM exits" first, and look at each exit.',
    stopped: 'Look at Why, Registers and CSRs. Then Step, or Run on. Step back goes back in time.',
    off: 'The program has ended. Drag the time slider, or choose an event, to go back to a moment.',
    died: 'Look at Why. Then go back in time, or Restart.',
    running: 'It is running. Press Pause to look at it.',
    passed: 'Passed. Choose the next lab on the left.',
    failed:
      'Read what is wrong. Assembly is mended in its tab on the left, C in a terminal. Run, to see where it goes wrong.',
    mistakes: 'The source has mistakes: they are listed above it. Mend them, then assemble again.',
    held: 'gdb has the machine. The page shows what it does; "detach" in gdb gives the machine back.',
  },
  gdb: { attached: 'gdb is attached', lost: 'no way to gdb', again: 'try again' },
};

const ZH: Words = {
  labs: '实验',
  demos: '示例客户机',
  own: '自己的文件',
  chooseFile: '打开文件…',
  dropHere: 'ELF 程序、快照或录制文件；也可拖放到页面上',
  saveSnapshot: '保存机器快照',
  saveRecording: '保存运行录制',
  saveHint: '以后可继续使用，也可用 loongscope debug --snapshot 和 loongscope replay 打开',
  slowFloats: '此浏览器不支持 relaxed SIMD：浮点运算较慢。',
  page: '说明',
  skeleton: '骨架',
  solution: '参考答案',
  mixed: '自己的汇编 + 参考答案的 C',
  source: '源文件',
  assembleAndRun: '汇编并运行',
  undoChanges: '撤销全部修改',
  changed: '已修改；“检查”和“重新开始”都使用这里的内容',
  canBeChanged: '可直接在此编辑，无需工具链',
  prebuilt: (lab) => `C 部分已预先编译。如需修改，请在终端中运行：loongscope lab ${lab} --start ${lab}`,
  run: '运行',
  pause: '暂停',
  step: '单步',
  stepOver: '单步（跨过世界切换）',
  back: '后退一步',
  backOver: '向后运行',
  restart: '重新开始',
  check: '检查',
  link: '此刻的链接',
  catchExits: '在 VM 退出时停下',
  console: '控制台',
  why: '原因',
  code: '代码',
  registers: '寄存器',
  csrs: 'CSR',
  translate: '地址翻译',
  events: '事件',
  monitor: '命令',
  running: '运行中',
  instruction: '指令',
  breakpoint: '断点',
  add: '添加',
  address: '地址 0x… 或函数名',
  nothingYet: '还没有发生任何事件。请按“运行”。',
  search: '按名称筛选',
  time: '时间：向左拖动回到过去',
  passed: '通过',
  failed: '尚未通过',
  hint: '提示',
  next: {
    lab: '先阅读左侧说明，再按“运行”看程序做什么，或按“检查”进行评判。',
    demo: '按“运行”。也可以先勾选“在 VM 退出时停下”，逐个查看退出。',
    stopped: '查看“原因”、“寄存器”和“CSR”，再按“单步”或“运行”。“后退一步”回到过去。',
    off: '程序已结束。拖动时间滑块，或选择一个事件，回到那一刻。',
    died: '查看“原因”，再回到过去，或重新开始。',
    running: '正在运行。按“暂停”查看状态。',
    passed: '通过。请在左侧选择下一个实验。',
    failed: '阅读错误说明。汇编在左侧的标签页中修改，C 在终端中修改。按“运行”查看出错的那一刻。',
    mistakes: '源程序有错误，已列在源文件上方。请修改后重新汇编。',
    held: '机器由 gdb 控制，页面只显示其状态；在 gdb 中输入 detach 即可交还控制权。',
  },
  gdb: { attached: 'gdb 已连接', lost: '与 gdb 的连接已断开', again: '重新连接' },
};

export const WORDS: Readonly<Record<Language, Words>> = { en: EN, zh: ZH };
