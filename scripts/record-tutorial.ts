/**
 * Writes docs/tutorial/sync-exception.md: the text below with the real output of the commands. Run it after a change of the output of
 * the debugger: `npm run record-tutorial`. test/gdb/tutorial.test.ts compares the page with a new recording.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';
import { commandsOf, type Part, rendered, session } from './recorded-page.ts';

export const TUTORIAL = join(PROJECT_ROOT, 'docs', 'tutorial', 'sync-exception.md');

const PARTS: readonly Part[] = [
  '# Why does my guest die of a synchronous exception?',
  'From the symptom to the cause, with the `crash` guest of the reference hypervisor. Everything below is real output (recorded by `npm run record-tutorial`); addresses and counts on your machine may differ a little.',
  '## The symptom',
  'The guest prints a line and dies. The hypervisor says that it fetched an instruction from guest physical address 0, where it has no memory. Nobody jumped there on purpose.',
  { shell: ['run', '--guest', 'crash'], keep: /crash/ },
  '## Stop where it happens',
  '`./scripts/loongscope debug --guest crash` starts the machine with a gdb on it, symbols loaded. PIF is the exit for a fetch that stage 2 does not map: catch it, and let the machine run.',
  { gdb: ['monitor catch vmexit PIF', 'continue'] },
  'The machine has stopped at the hypervisor’s exit vector, before its first instruction. The registers are still those of the guest.',
  '## Ask',
  {
    gdb: ['monitor explain'],
  },
  'Read it from below. The address that could not be fetched *is a vector*: before, the guest took a system call exception, and its EENTRY was never written by it — so the exception was delivered to address 0. Above that stand the facts: both stages of the translation with every table entry, and the registers that matter with the instruction that wrote each of them last. The only one who ever wrote the guest’s EENTRY was the hypervisor, when it loaded the vCPU’s initial state.',
  'The same about one register:',
  { gdb: ['monitor info gcsr eentry', 'info registers g_era g_estat g_eentry g_crmd'] },
  '## Go back to the instruction that did it',
  'Execution goes backwards, through the world switch. In the guest’s own view (process 17: VM 1) each step back is one of the guest: the fetch that failed, the same fetch before stage 2 was refilled, and then its `syscall`, with a stack behind it.',
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
  '## The way that led there',
  'gdb’s own `record btrace` has the last branches, although nothing was recorded: the emulator runs the past again and looks. `monitor history` adds exceptions, world switches and CSR writes.',
  {
    gdb: ['record btrace bts', 'record function-call-history', 'record stop', 'monitor history 6 all'],
  },
  '## The whole run at a glance',
  '`loongscope trace` writes every exit, exception and world switch into a file (text, JSON lines, or a timeline for Perfetto), and says what came first and what came often:',
  { shell: ['trace', '--guest', 'crash', '--serial', 'null', '--output', '/dev/null'] },
  'The auditor finds the same cause by itself:',
  { shell: ['run', '--guest', 'crash', '--serial', 'null', '--audit', 'worldswitch'] },
  '## A hunt: two mistakes of AxVisor',
  'AxVisor ran for a long time on an emulator that forgives. On hardware, and here, the host stands still before its guest runs: it sets GTLBC.TGID in ordinary Rust code, which is mapped by page tables, and has some thousand instructions to go before its `ertn`. `test/broken/paged` is a small hypervisor whose host is paged too; its variant `tgid_early` (`./scripts/build-broken`) makes the same mistake. Nothing has to be asked, the first message names it:',
  { shell: ['run', 'build/broken/tgid_early.elf', '--memory', '128M'], keep: /no progress|cause|rule|pc |level 0|V D/ },
  'Two facts beside each other are the proof: the page of the host is mapped (level 0, V and D), and the handler fills it, but as an entry of GID 5, because GTLBC.TGID was written at `run+0x8`. Linux KVM writes TGID in the last assembly before the entry, and clears it first at the exit.',
  'Whoever wants to see the rest of the program first, and mend this later, has the forgiveness by name:',
  { shell: ['run', 'build/broken/tgid_early.elf', '--memory', '128M', '--cpu', 'max,quirk-host-refill-gid=on'] },
  'The second mistake of AxVisor shows only behind the first: where a stage-2 directory is empty, its refill handler gives up, and goes on in the exit handler by a jump. Its variant here is `refill_jump`. What repeats is a fetch that fails at its own vector, thousands of times; the message goes back to the instruction before the first of them:',
  {
    shell: ['run', 'build/broken/refill_jump.elf', '--memory', '128M', '--serial', 'null'],
    keep: /loops in exceptions|cause|rule|VM exit|pc |V=0/,
  },
  'A refill handler runs in direct address mode, and only its `ertn` ends that. What left it here was a `ret` to a paged address: CRMD.DA is still 1, so neither that address nor the vector of the fault can be fetched. In gdb, `monitor history` shows the same in its order, the repeats as one line.',
  '## The cure',
  'Back to the guest of the beginning. A guest sets EENTRY before the first instruction that can raise an exception: `csrwr` of the address of its handler to CSR 0xc, as `guests/privileged/main.c` does first of all (`csr_write(CSR_EENTRY, guest_vector)`). If the guest is a kernel that does set it and dies all the same, the usual suspects are next in line, and the same three questions find them:',
  '- **EENTRY is set, and the fetch still fails**: `monitor explain` shows the step of the translation that fails (no window, no TLB entry, V=0), and who wrote PGDL or the window.\n- **TLBRENTRY holds a virtual address**: refill handlers run in direct address mode; `explain` says so.\n- **The handler faults itself**: the loop is stopped and explained instead of spinning.\n- **It happens after a world switch only**: `--audit worldswitch` tells which register the hypervisor did not bring back.',
];

/** The page, with fresh output. */
export async function recordTutorial(): Promise<string> {
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
  return `${await rendered(PARTS, outputs)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TUTORIAL, await recordTutorial());
