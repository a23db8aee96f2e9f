/** A save area near a SAVE register is found by its content. */
import { beforeEach, expect, test } from 'vitest';
import { CSR, csrByName } from '../../src/emu/cpu/csr-table.ts';
import { VcpuStates } from '../../src/emu/debug/context.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { searchSaveArea } from '../../src/hv/awareness/save-search.ts';
import { TestMachine } from '../support/test-machine.ts';

const [TABLE, CONTEXT, OFFSET] = [0x400000, 0x500000, 0xd48];
const PC = 0x9000_0000_0020_1234n;
const SAVE4 = csrByName('SAVE4')!.num;
let m: TestMachine;
let states: VcpuStates;

/** A guest whose registers have these values was entered, and has left. */
function left(value: (n: number) => bigint): void {
  const { cpu } = m;
  cpu.host.setLo(CSR.PGDL, TABLE);
  cpu.vm = true;
  states.enter(cpu);
  for (let n = 1; n < 32; n++) cpu.mem.u64[(cpu.base + STATE.gpr + 8 * n) >> 3] = value(n);
  cpu.mem.u64[(cpu.base + STATE.pc) >> 3] = PC;
  states.exit(cpu, 0x17);
  cpu.vm = false;
  for (let n = 1; n < 32; n++) cpu.mem.u64[(cpu.base + STATE.gpr + 8 * n) >> 3] = 7n;
}

/** The context in memory: general registers from 0 to 31, then PC. */
function save(value: (n: number) => bigint, pc: bigint, at = CONTEXT + OFFSET): void {
  const words = BigUint64Array.from({ length: 33 }, (_, n) => (n === 32 ? pc : n === 0 ? 0n : value(n)));
  m.machine.ram.write(at, new Uint8Array(words.buffer));
}

const search = (): ReturnType<typeof searchSaveArea> => searchSaveArea(m.cpu, m.machine.ram, states.get(1, 0)!);
const distinct = (n: number): bigint => 0x1000n * BigInt(n) + 5n;

beforeEach(() => {
  m = new TestMachine();
  states = new VcpuStates(m.machine.ram);
  m.cpu.host.put(SAVE4, BigInt(CONTEXT));
});

test('general registers in order, and PC behind them, also when the hypervisor has stepped over the instruction', () => {
  left(distinct);
  save(distinct, PC + 4n);
  const area = search()!;
  expect(area.gpr.size).toBe(31);
  expect([area.gpr.get(1), area.gpr.get(31)]).toEqual([CONTEXT + OFFSET + 8, CONTEXT + OFFSET + 8 * 31]);
  expect(area.pc).toBe(CONTEXT + OFFSET + 8 * 32);
});

test('what is behind them is only PC when it is near the one of the exit', () => {
  left(distinct);
  save(distinct, 0x77n);
  expect(search()!.pc).toBeUndefined();
});

test('a return value that the hypervisor has set does not hide the area', () => {
  left(distinct);
  save((n) => (n === 4 ? 99n : distinct(n)), PC);
  expect(search()!.gpr.size).toBe(31);
});

test('other registers, registers far away, and registers without content are no save area', () => {
  left(distinct);
  save((n) => distinct(n) + 1n, PC);
  expect(search()).toBeUndefined();
  save(distinct, PC, CONTEXT + 0x8000);
  expect(search()).toBeUndefined();
  save(distinct, PC);
  m.cpu.host.put(SAVE4, 0n);
  expect(search()).toBeUndefined();
  m.cpu.host.put(SAVE4, BigInt(CONTEXT));
  left(() => 0n);
  save(() => 0n, PC);
  expect(search()).toBeUndefined();
});

test('a SAVE register with any content is no trouble', () => {
  left(distinct);
  for (const value of [8n, 0xffff_ffff_ffff_fff8n, 0x9000_0000_0000_0000n, 0x7fff_ffff_fff8n]) {
    m.cpu.host.put(SAVE4, value);
    expect(search()).toBeUndefined();
  }
});
