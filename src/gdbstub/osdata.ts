/** Tables for gdb's `info os`: one row declares a table, its description and its columns. */

import { peekCsr } from '../emu/cpu/csr-access.ts';
import { CSRS } from '../emu/cpu/csr-table.ts';
import { causeName } from '../emu/debug/catches.ts';
import { describeElo } from '../emu/debug/walk.ts';
import type { Tlb } from '../emu/mmu/tlb.ts';
import type { Session } from './session.ts';
import { xmlText } from './xml.ts';

type Row = Readonly<Record<string, string>>;

interface Table {
  readonly type: string;
  readonly title: string;
  readonly description: string;
  readonly rows: (s: Session) => Row[];
}

const hex = (v: bigint | number): string => `0x${v.toString(16)}`;

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

const TABLES: readonly Table[] = [
  {
    type: 'vcpus',
    title: 'vCPUs',
    description: 'Guest vCPUs seen so far',
    rows: (s) =>
      s.control.snapshots.vcpus().map(({ gid, cpu }) => {
        const c = s.machine.cpus[cpu]!;
        const running = c.vm && c.gid === gid;
        return {
          Process: String(16 + gid),
          GID: String(gid),
          CPU: String(cpu),
          State: running ? 'running' : 'parked',
          PC: hex(running ? c.pc : s.control.snapshots.get(gid, cpu)!.pc),
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
    type: 'devices',
    title: 'Devices',
    description: 'Memory-mapped devices',
    rows: (s) =>
      s.machine.bus.mappings.map((m) => ({ Base: hex(m.base), Size: hex(m.device.size), Name: m.device.name })),
  },
];

function xml(rows: readonly Row[]): string {
  const items = rows.map(
    (r) =>
      `<item>${Object.entries(r)
        .map(([k, v]) => `<column name="${k}">${xmlText(v)}</column>`)
        .join('')}</item>`,
  );
  return `<?xml version="1.0"?><!DOCTYPE target SYSTEM "osdata.dtd"><osdata type="loongscope">${items.join('')}</osdata>`;
}

/** The document of `qXfer:osdata:read:ANNEX`; undefined for an unknown table. The empty annex lists the tables. */
export function osTable(s: Session, annex: string): string | undefined {
  if (annex === '') return xml(TABLES.map((t) => ({ Type: t.type, Description: t.description, Title: t.title })));
  const table = TABLES.find((t) => t.type === annex);
  return table && xml(table.rows(s));
}
