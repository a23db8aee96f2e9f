/** `monitor …`: one row a command. Help and dispatch derive from the rows. */

import { peekCsr } from '../../emu/cpu/csr-access.ts';
import { CSRS, csrByName } from '../../emu/cpu/csr-table.ts';
import { type Catch, causeName, parseCsr, parseEcode } from '../../emu/debug/catches.ts';
import { guestContext, hostContext, runningContext } from '../../emu/debug/context.ts';
import { describeCsr, parseNumber } from '../../emu/debug/decode-number.ts';
import { describeEvent, explainLast } from '../../emu/debug/explain.ts';
import { describeEntry, walk } from '../../emu/debug/walk.ts';
import { savedContexts } from '../../hv/awareness.ts';
import type { Session } from '../session.ts';
import { DEFAULT_STEP_INTO, STEP_CLASSES, type StepClass } from '../soft-step.ts';
import { GUEST_PID_BASE } from '../threads.ts';

interface Command {
  /** Words that start the command. */
  readonly name: string;
  readonly args: string;
  readonly help: string;
  /** @throws Error naming what is wrong with the arguments */
  run(s: Session, args: readonly string[]): string;
}

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;
const lines = (list: readonly string[]): string => `${list.join('\n')}\n`;

/** `host` or a GID (`1`, or `1.0` with a vCPU number). */
function parseWorld(word: string): number {
  if (word === 'host') return -1;
  const m = /^(\d+)(?:\.\d+)?$/.exec(word);
  const gid = m ? Number(m[1]) : Number.NaN;
  if (!(gid >= 1 && gid <= 255)) throw new Error(`'${word}' is no world: use host or a GID`);
  return gid;
}

/** Splits `… in WORLD` off the end of arguments. */
function splitWorld(args: readonly string[]): { rest: readonly string[]; world: number | 'any' } {
  const at = args.indexOf('in');
  if (at < 0) return { rest: args, world: 'any' };
  const word = args[at + 1];
  if (word === undefined) throw new Error("'in' needs a world: host or a GID");
  return { rest: args.slice(0, at), world: word === 'guest' ? 'any' : parseWorld(word) };
}

function symbol(s: Session, world: number, address: bigint): string {
  const name = s.symbolize(world, address);
  return name ? `${hex(address)} <${name}>` : hex(address);
}

function infoCsr(s: Session, guest: boolean, args: readonly string[]): string {
  const { cpu } = s.current;
  if (args.length === 0) {
    const rows = CSRS.filter((r) => !guest || r.guest === 'own');
    return lines(rows.map((r) => `${r.name.padEnd(10)} ${hex(peekCsr(cpu, guest, r.num))}`));
  }
  const row = csrByName(args[0]!);
  if (!row) throw new Error(`unknown CSR '${args[0]}'`);
  return lines(describeCsr(row, peekCsr(cpu, guest, row.num)));
}

function infoTlb(s: Session, args: readonly string[]): string {
  const { cpu } = s.current;
  const which = args.find((a) => !a.startsWith('0x'));
  const addressText = args.find((a) => a.startsWith('0x'));
  const address = addressText === undefined ? undefined : parseNumber(addressText);
  const gid = which === undefined || which === 'host' || which === 'guest' ? undefined : parseWorld(which);
  const covers = (vppn: number, ps: number): boolean => {
    if (address === undefined) return true;
    const shift = BigInt(ps - 12);
    return BigInt(vppn) >> shift === ((address & 0xffffffffffffn) >> 13n) >> shift;
  };
  const out: string[] = [];
  const list = (title: string, tlb: typeof cpu.htlb, keep: (gid: number) => boolean): void => {
    const found = [...tlb.entries()].filter((e) => keep(e.gid) && covers(e.vppn, e.ps));
    out.push(`${title}: ${found.length} entries`, ...found.map((e) => `  ${describeEntry(e)}`));
  };
  if (which === undefined || which === 'host') list('host (VA to PA)', cpu.htlb, (g) => g === 0);
  if (which !== 'host') {
    list('stage 1 (GVA to GPA)', cpu.gtlb, (g) => gid === undefined || g === gid);
    list('stage 2 (GPA to HPA)', cpu.htlb, (g) => g !== 0 && (gid === undefined || g === gid));
  }
  return lines(out);
}

function translate(s: Session, args: readonly string[]): string {
  const { rest, world } = splitWorld(args);
  if (rest.length !== 1) throw new Error('one address expected');
  const { cpu } = s.current;
  const ctx =
    world === 'any'
      ? s.current.gid === undefined
        ? runningContext(cpu, s.control.snapshots)
        : s.context
      : world < 0
        ? hostContext(cpu)
        : // The selected CPU first, then whichever runs the guest or ran it.
          [cpu, ...s.machine.cpus.filter((c) => c.world === world), ...s.machine.cpus]
            .map((c) => guestContext(c, world, s.control.snapshots))
            .find((c) => c !== undefined);
  if (!ctx) throw new Error(`guest ${world} has not run yet`);
  const va = parseNumber(rest[0]!);
  const result = walk(ctx, s.machine.ram, va);
  const verdict =
    result.address === undefined ? `${hex(va)} does not translate` : `${hex(va)} -> physical ${hex(result.address)}`;
  return lines([...result.steps, verdict]);
}

