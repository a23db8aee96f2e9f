/** `monitor` settings of a connection, and the commands that end or restart the machine. */
import { CSRS } from '../../emu/cpu/csr-table.ts';
import type { ContextSource, VcpuKey } from '../../emu/debug/context.ts';
import { parseVmKey, vmKeyText } from '../../emu/debug/vms.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import { DEFAULT_STEP_INTO, STEP_CLASSES, type StepClass } from '../soft-step.ts';
import type { Target } from '../target.ts';
import { HOST_PID } from '../threads.ts';
import { type Command, lines, onOff, STALE, toggle } from './command.ts';
import { replayed } from './replayed.ts';

/** `gcsr:cpuid`, `csr:save3` or `gpr:21`. */
function parseKey(text: string | undefined): VcpuKey {
  const m = /^(csr|gcsr|gpr):(\w+)$/i.exec(text ?? '');
  if (!m) throw new Error('gcsr:NAME, csr:NAME or gpr:NUMBER expected');
  const kind = m[1]!.toLowerCase() as VcpuKey['kind'];
  if (kind === 'gpr') {
    const num = Number(m[2]!.replace(/^r/i, ''));
    if (!(Number.isInteger(num) && num >= 0 && num < 32))
      throw new Error(`'${m[2]}' is no general register: use 0 to 31`);
    return { kind, num };
  }
  const row = CSRS.find((c) => c.name.toLowerCase() === m[2]!.toLowerCase());
  if (!row) throw new Error(`unknown CSR '${m[2]}'`);
  return { kind, num: row.num };
}

function stepInto(s: Target, a: readonly string[]): string {
  if (a.length === 1 && a[0] === 'default') s.stepInto = new Set(DEFAULT_STEP_INTO);
  else if (a.length) {
    const wrong = a.find((c) => !(STEP_CLASSES as readonly string[]).includes(c));
    if (wrong) throw new Error(`unknown class '${wrong}'`);
    s.stepInto = new Set(a as readonly StepClass[]);
  }
  return `step-into: ${[...s.stepInto].join(' ')}\n`;
}

/** `step-mode`: what a step of process 1 does at a world switch. */
function stepMode(s: Target, a: readonly string[]): string {
  const modes = ['cpu', 'world', 'guest'] as const;
  const mode = modes.find((m) => m === a[0]);
  if (a.length && !mode) throw new Error(`one of ${modes.join(', ')} expected`);
  if (mode) s.stepMode = mode;
  return `step-mode is ${s.stepMode}\n`;
}

function context(s: Target, args: readonly string[]): string | Steps<string> {
  const { contexts } = s.control;
  if (args.length > 1 || (args.length && args[0] !== 'learn')) throw new Error("'learn' or nothing expected");
  if (!contexts) return 'nothing is known of this hypervisor: hardware snapshots are shown\n';
  function* learn(source: ContextSource): Steps<string> {
    const found = yield* source.learning();
    return `learned of ${found} vCPUs; gdb reads their registers again after 'maint flush register-cache'\n${source.describe()}`;
  }
  return args.length ? replayed(s, learn(contexts)) : contexts.describe();
}

function symbols(s: Target, args: readonly string[]): string {
  const { symbolFiles } = s.control;
  if (args.length > 0) {
    if (!symbolFiles) throw new Error('no files can be named here');
    symbolFiles.add(args.join(' '));
  }
  const files = symbolFiles?.describe() ?? [];
  return files.length > 0
    ? lines(files)
    : "none beside the image: start with '--symbols FILE[,in=host|VM][,offset=N|auto]', or write 'monitor symbols FILE…'\n";
}

/** Lists the host world no more. gdb loses its way when a process goes that it has attached, or stands in. */
function hideHost(s: Target): void {
  if (s.attached.has(HOST_PID) && !s.hostView)
    throw new Error(`gdb has attached process ${HOST_PID}: 'detach' gives it up`);
  if (s.current.pid === HOST_PID)
    throw new Error(`process ${HOST_PID} is gdb's current one: select another one first, as 'inferior 1'`);
  s.attached.delete(HOST_PID);
  s.hostView = false;
}

function showHost(s: Target): void {
  if (s.attached.has(HOST_PID)) return;
  s.attached.set(HOST_PID, new Set());
  s.hostView = true;
}

export const RESET: Command = {
  name: 'reset',
  args: '',
  help: 'power-on reset',
  run: (s) => {
    s.control.powerOnAgain();
    return `machine reset\n${STALE}`;
  },
};

