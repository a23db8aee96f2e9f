/**
 * Writes docs/tutorial/sync-exception.md: the text below with the real output of the commands. Run it after a change of the output of
 * the debugger: `npm run record-tutorial`. test/gdb/tutorial.test.ts compares the page with a new recording.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { findGdb } from '../src/cli/debug.ts';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { start } from '../src/cli/run.ts';

export const TUTORIAL = join(PROJECT_ROOT, 'docs', 'tutorial', 'sync-exception.md');

/** A paragraph, commands at gdb's prompt, or a command of the shell (arguments of loongscope). */
type Part =
  | string
  | { readonly gdb: readonly string[] }
  | { readonly shell: readonly string[]; readonly keep?: RegExp };

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
  '## The cure',
  'A guest sets EENTRY before the first instruction that can raise an exception: `csrwr` of the address of its handler to CSR 0xc, as `guests/privileged/main.c` does first of all (`csr_write(CSR_EENTRY, guest_vector)`). If the guest is a kernel that does set it and dies all the same, the usual suspects are next in line, and the same three questions find them:',
  '- **EENTRY is set, and the fetch still fails**: `monitor explain` shows the step of the translation that fails (no window, no TLB entry, V=0), and who wrote PGDL or the window.\n- **TLBRENTRY holds a virtual address**: refill handlers run in direct address mode; `explain` says so.\n- **The handler faults itself**: the loop is stopped and explained instead of spinning.\n- **It happens after a world switch only**: `--audit worldswitch` tells which register the hypervisor did not bring back.',
];

const block = (text: string): string => `\`\`\`\n${text.trimEnd()}\n\`\`\``;

/** Runs the page's gdb commands in one session. @returns the output of each part with commands */
async function session(parts: readonly (readonly string[])[]): Promise<string[]> {
  const gdb = await findGdb();
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
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-tutorial-'));
  const mark = '@@part';
  const lines = [
    'set pagination off',
    'set confirm off',
    'set width 0',
    'set style enabled off',
    'file build/hv.elf',
    `target extended-remote 127.0.0.1:${running.ports[0]}`,
    'add-symbol-file build/guests/crash.elf',
    ...parts.flatMap((commands) => [
      `echo ${mark}\\n`,
      ...commands.flatMap((c) => [`echo (gdb) ${c.replace(/[\\$]/g, (x) => `\\${x}`)}\\n`, c]),
    ]),
  ];
  const script = join(folder, 'session.gdb');
  writeFileSync(script, `${lines.join('\n')}\n`);
  const { stdout } = await execa('sh', ['-c', 'exec "$0" "$@" 2>&1', gdb, '-nx', '-q', '-batch', '-x', script], {
    cwd: PROJECT_ROOT,
    reject: false,
    stdin: 'ignore',
  });
  running.control.quit();
  await running.done;
  rmSync(folder, { recursive: true, force: true });
  if (/Error in sourced command/.test(stdout)) throw new Error(`the session has stopped early:\n${stdout}`);
  const clean = stdout.replaceAll(PROJECT_ROOT, '.').replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:1234');
  return clean
    .split(`${mark}\n`)
    .slice(1)
    .map((t) => t.replace(/\n\[Inferior \d+ .*(killed|detached)\]/g, ''));
}

/** The page, with fresh output. */
export async function recordTutorial(): Promise<string> {
  const gdb = await session(PARTS.flatMap((p) => (typeof p === 'object' && 'gdb' in p ? [p.gdb] : [])));
  const out: string[] = [];
  for (const part of PARTS) {
    if (typeof part === 'string') out.push(part);
    else if ('gdb' in part) out.push(block(gdb.shift()!));
    else {
      const { all } = await execa(process.execPath, [join(PROJECT_ROOT, 'src', 'cli', 'main.ts'), ...part.shell], {
        all: true,
        stdin: 'ignore',
        reject: false,
      });
      const text = (all ?? '').split('\n').filter((l) => !part.keep || part.keep.test(l));
      out.push(block(`$ ./scripts/loongscope ${part.shell.join(' ')}\n${text.join('\n')}`));
    }
  }
  return `${out.join('\n\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(TUTORIAL, await recordTutorial());