function counts(list: Float64Array): string {
  const parts = [...list].flatMap((n, ecode) => (n ? [`${causeName(ecode, 0)} ${n}`] : []));
  return parts.length ? parts.join(', ') : 'none';
}

function addCatch(s: Session, kind: Catch['kind'], args: readonly string[]): string {
  const { rest, world } = splitWorld(args);
  const text = [kind, ...args].join(' ');
  let added: Catch;
  if (kind === 'csr-write') {
    if (rest.length !== 1) throw new Error('one CSR name expected (g_NAME for the guest bank)');
    added = s.control.catches.add({ kind, ecodes: new Set(), world, csr: parseCsr(rest[0]!), text });
  } else added = s.control.catches.add({ kind, ecodes: new Set(rest.map(parseEcode)), world, text });
  return `catch ${added.id}: ${text}\n`;
}

const listCatches = (s: Session): string => {
  const all = s.control.catches.all();
  return all.length ? lines(all.map((c) => `${c.id}: ${c.text}`)) : 'no catches\n';
};

/** The number in `history N`, checked. */
function historyLength(args: readonly string[]): number {
  if (args.length === 0) return 20;
  const n = Number(args[0]);
  if (!Number.isInteger(n) || n < 1) throw new Error('a positive number expected');
  return Math.min(n, 1024);
}

const onOff = (word: string | undefined): boolean => {
  if (word !== 'on' && word !== 'off') throw new Error("'on' or 'off' expected");
  return word === 'on';
};

