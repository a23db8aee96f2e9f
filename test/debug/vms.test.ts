/** Which VM a guest entry belongs to, whatever GID the hypervisor gives it. */
import { beforeEach, describe, expect, test } from 'vitest';
import { CSR, CSRS } from '../../src/emu/cpu/csr-table.ts';
import { VcpuStates } from '../../src/emu/debug/context.ts';
import { parseVmKey, vmKeyText } from '../../src/emu/debug/vms.ts';
import { TestMachine } from '../support/test-machine.ts';

const [TABLE_A, TABLE_B] = [0x400000, 0x410000];
let m: TestMachine;
let states: VcpuStates;
const SAVE3 = CSRS.find((c) => c.name === 'SAVE3')!.num;
/** Bits of GSTAT.GID. */
const GID_AT = 16;

beforeEach(() => {
  m = new TestMachine();
  states = new VcpuStates(m.machine.ram);
  states.vms.number(m.machine.cpus);
  for (const table of [TABLE_A, TABLE_B]) m.machine.ram.write(table, Uint8Array.of(0, 0x10, 0x50));
});

const ended = (): boolean[] => states.vms.all().map((v) => states.hasEnded(v));

/** An entry with a stage-2 table and a GID, at a tick. @returns number of the VM */
function enter(root: number, gid: number, { vcpu = 0, at = 0, power = false } = {}): number {
  const { cpu } = m;
  cpu.sliceTime = at;
  cpu.host.setLo(CSR.PGDL, root);
  cpu.host.setLo(CSR.GSTAT, gid << GID_AT);
  cpu.guest.setLo(CSR.CPUID, vcpu);
  cpu.guest.setLo(CSR.CRMD, power ? 8 : 0x10);
  cpu.guest.setLo(CSR.EENTRY, power ? 0 : 0x1000);
  cpu.vm = true;
  states.enter(cpu);
  const { world } = cpu;
  states.exit(cpu, 0);
  cpu.vm = false;
  return world;
}

