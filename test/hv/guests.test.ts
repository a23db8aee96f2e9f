/** The hypervisor boots every guest; the console is read through a terminal, as a person would. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { soak } from '../../scripts/soak.ts';
import type { MachineCli } from '../../src/cli/options.ts';
import { HYPERVISOR } from '../../src/cli/paths.ts';
import { start } from '../../src/cli/run.ts';
import { Screen } from '../../src/cli/screen.ts';
import { statistics } from '../../src/cli/statistics.ts';
import { parseElf, readSymbols } from '../../src/emu/boot/elf.ts';
import { descriptors } from '../../src/hv/awareness/descriptor.ts';
import { resolved } from '../../src/hv/awareness/resolve.ts';
import { guestSpec, machineCli } from '../support/gdb-session.ts';

interface Result {
  readonly code: number;
  readonly lines: readonly string[];
  readonly stats: {
    vmExits: Record<string, number>;
    exceptions: Record<string, number>;
    instructions: number;
    guestInstructions: number;
  };
  readonly hash: string;
}

type Named = [name: string, alias?: string, append?: string, vcpus?: number];
const bootGuests = (...names: Named[]): Promise<Result> => bootOn({}, ...names);

async function bootOn(more: Partial<MachineCli>, ...names: Named[]): Promise<Result> {
  const screen = new Screen();
  const { gdb: _, ...cli } = machineCli(
    names.map(([n, alias, append, vcpus]) => guestSpec(n, alias ?? n, append ?? '', vcpus ?? 1)),
    { wait: false, ...more },
  );
  const running = await start(undefined, cli, (b) => screen.write(b));
  const code = await running.done;
  const { machine } = running.booted;
  const hash = createHash('sha256')
    .update(machine.mem.u8.subarray(machine.mem.ramStart, machine.mem.ramStart + machine.ram.touched))
    .update(machine.mem.u8.subarray(0x10000, 0x18000));
  return {
    code,
    lines: await screen.lines(),
    stats: JSON.parse(statistics(machine, 1)) as Result['stats'],
    hash: hash.digest('hex'),
  };
}

const HEADER = [/^hv: LVZ version 1, 8 GID bits$/, /^hv: guest \w+: GID 1, 16 MiB at 0x[0-9a-f]+, entry 0x200000$/];
const FOOTER = 'hv: all guests have ended, power off';

/** The guest's own lines, in order. */
const own = (lines: readonly string[]): string[] => lines.filter((l) => l.startsWith('['));