export const COMMANDS: readonly Command[] = [
  {
    name: 'help',
    args: '',
    help: 'this list',
    run: () => lines(COMMANDS.map((c) => `${`${c.name} ${c.args}`.trim().padEnd(44)} ${c.help}`)),
  },
  {
    name: 'info worlds',
    args: '',
    help: 'what each CPU executes',
    run: (s) =>
      lines(
        s.machine.cpus.map((c) => {
          const world = c.vm ? `guest gid ${c.gid} (process ${GUEST_PID_BASE + c.gid})` : 'host';
          return `cpu${c.index}: ${world} PLV${c.plv} pc ${symbol(s, c.world, c.pc)}`;
        }),
      ),
  },
  {
    name: 'info vms',
    args: '',
    help: 'guests that have run, by GID',
    run: (s) => {
      const gids = [...new Set(s.control.snapshots.vcpus().map((v) => v.gid))];
      return gids.length
        ? lines(
            gids.map(
              (g) => `gid ${g}: process ${GUEST_PID_BASE + g}, stage-2 table ${hex(s.control.snapshots.root(g) ?? 0n)}`,
            ),
          )
        : 'no guest has run yet\n';
    },
  },
  {
    name: 'info vcpus',
    args: '',
    help: 'vCPUs: where they run, or their last PC',
    run: (s) => {
      const list = s.control.snapshots.vcpus().map(({ gid, cpu }) => {
        const c = s.machine.cpus[cpu]!;
        const running = c.vm && c.gid === gid;
        const pc = running ? c.pc : s.control.snapshots.get(gid, cpu)!.pc;
        return `gid ${gid} on cpu${cpu}: ${running ? 'running' : 'parked'} at ${symbol(s, gid, pc)}`;
      });
      const saved = savedContexts(s.machine, s.lookup).map(
        (c) =>
          `gid ${c.gid}: context of the hypervisor at physical ${hex(c.at)}: pc ${symbol(s, c.gid, c.pc)}, a0 ${hex(c.gpr[4]!)}, sp ${hex(c.gpr[3]!)}, last exit ${causeName(Number((c.exitEstat >> 16n) & 0x3fn), 0)}`,
      );
      return list.length || saved.length ? lines([...list, ...saved]) : 'no guest has run yet\n';
    },
  },
  {
    name: 'info csr',
    args: '[NAME]',
    help: "the host's CSRs, or one with its fields",
    run: (s, a) => infoCsr(s, false, a),
  },
  {
    name: 'info gcsr',
    args: '[NAME]',
    help: 'the guest CSR bank, or one with its fields',
    run: (s, a) => infoCsr(s, true, a),
  },
  { name: 'info tlb', args: '[host|guest|GID] [ADDRESS]', help: 'TLB entries', run: infoTlb },
  { name: 'info catches', args: '', help: 'catches set', run: listCatches },
  {
    name: 'info exits',
    args: '',
    help: 'VM exits by cause, and the last ones',
    run: (s) => {
      const out: string[] = [];
      for (const c of s.machine.cpus) {
        out.push(`cpu${c.index}: ${c.events.entries} entries; exits: ${counts(c.events.exits)}`);
        for (let back = 0, shown = 0; shown < 10; back++) {
          const r = c.events.at(back);
          if (!r) break;
          if (r.kind !== 'exit') continue;
          out.push(`  ${describeEvent(r, s.symbolize)}`);
          shown++;
        }
      }
      return lines(out);
    },
  },
  {
    name: 'info exceptions',
    args: '',
    help: 'exceptions by cause, in the host and in guests',
    run: (s) =>
      lines(
        s.machine.cpus.flatMap((c) => [
          `cpu${c.index}: host: ${counts(c.events.hostExceptions)}`,
          `cpu${c.index}: guests: ${counts(c.events.guestExceptions)}`,
        ]),
      ),
  },
  {
    name: 'translate',
    args: 'ADDRESS [in host|GID]',
    help: 'each step of a translation, both stages',
    run: translate,
  },
  {
    name: 'explain',
    args: '',
    help: 'the last exception or VM exit in words',
    run: (s) => lines(explainLast(s.machine, s.current.cpu, s.control.snapshots, s.symbolize)),
  },
  {
    name: 'catch vmexit',
    args: '[CAUSE…] [in GID]',
    help: 'stop at the vector after a VM exit',
    run: (s, a) => addCatch(s, 'vmexit', a),
  },
  {
    name: 'catch exception',
    args: '[NAME…] [in host|GID]',
    help: 'stop at the vector after an exception',
    run: (s, a) => addCatch(s, 'exception', a),
  },
  {
    name: 'catch csr-write',
    args: 'NAME',
    help: 'stop before a write of a CSR (g_NAME: guest bank)',
    run: (s, a) => addCatch(s, 'csr-write', a),
  },
  {
    name: 'catch ertn',
    args: '[in GID]',
    help: "stop at a guest's first instruction after a VM entry",
    run: (s, a) => addCatch(s, 'ertn', a),
  },
  {
    name: 'delete catch',
    args: 'N',
    help: 'forget a catch',
    run: (s, a) => {
      const n = Number(a[0]);
      if (!s.control.catches.delete(n)) throw new Error(`no catch ${a[0] ?? ''}: see 'info catches'`);
      return `deleted catch ${n}\n`;
    },
  },
  {
    name: 'history',
    args: '[N]',
    help: 'the last N exceptions and world switches, oldest first',
    run: (s, a) => {
      const out: string[] = [];
      for (let back = historyLength(a) - 1; back >= 0; back--) {
        const r = s.current.cpu.events.at(back);
        if (r) out.push(describeEvent(r, s.symbolize));
      }
      return out.length ? lines(out) : 'nothing has happened yet\n';
    },
  },
  {
    name: 'step-into',
    args: '[CLASS…|default]',
    help: `exceptions that a step enters: ${STEP_CLASSES.join(' ')}`,
    run: (s, a) => {
      if (a.length === 1 && a[0] === 'default') s.stepInto = new Set(DEFAULT_STEP_INTO);
      else if (a.length) {
        const wrong = a.find((c) => !(STEP_CLASSES as readonly string[]).includes(c));
        if (wrong) throw new Error(`unknown class '${wrong}'`);
        s.stepInto = new Set(a as readonly StepClass[]);
      }
      return `step-into: ${[...s.stepInto].join(' ')}\n`;
    },
  },
  {
    name: 'mmio-read',
    args: 'on|off',
    help: 'let memory reads reach device registers (without side effects)',
    run: (s, a) => {
      s.mmioRead = onOff(a[0]);
      return `mmio-read is ${a[0]}\n`;
    },
  },
  {
    name: 'reset',
    args: '',
    help: "power-on reset; then 'maint flush register-cache'",
    run: (s) => {
      s.machine.reset();
      s.control.snapshots.clear();
      return 'machine reset\n';
    },
  },
  {
    name: 'quit',
    args: '',
    help: 'end the machine',
    run: (s) => {
      setImmediate(() => s.control.quit());
      return 'machine ends\n';
    },
  },
];

/** Commands that belong to the product's plan and are not there yet: refused, not ignored. */
const NOT_YET = ['watch phys', 'watch gpa', 'snapshot'];

/** Runs a command line. Every answer is text: results, usage of a known command, or the help. */
export function runMonitorCommand(s: Session, text: string): string {
  const words = text.split(/\s+/).filter(Boolean);
  const line = words.join(' ');
  for (const c of COMMANDS) {
    if (line !== c.name && !line.startsWith(`${c.name} `)) continue;
    try {
      return c.run(s, words.slice(c.name.split(' ').length));
    } catch (error) {
      return `${error instanceof Error ? error.message : String(error)}\nusage: monitor ${c.name} ${c.args}\n`;
    }
  }
  const later = NOT_YET.find((n) => line.startsWith(n));
  if (later) return `'${later}' is not available in this version\n`;
  return `unknown command '${line}'\n${COMMANDS[0]!.run(s, [])}`;
}
