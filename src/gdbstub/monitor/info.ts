/** `monitor info …`, `translate`, `explain`: the current state. */

import { peekCsr } from '../../emu/cpu/csr-access.ts';
import { CSRS, csrByName } from '../../emu/cpu/csr-table.ts';
import { causeName } from '../../emu/debug/catches.ts';
import { anyGuestContext, HOST_WORLD, hostContext, runningContext } from '../../emu/debug/context.ts';
import { describeWrite, lastWrite } from '../../emu/debug/csr-words.ts';
import { describeCsr, parseNumber } from '../../emu/debug/decode-number.ts';
import { describeStatistics } from '../../emu/debug/exit-statistics.ts';
import { describeEvent } from '../../emu/debug/explain.ts';
import { explainParked } from '../../emu/debug/explain-parked.ts';
import { explaining } from '../../emu/debug/explain-stop.ts';
import { describeEntry, walk } from '../../emu/debug/walk.ts';
import { remarksOn } from '../../emu/debug/why/remarks.ts';
import { hex } from '../../emu/formats/hex.ts';
import { STATE } from '../../emu/memory/layout.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import type { Target } from '../target.ts';
import { GUEST_PID_BASE } from '../threads.ts';
import { type Command, lines, notYet, onOff, parseWorld, splitWorld, symbol } from './command.ts';
import { replayed } from './replayed.ts';

function* explanation(s: Target): Steps<string> {
  const { world, vcpu, live } = s.context;
  const parked = world >= 0 && !live ? explainParked(s.control, world, vcpu, s.symbolize) : undefined;
  return lines(parked ?? (yield* explaining(s.control, s.current.cpu, s.symbolize)));
}

function infoCsr(s: Target, guest: boolean, args: readonly string[]): string {
  const { cpu } = s.current;
  if (args.length === 0) {
    const rows = CSRS.filter((r) => !guest || r.guest === 'own');
    return lines(rows.map((r) => `${r.name.padEnd(10)} ${hex(peekCsr(cpu, guest, r.num))}`));
  }
  const row = csrByName(args[0]!);
  if (!row) throw new Error(`unknown CSR '${args[0]}'`);
  const world = guest ? cpu.events.vmOf(cpu.gid, cpu.now) : HOST_WORLD;
  const write = lastWrite(cpu, world, row.num);
  const csr = (num: number): bigint => peekCsr(cpu, guest, num);
  const values = { cpu, machine: s.machine, world, csr, name: s.symbolize };
  const remarks = remarksOn(row.num, values).map((r) => `  remark: ${r.text}; rule: ${r.rule.must}`);
  return lines([...describeCsr(row, csr(row.num)), `  ${describeWrite(write, s.symbolize)}`, ...remarks]);
}