describe('the reference hypervisor and its guests', () => {
  test('hello: one hypercall, MMIO, power-off', async () => {
    const { code, lines, stats } = await bootGuests(['hello']);
    expect(code).toBe(0);
    for (const [i, h] of HEADER.entries()) expect(lines[i]).toMatch(h);
    expect(own(lines)).toEqual(['[hello] Hello from a LoongArch guest']);
    expect(lines.at(-1)).toBe(FOOTER);
    expect(stats.vmExits).toEqual({ HVC: 1, PIS: 29, TLBR: 3 });
    expect(stats.guestInstructions).toBeGreaterThan(100);
  });

  test('paging: own tables, refill inside the guest, huge page, fault fixed by the guest', async () => {
    const { lines, stats } = await bootGuests(['paging']);
    expect(own(lines)).toEqual(
      [
        'a 4 KiB page',
        'a clean page, read',
        'a clean page, stored to after one PME',
        'a 2 MiB page, read',
        'a 2 MiB page, written at its other end',
        'a mapping changed and invalidated',
        'a page whose stores the hypervisor logs',
        'a page given back comes again, empty',
      ].map((t) => `[paging] paging: ok   ${t}`),
    );
    expect(lines.some((l) => l.startsWith('hv: guest paging stopped with status 0'))).toBe(true);
    // One logged store; the read of the released page is the only load that faults.
    expect(stats.vmExits.PME).toBe(1);
    expect(stats.vmExits.PIL).toBe(1);
    expect(stats.exceptions).toEqual({ PME: 1, TLBR: 5 });
  });

  test('timer: five periods, delivered inside the guest', async () => {
    const { lines, stats } = await bootGuests(['timer']);
    expect(own(lines)).toEqual([
      ...[1, 2, 3, 4, 5].map((n) => `[timer] timer: tick ${n}`),
      '[timer] timer: five periods took the right time',
      '[timer] timer: the UART interrupt was injected',
    ]);
    expect(stats.exceptions).toEqual({ INT: 6 });
    expect(stats.vmExits.GSPR).toBe(5); // five idles
  });

  test('privileged: every trapping instruction, and two that stay inside', async () => {
    const { lines, stats } = await bootGuests(['privileged']);
    expect(own(lines).map((l) => l.replace('[privileged] privileged: ', ''))).toEqual([
      'cpucfg 2, LVZ hidden -> 0x0',
      'cpucfg 1, PALEN and VALEN -> 0x2f2f',
      'iocsrrd.w 0x8 -> 0x0',
      'iocsrwr.w 0x1004 -> 0x0',
      'csrrd IMPCTL1, outside the bank -> 0x0',
      'csrwr DBG, read back -> 0x0',
      'cacop, index type -> 0x0',
      'cacop, hit type -> 0x0',
      'idle, woken by the timer: ESTAT.TI -> 0x1',
      'syscall, Ecode seen by the guest -> 0xb',
      'gcsrrd, Ecode seen by the guest -> 0xd',
    ]);
    expect(stats.vmExits.GSPR).toBe(9);
    expect(stats.exceptions).toEqual({ SYS: 1, INE: 1 });
  });

  test('crash: the hypervisor survives and says what it saw', async () => {
    const { code, lines } = await bootGuests(['crash']);
    expect(code).toBe(0);
    expect(own(lines)).toEqual(['[crash] crash: EENTRY was never set, and now a system call']);
    expect(lines).toContain('hv: guest crash died: fetch from GPA 0x0, which is not guest RAM');
    expect(lines.some((l) => /G\.ESTAT 0xb0000, G\.ERA 0x[0-9a-f]+, G\.EENTRY 0x0/.test(l))).toBe(true);
  });

  test('two: equal addresses, time-sliced, nothing leaks', async () => {
    const { lines, stats } = await bootGuests(['two', 'a', 'a'], ['two', 'b', 'b']);
    for (const g of ['a', 'b'])
      expect(own(lines).filter((l) => l.startsWith(`[${g}]`))).toEqual(
        [1, 2, 3, 4].map((n) => `[${g}] two: ${g} round ${n} intact`),
      );
    expect(stats.vmExits.INT).toBeGreaterThanOrEqual(2); // the host timer takes the CPU away
  });

  test('a crashing guest does not disturb its neighbour', async () => {
    const { lines } = await bootGuests(['crash'], ['two', 'b', 'b'], ['timer']);
    expect(own(lines).filter((l) => l.includes('intact'))).toHaveLength(4);
    expect(lines.filter((l) => l.includes('timer: tick'))).toHaveLength(5);
    expect(lines.at(-1)).toBe(FOOTER);
  });

  test('the same run twice is the same, bit for bit', async () => {
    const first = await bootGuests(['two', 'a', 'a'], ['timer'], ['privileged']);
    const second = await bootGuests(['two', 'a', 'a'], ['timer'], ['privileged']);
    expect(second.hash).toBe(first.hash);
    expect(second.stats.instructions).toBe(first.stats.instructions);
  });

  test.each([
    [1, 2],
    [2, 2],
    [2, 4],
    [4, 4],
  ])('smp on %i CPUs with %i vCPUs', async (smp, vcpus) => {
    const { code, lines } = await bootOn({ smp }, ['smp', 'smp', 'soak:500', vcpus]);
    expect(code).toBe(0);
    expect(own(lines).map((l) => l.replace('[smp] smp: ok   ', ''))).toEqual([
      'secondary vCPUs start by mailbox',
      'atomic additions of all vCPUs',
      'additions under a lock of ll and sc',
      'one address, a page for each vCPU',
      'inter-processor interrupts and their answers',
      'a page that is taken away is gone for all vCPUs',
      'stores of all vCPUs to a logged page',
      'checked world switches',
    ]);
    expect(lines.filter((l) => /^hv: CPU \d is up$/.test(l))).toHaveLength(smp - 1);
    expect(lines.at(-1)).toBe(FOOTER);
  });

  test.each([
    [1, 1],
    [1, 2],
    [2, 2],
  ])('virtio on %i CPUs with %i vCPUs: console, block device, routed interrupts', async (smp, vcpus) => {
    const { lines } = await bootOn({ smp }, ['virtio', 'virtio', '', vcpus]);
    expect(own(lines)).toEqual([
      '[virtio] virtio: ok   magic, version and kinds',
      '[virtio] written through the virtio console',
      ...[
        'two sectors written and read back',
        'a sector never written reads 0',
        'a sector beyond the end is an error',
        'interrupts of both devices, on the vCPU that they are routed to',
      ].map((t) => `[virtio] virtio: ok   ${t}`),
    ]);
  });

  test('a guest that storms, writes and jumps wildly and executes garbage leaves its neighbours alone', async () => {
    for (const smp of [1, 2]) {
      const { lines } = await bootOn({ smp }, ['storm'], ['two', 'b', 'b'], ['smp', 'smp', 'soak:200', 2]);
      expect(own(lines).filter((l) => l.includes('intact'))).toHaveLength(4);
      expect(own(lines).filter((l) => l.includes('smp: ok'))).toHaveLength(8);
      expect(own(lines)).toContain('[storm] storm: 20000 exits, 2000 faults of its own');
      expect(lines.filter((l) => l.includes('no device at'))).toHaveLength(4);
      expect(lines.at(-1)).toBe(FOOTER);
    }
  });

  test('softtimer: the guest timer by the host’s tick', async () => {
    const { lines, stats } = await bootOn({ append: 'softtimer' }, ['timer']);
    expect(own(lines)).toContain('[timer] timer: five periods took the right time');
    // Each access to a timer CSR exits now.
    expect(stats.vmExits.GSPR).toBeGreaterThan(10);
  });

  test('soak: two guests with two vCPUs each on two CPUs, nothing mismatches, twice the same', () => {
    const [first, second] = [soak(2, 4000), soak(2, 4000)];
    for (const run of [first, second]) {
      expect(run.failures).toEqual([]);
      expect(run.complete).toBe(true);
      expect(run.worldSwitches).toBeGreaterThan(32_000);
    }
    expect(second.hash).toBe(first.hash);
  });

  test('the context layout of the debugger is that of the assembly', async () => {
    const reference = descriptors().find((d) => d.name === 'reference hypervisor')!;
    const { contexts } = resolved(reference);
    expect(contexts).toMatchObject({ gpr: '0', pc: '256', csr: { at: '416' }, gid: '272' });
    expect(contexts?.csr).toHaveProperty('registers.46', 'TVAL');
    const bytes = new Uint8Array(readFileSync(HYPERVISOR));
    parseElf(bytes, 'hv.elf');
    const symbols = readSymbols(bytes);
    for (const name of ['_run_guest', '_guest_exit', '_guest_entry', 'hv_vcpus'])
      expect(
        symbols.some((s) => s.name === name),
        name,
      ).toBe(true);
    const cut = (): string => '#define CTX_GPR 0x0\n';
    expect(() => resolved(reference, { header: cut })).toThrow(/CTX_PC is missing in context\.h/);
  });
});
