/** Handshake, threads, attach and detach. */
import type { Steps } from '../../emu/runtime/steps.ts';
import { fromHex, fromLatin1, toHex } from '../framing.ts';
import { runMonitorCommand } from '../monitor/commands.ts';
import type { Target } from '../target.ts';
import { GUEST_PID_BASE, HOST_PID, MACHINE_PID, parseThreadPattern, threadId, threadText } from '../threads.ts';
import type { PacketRow } from './table.ts';

function select(s: Target, text: string): string {
  const pattern = parseThreadPattern(text);
  const thread = pattern && s.find(pattern);
  if (!thread) return 'E01';
  s.current = thread;
  return 'OK';
}

/** `Hc`: the thread that `bs` and `bc` move; any thread means the selected one. */
function selectForReverse(s: Target, text: string): string {
  const pattern = parseThreadPattern(text);
  const thread = pattern && s.find(pattern);
  if (!pattern || (!thread && text !== '-1')) return 'E01';
  s.reverse.thread = pattern.tid > 0 ? thread : undefined;
  s.reverse.pattern = pattern;
  return 'OK';
}

/** `vAttach;PID`: shows a guest, or the host world, as a separate process. */
function attach(s: Target, text: string): string {
  const pid = Number.parseInt(text, 16);
  const vm = pid - GUEST_PID_BASE;
  // It went on to its end when gdb had left its last process. A process without threads would abort gdb.
  if (s.control.over) return 'E.the machine has ended';
  // If a process is attached twice, gdb 18 aborts.
  if (s.attached.has(pid) || (pid === MACHINE_PID && !s.machineHidden)) return `E.process ${pid} is attached already`;
  if (s.view.kind !== 'machine' && pid !== MACHINE_PID) return `E.this port shows one process: attach ${MACHINE_PID}`;
  if (pid === MACHINE_PID) s.machineHidden = false;
  else if (pid === HOST_PID || s.control.vcpuStates.vms.get(vm)) s.attached.set(pid, new Set());
  else return `E.there is no process ${pid}: VM number N is process 16 + N, from its first entry on ('info os vms')`;
  s.attachAgain();
  s.firstProcess.attached(pid);
  s.current = s.threads().find((t) => t.pid === pid)!;
  s.firstProcess.looksAt(s.current);
  return s.currentStop();
}

/**
 * `vKill;PID`: the machine must survive a kill. A guest is detached, and the machine is only hidden, because gdb
 * kills process 1 when the user types `attach` in its inferior.
 */
function kill(s: Target, text: string): string {
  if (Number.parseInt(text, 16) !== MACHINE_PID) return detach(s, text);
  s.machineHidden = true;
  return 'OK';
}

function detach(s: Target, text: string): string {
  const pid = text === '' ? MACHINE_PID : Number.parseInt(text, 16);
  if (pid === MACHINE_PID) {
    if (s.machineHidden) return 'E01';
    s.machineHidden = true;
  } else {
    if (!s.attached.delete(pid)) return 'E01';
    if (pid === HOST_PID) s.hostView = false;
    const scope = pid === HOST_PID ? 'host' : pid - GUEST_PID_BASE;
    s.control.comparators.remove((b) => b.owner === s && b.scope === scope);
    s.control.comparators.removeWatch((w) => w.owner === s && w.scope === scope);
  }
  s.current = s.threads()[0]!;
  // The machine goes on when the client has left its last process, after the answer.
  if (s.listed().length === 0) s.machine.options.runtime.soon(() => s.detach());
  return 'OK';
}

function* monitorCommand(s: Target, text: string): Steps<string> {
  return s.lastOutput(yield* runMonitorCommand(s, text));
}

export const GENERAL: readonly PacketRow[] = [
  { name: 'vMustReplyEmpty', handle: () => '' },
  // packet-queue.ts answers it, because acknowledgements must end directly after the answer. It is not offered: when Ctrl-C ends
  // gdb's waiting for a monitor command, gdb finds its place again by acknowledgements alone.
  { name: 'QStartNoAckMode', handle: () => 'OK' },
  { name: '!', handle: () => 'OK' },
  { name: '?', handle: (s) => (s.listed().length ? s.currentStop() : 'W00') },
  { name: 'Hg', supported: ['multiprocess+'], handle: select },
  { name: 'Hc', handle: selectForReverse },
  { name: 'H', handle: () => 'E.H takes g or c, and a thread: HgpPID.TID' },
  {
    name: 'T',
    handle: (s, rest) => {
      const pattern = parseThreadPattern(rest);
      return pattern && s.find(pattern) ? 'OK' : 'E01';
    },
  },
  { name: 'qC', handle: (s) => `QC${threadId(s.current)}` },
  { name: 'qAttached', handle: () => '1' },
  { name: 'qfThreadInfo', handle: (s) => (s.listed().length ? `m${s.listed().map(threadId).join(',')}` : 'l') },
  { name: 'qsThreadInfo', handle: () => 'l' },
  {
    name: 'qThreadExtraInfo,',
    handle: (s, rest) => {
      const pattern = parseThreadPattern(rest);
      const thread = pattern && s.find(pattern);
      return thread ? toHex(fromLatin1(threadText(thread, s.control))) : 'E01';
    },
  },
  { name: 'qSymbol', handle: () => 'OK' },
  {
    name: 'QPassSignals:',
    supported: ['QPassSignals+'],
    handle: (s, rest) => {
      // gdb ends the list with a semicolon.
      if (!/^([0-9a-f]{1,4}(;[0-9a-f]{1,4})*;?)?$/i.test(rest)) return 'E.QPassSignals takes signal numbers in hex';
      s.passed = new Set(
        rest
          .split(';')
          .filter(Boolean)
          .map((n) => Number.parseInt(n, 16)),
      );
      return 'OK';
    },
  },
  { name: 'vAttach;', handle: attach },
  { name: 'D', handle: (s, rest) => detach(s, rest.replace(/^;/, '')) },
  { name: 'vKill;', handle: kill },
  {
    name: 'k',
    handle: (s) => {
      s.machine.options.runtime.soon(() => s.detach());
      return undefined;
    },
  },
  { name: 'vRun', handle: () => 'E.not supported: use monitor reset' },
  { name: 'R', handle: () => 'E.not supported: use monitor reset' },
  {
    name: 'qRcmd,',
    handle: (s, rest) => {
      const text = fromHex(rest);
      return text ? monitorCommand(s, new TextDecoder().decode(text).trim()) : 'E.qRcmd: hex digits expected';
    },
  },
];
