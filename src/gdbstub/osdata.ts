/** Tables for gdb's `info os`: one row declares a table, its description and its columns. */

import type { Cpu } from '../emu/cpu/cpu.ts';
import { peekCsr } from '../emu/cpu/csr-access.ts';
import { CSR, CSRS } from '../emu/cpu/csr-table.ts';
import type { EventRecord } from '../emu/cpu/event-ring.ts';
import { causeName } from '../emu/debug/catches.ts';
import { guestContext } from '../emu/debug/context.ts';
import { INTERRUPT_LINES } from '../emu/debug/decode-number.ts';
import { describeElo } from '../emu/debug/walk.ts';
import { hex } from '../emu/formats/hex.ts';
import { markupText } from '../emu/formats/markup.ts';
import type { Tlb } from '../emu/tlb/tlb.ts';
import { catchpointNumbers } from './packets/catchpoints.ts';
import type { Target } from './target.ts';
import { GUEST_PID_BASE } from './threads.ts';

type Row = Readonly<Record<string, string>>;

interface Table {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly rows: (s: Target) => Row[];
}

const tlbRows = (tlb: Tlb): Row[] =>
  [...tlb.entries()].flatMap((e) =>
    e.elo.map((elo, half) => ({
      Index: String(e.index),
      GID: String(e.gid),
      ASID: e.global ? 'global' : String(e.asid),
      Address: hex((BigInt(e.vppn) << 13n) + (half ? 1n << BigInt(e.ps) : 0n)),
      PageSize: hex(2 ** e.ps),
      Page: hex(elo & 0xfffffffff000n),
      Flags: describeElo(elo),
    })),
  );

/** The last exits of all CPUs, the newest first: at most this many. */
const LAST_EXITS = 256;

