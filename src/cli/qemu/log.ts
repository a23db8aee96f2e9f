/** -d: QEMU's logs, and what they are here. */
import { UsageError } from '../errors.ts';
import type { LogKind } from '../log-kinds.ts';
import type { LogSpec } from '../options.ts';
import type { Draft } from './draft.ts';
import { own } from './properties.ts';

interface LogItem {
  readonly text: string;
  /** The kind of --log that has it. Where this version has no such log, a warning says so. */
  readonly kind?: LogKind;
}

/** QEMU's items (util/log.c). */
export const LOG_ITEMS: Readonly<Record<string, LogItem>> = {
  int: { text: 'exceptions and interrupts', kind: 'exception' },
  guest_errors: { text: 'what the guest does wrong with devices', kind: 'device' },
  unimp: { text: 'what a device model leaves out', kind: 'device' },
  in_asm: { text: 'instructions as they are translated; `run --dump-region PC` shows them' },
  out_asm: { text: 'code of the host' },
  op: { text: 'micro-operations' },
  op_opt: { text: 'micro-operations' },
  op_ind: { text: 'micro-operations' },
  op_plugin: { text: 'micro-operations' },
  exec: { text: 'each translated block that is run' },
  nochain: { text: 'a switch of exec' },
  cpu: { text: 'registers before each block; a debugger shows them' },
  fpu: { text: 'registers before each block; a debugger shows them' },
  vpu: { text: 'registers before each block; a debugger shows them' },
  mmu: { text: 'page walks; `monitor walk` of a debugger shows them' },
  pcall: { text: 'far calls of x86' },
  cpu_reset: { text: 'registers before a reset' },
  page: { text: 'pages of user mode' },
  plugin: { text: 'plug-ins of QEMU' },
  strace: { text: 'system calls of user mode' },
  tid: { text: 'a log for each thread' },
  invalid_mem: { text: 'accesses to no memory' },
};

/** @throws UsageError for a name that QEMU does not have either */
export function logItems(d: Draft, text: string): void {
  for (const name of text.split(',')) {
    if (name.startsWith('trace:')) throw new UsageError(`qemu: -d ${name}: there are no trace points: leave it out`);
    const item = own(LOG_ITEMS, name);
    if (!item)
      throw new UsageError(
        `qemu: -d: '${name}' is no log of QEMU: use ${Object.keys(LOG_ITEMS).slice(0, 4).join(', ')} …`,
      );
    d.log.add(name);
  }
}

/** The log that has the items, and the items that no log here has. */
export function logOf(d: Draft): { readonly log: LogSpec | undefined; readonly missing: readonly string[] } {
  const kinds = new Set<LogKind>();
  const missing: string[] = [];
  for (const name of d.log) {
    const kind = LOG_ITEMS[name]!.kind;
    if (kind !== undefined) kinds.add(kind);
    else missing.push(name);
  }
  return { log: kinds.size === 0 ? undefined : { kinds, file: d.logFile }, missing };
}