describe('virtual machines', () => {
  test('are numbered in the order of their first entries, and keep their numbers under any GID', () => {
    expect([enter(TABLE_A, 5), enter(TABLE_B, 6)]).toEqual([1, 2]);
    expect([enter(TABLE_A, 6, { at: 10 }), enter(TABLE_B, 5, { at: 11 })]).toEqual([1, 2]);
    expect(states.vms.all().map((v) => [v.number, v.gid, v.root])).toEqual([
      [1, 6, BigInt(TABLE_A)],
      [2, 5, BigInt(TABLE_B)],
    ]);
    expect(states.vcpus().map((v) => [v.vm, v.gid, v.entries])).toEqual([
      [1, 6, 2],
      [2, 5, 2],
    ]);
  });

  test('the address of a table is physical, also where the hypervisor writes a virtual one, as hvisor does', () => {
    m.cpu.host.set(CSR.PGDL, TABLE_A, 0x90000000);
    expect([enter(TABLE_A, 5), states.vms.all()[0]!.root]).toEqual([1, BigInt(TABLE_A)]);
    m.cpu.host.set(CSR.PGDL, TABLE_A, 0);
    expect(enter(TABLE_A, 5, { at: 1 })).toBe(1);
  });

  test('an event belongs to the VM that had its GID at that time', () => {
    enter(TABLE_A, 5, { at: 100 });
    enter(TABLE_B, 5, { at: 200 });
    const { vmOf, gidOf } = m.cpu.events;
    expect([vmOf(5, 150), vmOf(5, 199), vmOf(5, 200), vmOf(5, 300)]).toEqual([1, 1, 2, 2]);
    enter(TABLE_A, 7, { at: 400 });
    expect([gidOf(1), gidOf(2), vmOf(7, 400)]).toEqual([7, 5, 1]);
  });

  test('a table that is empty again, and a guest that begins: another VM, and the first has ended', () => {
    expect(enter(TABLE_A, 1, { power: true })).toBe(1);
    // A guest that resets itself is the same VM: its table is in use.
    expect(enter(TABLE_A, 1, { at: 5, power: true })).toBe(1);
    m.machine.ram.write(TABLE_A, new Uint8Array(0x4000));
    expect(ended()).toEqual([true]);
    // A table that the hypervisor has only emptied: the guest goes on.
    expect(enter(TABLE_A, 1, { at: 6 })).toBe(1);
    expect(enter(TABLE_A, 1, { at: 7, power: true })).toBe(2);
    expect(states.vms.all().map((v) => v.ended)).toEqual([true, false]);
    expect(states.vms.byGid(1)?.number).toBe(2);
  });

  /** A table in which every entry is the same address, as Linux's pgd_init leaves it. */
  const unused = (): void =>
    m.machine.ram.write(TABLE_A, new Uint8Array(new BigUint64Array(0x800).fill(0x9000_0000_0188_0000n).buffer));
  const map = (): void => m.machine.ram.write(TABLE_A, new Uint8Array(BigUint64Array.of(0x420000n).buffer));

  test('an empty table of Linux, where each entry points to a table without entries', () => {
    unused();
    // Nothing is mapped at the first entry: that VM has not ended.
    expect(enter(TABLE_A, 1, { power: true })).toBe(1);
    expect(enter(TABLE_A, 1, { at: 1, power: true })).toBe(1);
    expect(ended()).toEqual([false]);
    map();
    expect(enter(TABLE_A, 2, { at: 2, power: true })).toBe(1);
    expect(ended()).toEqual([false]);
    unused();
    expect(ended()).toEqual([true]);
    // The second vCPU of the next VM is the first to run.
    expect(enter(TABLE_A, 1, { at: 3, vcpu: 1, power: true })).toBe(2);
    map();
    expect(enter(TABLE_A, 1, { at: 4, power: true })).toBe(2);
    expect(ended()).toEqual([true, false]);
  });

  test('where the table of a VM was, something else is now', () => {
    map();
    enter(TABLE_A, 1);
    m.machine.ram.write(
      TABLE_A,
      Uint8Array.from({ length: 0x4000 }, (_, n) => (n * n) >> 3),
    );
    expect(ended()).toEqual([true]);
  });

  test('a table without directories holds pages: their low bits are no sign of an end', () => {
    const page = Uint8Array.of(0x93, 1, 0, 0, 0, 0, 0, 0);
    for (let n = 0; n < 512; n++) m.machine.ram.write(TABLE_A + 8 * n, page.with(3, n & 0xff).with(2, 0x20));
    m.cpu.host.set(CSR.PWCL, 21 | (9 << 5), 0);
    m.cpu.host.set(CSR.PWCH, 0, 0);
    enter(TABLE_A, 5);
    expect(ended()).toEqual([false]);
    // With directories, such words are something else's.
    m.cpu.host.set(CSR.PWCL, 12 | (9 << 5) | (21 << 10) | (9 << 15), 0);
    enter(TABLE_A, 5);
    expect(ended()).toEqual([true]);
  });

  test('a VM that a CPU executes has not ended, whatever is in its table', () => {
    map();
    enter(TABLE_A, 1);
    unused();
    const [vm] = states.vms.all();
    expect([states.vms.hasEnded(vm!, true), states.vms.hasEnded(vm!, false)]).toEqual([false, true]);
    // Another program gets the page, for a table: the VM does not come back to life, unless it is entered.
    map();
    expect(ended()).toEqual([true]);
    enter(TABLE_A, 1);
    expect(ended()).toEqual([false]);
  });

  test('the first entry of a VM is told once', () => {
    m.cpu.vm = true;
    m.cpu.host.setLo(CSR.PGDL, TABLE_A);
    m.cpu.host.setLo(CSR.GSTAT, 3 << GID_AT);
    expect([states.enter(m.cpu), states.enter(m.cpu)]).toEqual([true, false]);
  });

  test('without a table in PGDL, or when the user says so, the GID tells them apart', () => {
    expect([enter(0, 4), enter(0, 9), enter(0, 4)]).toEqual([1, 2, 1]);
    states.vms.key = parseVmKey('gid');
    expect([enter(TABLE_A, 20), enter(TABLE_A, 21)]).toEqual([3, 4]);
    states.vms.key = parseVmKey('csr:save3');
    m.cpu.host.setLo(SAVE3, 0x1000);
    const first = enter(TABLE_A, 1);
    m.cpu.host.setLo(SAVE3, 0x2000);
    expect(enter(TABLE_A, 1)).toBe(first + 1);
  });

  test('where nothing numbers them, events have the GID', () => {
    const other = new TestMachine();
    other.cpu.host.setLo(CSR.GSTAT, 7 << GID_AT);
    other.cpu.vm = true;
    expect([other.cpu.world, other.cpu.events.numbered]).toEqual([7, false]);
  });

  test.each(['root', 'gid', 'csr:save3', 'gpr:21'])('the key %s is read and written', (text) => {
    expect(vmKeyText(parseVmKey(text))).toBe(text);
  });

  test.each(['', 'asid', 'csr:none', 'gpr:32', 'gpr:x', 'csr:'])('the key %j is refused', (text) => {
    expect(() => parseVmKey(text)).toThrow(/is no key of a VM: use root, gid, csr:NAME or gpr:0 to gpr:31/);
  });
});