const TABLES: readonly Table[] = [
  {
    type: 'vms',
    title: 'Guests',
    description: 'Virtual machines that have run',
    rows: (s) =>
      s.control.vcpuStates.vms.all().map((vm) => ({
        Process: String(GUEST_PID_BASE + vm.number),
        VM: String(vm.number),
        GID: String(vm.gid),
        vCPUs: String(s.control.vcpuStates.vcpus().filter((v) => v.vm === vm.number).length),
        Stage2: hex(vm.root),
        State: s.control.vcpuStates.hasEnded(vm) ? 'ended' : 'alive',
      })),
  },
  {
    type: 'vcpus',
    title: 'vCPUs',
    description: 'Guest vCPUs seen so far',
    rows: (s) =>
      s.control.vcpuStates.vcpus().map((v) => {
        const ctx = guestContext(s.machine.cpus, v.vm, v.vcpu, s.control.vcpuStates, s.control.contexts)!;
        return {
          Process: String(GUEST_PID_BASE + v.vm),
          VM: String(v.vm),
          GID: String(v.gid),
          vCPU: String(v.vcpu),
          CPU: String(v.cpu),
          State: v.running ? 'running' : 'parked',
          PC: hex(ctx.pc()),
          Entries: String(v.entries),
          LastExit: v.ecode < 0 ? '-' : causeName(v.ecode, 0),
        };
      }),
  },
  {
    type: 'exits',
    title: 'VM exits',
    description: 'VM exits by cause',
    rows: (s) =>
      s.machine.cpus.flatMap((c) =>
        [...c.events.exits].flatMap((count, ecode) =>
          count ? [{ CPU: String(c.index), Cause: causeName(ecode, 0), Ecode: hex(ecode), Count: String(count) }] : [],
        ),
      ),
  },
  {
    type: 'lastexits',
    title: 'Last VM exits',
    description: `The last ${LAST_EXITS} VM exits, the newest first`,
    rows: (s) =>
      s.machine.cpus
        .flatMap((c) => lastExits(c))
        .sort((a, b) => b.time - a.time)
        .slice(0, LAST_EXITS)
        .map(({ cpu, record: r, time }) => ({
          Tick: String(time),
          CPU: String(cpu.index),
          VM: String(r.world),
          GID: String(r.gid),
          Cause: causeName(r.ecode, r.esub),
          PC: hex(r.pc),
          Address: r.hasBadv ? hex(r.badv) : '-',
        })),
  },
  {
    type: 'irq',
    title: 'Interrupts',
    description: 'Interrupt lines of the host and of the guest bank: pending and enabled',
    rows: (s) =>
      s.machine.cpus.flatMap((c) =>
        INTERRUPT_LINES.flatMap((name, n) => {
          const bit = (v: number): string => String((v >>> n) & 1);
          const of = (num: number, guest: boolean): number => Number(peekCsr(c, guest, num) & 0x1fffn);
          return [
            {
              CPU: String(c.index),
              Line: name,
              HostPending: bit(of(CSR.ESTAT, false)),
              HostEnabled: bit(of(CSR.ECFG, false)),
              GuestPending: bit(of(CSR.ESTAT, true)),
              GuestEnabled: bit(of(CSR.ECFG, true)),
            },
          ];
        }),
      ),
  },
  {
    type: 'tlb',
    title: 'Host TLB',
    description: 'Host-type TLB entries: VA to PA, GPA to HPA',
    rows: (s) => tlbRows(s.current.cpu.htlb),
  },
  {
    type: 'gtlb',
    title: 'Guest TLB',
    description: 'Guest-type TLB entries: GVA to GPA',
    rows: (s) => tlbRows(s.current.cpu.gtlb),
  },
  {
    type: 'csrs',
    title: 'CSRs',
    description: 'Host and guest CSRs of the selected CPU',
    rows: (s) =>
      CSRS.map((r) => ({
        Number: hex(r.num),
        Name: r.name,
        Host: hex(peekCsr(s.current.cpu, false, r.num)),
        Guest: r.guest === 'own' ? hex(peekCsr(s.current.cpu, true, r.num)) : '-',
      })),
  },
  {
    type: 'catchpoints',
    title: 'Catchpoints',
    description: "Events that gdb's `catch syscall N` stops at, with their numbers",
    rows: () => catchpointNumbers().map((c) => ({ Event: c.event, Name: c.name, Number: String(c.number) })),
  },
  {
    type: 'devices',
    title: 'Devices',
    description: 'Memory-mapped devices, then PCI functions',
    rows: (s) => [
      ...s.machine.bus.mappings.map((m) => ({ Base: hex(m.base), Size: hex(m.device.size), Name: m.device.name })),
      ...s.machine.pciFunctions.map((f) => ({
        Base: `00:${f.slot.toString(16).padStart(2, '0')}.0`,
        Size: '',
        Name: f.name,
      })),
    ],
  },
];

/** The exits that are still in the event ring of a CPU. */
function lastExits(cpu: Cpu): { cpu: Cpu; record: EventRecord; time: number }[] {
  const out: { cpu: Cpu; record: EventRecord; time: number }[] = [];
  for (let back = 0; ; back++) {
    const record = cpu.events.at(back);
    if (!record) return out;
    if (record.kind === 'exit') out.push({ cpu, record, time: record.time });
  }
}

function xml(rows: readonly Row[]): string {
  const items = rows.map(
    (r) =>
      `<item>${Object.entries(r)
        .map(([k, v]) => `<column name="${k}">${markupText(v)}</column>`)
        .join('')}</item>`,
  );
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "osdata.dtd"><osdata type="loongscope">${items.join('')}</osdata>`;
}

/** The document of `qXfer:osdata:read:ANNEX`; undefined for an unknown table. The empty annex lists the tables. */
export function osTable(s: Target, annex: string): string | undefined {
  if (annex === '') return xml(TABLES.map((t) => ({ Type: t.type, Description: t.description, Title: t.title })));
  const table = TABLES.find((t) => t.type === annex);
  return table && xml(table.rows(s));
}
