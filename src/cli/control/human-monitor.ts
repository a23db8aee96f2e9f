/** The commands of QEMU's human monitor that have a meaning here, as text in, text out. Lines end with CR LF, as in QEMU. */

import type { Cpu } from '../../emu/cpu/cpu.ts';
import { peekCsr } from '../../emu/cpu/csr-access.ts';
import { CSRS } from '../../emu/cpu/csr-table.ts';
import { hex } from '../../emu/formats/hex.ts';
import { VERSION } from '../version.ts';
import type { ControlledMachine } from './controlled-machine.ts';

interface HumanCommand {
  readonly names: readonly string[];
  readonly help: string;
  readonly run: (m: ControlledMachine, args: readonly string[]) => string;
}

const REGISTERS_IN_A_LINE = 4;
const word = (v: bigint): string => BigInt.asUintN(64, v).toString(16).padStart(16, '0');

/** Registers of a CPU, laid out as QEMU does. */
function registers(cpu: Cpu): string[] {
  const out = [
    '',
    `CPU#${cpu.index}`,
    ` PC=${word(cpu.pc)}  FCSR0 0x${(cpu.stateI32('fcsr') >>> 0).toString(16).padStart(8, '0')}`,
  ];
  for (let n = 0; n < 32; n += REGISTERS_IN_A_LINE) {
    const some = Array.from({ length: REGISTERS_IN_A_LINE }, (_, k) => `r${n + k} ${word(cpu.gpr(n + k))}`);
    out.push(` GPR${String(n).padStart(2, '0')}: ${some.join(' ')}`);
  }
  out.push('');
  for (const row of CSRS)
    out.push(` CSR${String(row.num).padStart(3, '0')}: ${row.name.padEnd(10)} ${hex(peekCsr(cpu, false, row.num))}`);
  return out;
}

const lines = (list: readonly string[]): string => list.map((l) => `${l}\r\n`).join('');

const COMMANDS: readonly HumanCommand[] = [
  {
    names: ['info status'],
    help: 'does the machine run',
    run: (m) => {
      const { state } = m;
      return lines([
        `VM status: ${state === 'running' ? 'running' : `paused${state === 'paused' ? '' : ` (${state})`}`}`,
      ]);
    },
  },
  { names: ['info version'], help: 'the version', run: () => lines([VERSION]) },
  { names: ['info name'], help: 'the name of -name', run: (m) => (m.identity.name ? lines([m.identity.name]) : '') },
  { names: ['info uuid'], help: 'the identity of -uuid', run: (m) => lines([m.identity.uuid ?? NO_UUID]) },
  {
    names: ['info cpus'],
    help: 'the CPUs',
    run: (m) =>
      lines(
        m.control.machine.cpus.map((c) => `${c.index === 0 ? '*' : ' '} CPU #${c.index}: thread_id=${process.pid}`),
      ),
  },
  {
    names: ['info registers'],
    help: 'registers of CPU 0, or with -a of all CPUs',
    run: (m, args) => {
      const { cpus } = m.control.machine;
      return lines((args.includes('-a') ? cpus : cpus.slice(0, 1)).flatMap(registers));
    },
  },
  { names: ['stop', 's'], help: 'stop the machine', run: (m) => quiet(() => m.pause()) },
  { names: ['cont', 'c'], help: 'let it run', run: (m) => quiet(() => m.resume()) },
  { names: ['system_reset'], help: 'reset it', run: (m) => quiet(() => m.reset('host-qmp-system-reset')) },
  { names: ['system_powerdown'], help: 'press its power button', run: (m) => quiet(() => m.pressPowerButton()) },
  { names: ['quit', 'q'], help: 'end the run', run: (m) => quiet(() => m.quit('host-qmp-quit')) },
  {
    names: ['help', '?'],
    help: 'this list',
    run: () => lines(COMMANDS.map((c) => `${c.names.join('|')}  -- ${c.help}`)),
  },
];

export const NO_UUID = '00000000-0000-0000-0000-000000000000';

/** Runs a command without output; what goes wrong is its output. */
function quiet(body: () => void): string {
  try {
    body();
    return '';
  } catch (error) {
    return lines([`Error: ${error instanceof Error ? error.message : String(error)}`]);
  }
}

/** Carries out a line. @returns the output */
export function humanCommand(m: ControlledMachine, line: string): string {
  const words = line.trim().split(/\s+/).filter(Boolean);
  if (words.length === 0) return '';
  const find = (name: string): HumanCommand | undefined => COMMANDS.find((c) => c.names.includes(name));
  const two = words.slice(0, 2).join(' ');
  const command = find(two);
  if (command) return command.run(m, words.slice(2));
  const one = find(words[0]!);
  return one ? one.run(m, words.slice(1)) : lines([`unknown command: '${words[0] === 'info' ? two : words[0]}'`]);
}