function infoTlb(s: Target, args: readonly string[]): string {
  const { cpu } = s.current;
  const which = args.find((a) => !a.startsWith('0x'));
  const addressText = args.find((a) => a.startsWith('0x'));
  const address = addressText === undefined ? undefined : parseNumber(addressText);
  const vm = which === undefined || which === 'host' || which === 'guest' ? undefined : parseWorld(s, which);
  if (vm !== undefined && !s.control.vcpuStates.vms.get(vm)) throw notYet(s, vm);
  const gid = vm === undefined ? undefined : cpu.events.gidOf(vm);
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

function translate(s: Target, args: readonly string[]): string {
  const { rest, world } = splitWorld(s, args);
  if (rest.length !== 1) throw new Error('one address expected');
  const { cpu } = s.current;
  const { vcpuStates } = s.control;
  const ctx =
    world === 'any'
      ? s.current.vm === undefined && !s.current.host
        ? runningContext(cpu, vcpuStates)
        : s.context
      : world < 0
        ? hostContext(cpu)
        : anyGuestContext(s.machine.cpus, cpu, world, vcpuStates, s.control.contexts);
  if (!ctx) throw notYet(s, Number(world));
  const va = parseNumber(rest[0]!);
  const result = walk(ctx, s.machine.ram, va);
  const past = result.remembered === undefined ? '' : `, was at physical ${hex(result.remembered)}`;
  const verdict =
    result.address === undefined
      ? `${hex(va)} does not translate${past}`
      : `${hex(va)} -> physical ${hex(result.address)}`;
  return lines([...result.steps, verdict]);
}

function counts(list: Float64Array): string {
  const parts = [...list].flatMap((n, ecode) => (n ? [`${causeName(ecode, 0)} ${n}`] : []));
  return parts.length ? parts.join(', ') : 'none';
}

function infoExits(s: Target): string {
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
}

function infoVms(s: Target): string {
  const { vcpuStates } = s.control;
  const all = vcpuStates.vms.all();
  if (!all.length) return 'no guest has run yet\n';
  return lines(
    all.map((vm) => {
      const ended = vcpuStates.hasEnded(vm) ? ', ended' : '';
      return `VM ${vm.number}: process ${GUEST_PID_BASE + vm.number}, gid ${vm.gid}, stage-2 table ${hex(vm.root)}${ended}`;
    }),
  );
}

function infoVcpus(s: Target): string {
  const { vcpuStates, contexts } = s.control;
  const list = vcpuStates.vcpus().map((v) => {
    const cpu = s.machine.cpus[v.cpu]!;
    const saved = v.running ? undefined : contexts?.vcpu(v.vm, v.vcpu);
    const pc = v.running ? cpu.pc : (saved?.pc ?? v.state[STATE.pc >> 3]!);
    const from = saved ? ` (${saved.source})` : '';
    const exit = v.ecode < 0 ? '' : `, last exit ${causeName(v.ecode, 0)}`;
    const state = v.running ? `running on cpu${v.cpu}` : `parked, last on cpu${v.cpu}`;
    return `VM ${v.vm} vcpu ${v.vcpu}: ${state} at ${symbol(s, v.vm, pc)}${from}, ${v.entries} entries${exit}`;
  });
  return list.length ? lines(list) : 'no guest has run yet\n';
}

function stats(s: Target, args: readonly string[]): string {
  const { control } = s;
  if (args.length) {
    if (onOff(args[0])) control.exits.begin();
    else control.exits.end();
  }
  if (!control.exits.current) return "exits are not counted: 'monitor stats on'\n";
  const table = describeStatistics(control.exits.current, s.symbolize);
  return table.length ? lines(table) : 'no exit since\n';
}

export const INFO_COMMANDS: readonly Command[] = [
  {
    name: 'info worlds',
    args: '',
    help: 'what each CPU executes',
    run: (s) =>
      lines(
        s.machine.cpus.map((c) => {
          const world = c.vm ? `VM ${c.world} (gid ${c.gid}, process ${GUEST_PID_BASE + c.world})` : 'host';
          const between = !c.vm && s.control.contexts?.inTransition(c) ? ' (between worlds)' : '';
          return `cpu${c.index}: ${world} PLV${c.plv} pc ${symbol(s, c.world, c.pc)}${between}`;
        }),
      ),
  },
  {
    name: 'stats',
    args: '[on|off]',
    help: 'exits by cause with latencies, hottest PCs and guest pages, a vCPU each; on: count from now',
    run: stats,
  },
  { name: 'info vms', args: '', help: 'virtual machines that have run', run: infoVms },
  { name: 'info vcpus', args: '', help: 'vCPUs: where they run, or where they will go on', run: infoVcpus },
  {
    name: 'info csr',
    args: '[NAME]',
    help: "the host's CSRs, or one with its fields and who wrote it",
    run: (s, a) => infoCsr(s, false, a),
  },
  {
    name: 'info gcsr',
    args: '[NAME]',
    help: 'the guest CSR bank, or one with its fields and who wrote it',
    run: (s, a) => infoCsr(s, true, a),
  },
  { name: 'info tlb', args: '[host|guest|VM] [ADDRESS]', help: 'TLB entries', run: infoTlb },
  { name: 'info exits', args: '', help: 'VM exits by cause, and the last ones', run: infoExits },
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
    args: 'ADDRESS [in host|VM]',
    help: 'each step of a translation, both stages',
    run: translate,
  },
  {
    name: 'explain',
    args: '',
    help: 'what the machine has stopped at, or the last exception or VM exit, in words',
    run: (s) => replayed(s, explanation(s)),
  },
  {
    name: 'why',
    args: '',
    help: 'the same',
    run: (s) => replayed(s, explanation(s)),
  },
];