export const SETTING_COMMANDS: readonly Command[] = [
  {
    name: 'step-into',
    args: '[CLASS…|default]',
    help: `exceptions that a step enters: ${STEP_CLASSES.join(' ')}`,
    run: stepInto,
  },
  {
    name: 'step-mode',
    args: '[cpu|world|guest]',
    help: 'steps of process 1: wherever the CPU goes, within their world, or in guests alone',
    run: stepMode,
  },
  {
    name: 'bp-by',
    args: '[virtual|physical]',
    help: 'breakpoints inserted from now on go by virtual address, or by where it leads now',
    run: (s, a) => {
      if (a.length) {
        if (a[0] !== 'virtual' && a[0] !== 'physical') throw new Error("'virtual' or 'physical' expected");
        s.settings.breakByPhysical = a[0] === 'physical';
        s.places.clear();
      }
      return `breakpoints go by ${s.settings.breakByPhysical ? 'physical' : 'virtual'} address\n`;
    },
  },
  {
    name: 'bp-asid',
    args: '[ASID|any]',
    help: 'breakpoints inserted from now on stop in one address space of their world',
    run: (s, a) => {
      if (a.length) {
        const asid = Number(a[0]);
        if (a[0] !== 'any' && !(Number.isInteger(asid) && asid >= 0 && asid < 1024))
          throw new Error("an ASID (0 to 1023) or 'any' expected");
        s.settings.breakInAsid = a[0] === 'any' ? undefined : asid;
      }
      return `breakpoints stop in ${s.settings.breakInAsid === undefined ? 'any ASID' : `ASID ${s.settings.breakInAsid}`}\n`;
    },
  },
  toggle(
    'guests auto',
    'list guests as processes of their own as soon as they run',
    (s) => s.settings.guestsAuto,
    (s, on) => {
      s.settings.guestsAuto = on;
    },
  ),
  {
    name: 'first-process',
    args: 'heard',
    help: "gdb has made 'stepi 0' in the process that it found first, and from now on shows stops of it",
    run: (s, args) => {
      if (args.length !== 1 || args[0] !== 'heard') throw new Error("'heard' expected");
      s.firstProcess.heard();
      return '';
    },
  },
  toggle(
    'follow world',
    "a step into an attached guest selects the guest's thread",
    (s) => s.settings.followWorld,
    (s, on) => {
      s.settings.followWorld = on;
    },
  ),
  toggle(
    'ctrlc-follow',
    "Ctrl-C selects the attached guest's thread when the CPU is in it",
    (s) => s.settings.followInterrupt,
    (s, on) => {
      s.settings.followInterrupt = on;
    },
  ),
  toggle(
    'signals',
    'report caught exceptions as signals: `catch signal SIGILL`, `handle SIGSEGV stop`',
    (s) => s.settings.signals,
    (s, on) => {
      s.settings.signals = on;
    },
  ),
  {
    name: 'host-view',
    args: '[on|off]',
    help: "list the host world as process 2: its CSRs and memory, and the hypervisor's registers while a guest runs",
    run: (s, a) => {
      if (a.length) {
        if (onOff(a[0])) showHost(s);
        else hideHost(s);
      }
      return `host-view is ${s.attached.has(HOST_PID) ? 'on' : 'off'}\n`;
    },
  },
  {
    name: 'vcpu-key',
    args: '[gcsr:NAME|csr:NAME|gpr:N]',
    help: 'what tells vCPUs of a guest apart at VM entry (default gcsr:cpuid)',
    run: (s, a) => {
      const { vcpuStates } = s.control;
      if (a.length) vcpuStates.key = parseKey(a[0]);
      const { kind, num } = vcpuStates.key;
      const name = kind === 'gpr' ? `r${num}` : CSRS.find((c) => c.num === num)!.name.toLowerCase();
      return `vCPUs are distinguished by ${kind}:${name}\n`;
    },
  },
  {
    name: 'vm-key',
    args: '[root|gid|csr:NAME|gpr:N]',
    help: 'what tells VMs apart at VM entry (default root: the stage-2 table in PGDL)',
    run: (s, a) => {
      const { vms } = s.control.vcpuStates;
      if (a.length) vms.key = parseVmKey(a[0]!);
      return `VMs are distinguished by ${vmKeyText(vms.key)}\n`;
    },
  },
  {
    name: 'context',
    args: '[learn]',
    help: "what is known of the hypervisor's own saved contexts; learn: replays the last exits to find them",
    run: context,
  },
  {
    name: 'symbols',
    args: '[FILE[,in=host|VM][,offset=N|auto]]',
    help: 'the files by which addresses are named beside the image; FILE: one more, below the folder of --files',
    run: symbols,
  },
  {
    name: 'audit',
    args: '',
    help: 'what the world-switch auditor has found (--audit worldswitch)',
    run: (s) => (s.control.audit ? lines(s.control.audit()) : "no audit: start with '--audit worldswitch'\n"),
  },
  toggle(
    'mmio-read',
    'let memory reads reach device registers (without side effects)',
    (s) => s.mmioRead,
    (s, on) => {
      s.mmioRead = on;
    },
  ),
  toggle(
    'mmio-write',
    'let memory writes reach device registers, with all that a store does there',
    (s) => s.mmioWrite,
    (s, on) => {
      s.mmioWrite = on;
    },
  ),
  RESET,
  {
    name: 'quit',
    args: '',
    help: 'end the machine',
    run: (s) => {
      s.machine.options.runtime.soon(() => s.control.quit());
      return 'machine ends\n';
    },
  },
];
