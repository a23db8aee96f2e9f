/** Which addresses a mode accepts, and what it makes of them: windows, 32-bit address mode, virtual address reduction. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { hostContext } from '../../src/emu/debug/context.ts';
import { walk } from '../../src/emu/debug/walk.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const VECTOR = 0x40000;
const REFILL = 0x50000;
const PG = 0x10;
const DIRECT = 8;
const WINDOW = 0x9000_0000_0000_0000n;
const ADE = 8;
/** A TLB entry of a page of RAM at this place: V, D, PLV 3. */
const page = (pa: number): bigint => BigInt(pa) | 0xfn;

function machine(engine: 'interpreter' | 'jit' = 'interpreter'): TestMachine {
  return new TestMachine({ engine }).setHost({
    DMW0: WINDOW | 1n,
    EENTRY: WINDOW | BigInt(VECTOR),
    TLBRENTRY: REFILL,
    STLBPS: 12,
  });
}

/** Runs `code` at a virtual address; the words are at CODE. */
function runAt(m: TestMachine, pc: bigint, ...code: string[]): TestMachine {
  m.code(CODE, code);
  m.cpu.pc = BigInt.asUintN(64, pc);
  return m.run(code.length);
}

describe('direct mapping windows', () => {
  // Manual: 5.2.1, 7.5.18
  test.each([0, 1, 2, 3])('DMW%i: loads and stores; fetches only by DMW0 and DMW1', (n) => {
    const m = machine().setHost({ DMW0: 0, [`DMW${n}`]: WINDOW | 1n, CRMD: PG, TLBRERA: 0 });
    m.poke(0x30000, 42n);
    const fetches = n < 2;
    runAt(m, WINDOW | BigInt(CODE), 'ld.d $a0, $a1, 0');
    // Without a window the address is not canonical.
    if (!fetches) {
      expect([m.ecode(), m.host(CSR.ESTAT) >> 22n, m.host(CSR.BADV)]).toEqual([ADE, 0n, WINDOW | BigInt(CODE)]);
      m.setHost({ DMW0: 0xa000_0000_0000_0001n, CRMD: PG });
    } else m.setHost({ DMW0: WINDOW | 1n, CRMD: PG, [`DMW${n}`]: WINDOW | 1n });
    const code = fetches ? WINDOW : 0xa000_0000_0000_0000n;
    m.set({ a1: WINDOW | 0x30000n, a0: 0 });
    runAt(m, code | BigInt(CODE), 'ld.d $a0, $a1, 0', 'st.d $a1, $a1, 8');
    expect([m.get('a0'), m.peek(0x30008)]).toEqual([42n, WINDOW | 0x30000n]);
  });

  // Manual: 5.2.1
  test('a guest has the same windows', () => {
    for (const n of [1, 2]) {
      const m = machine();
      m.setGuest({ [`DMW${n}`]: WINDOW | 1n, CRMD: PG, EENTRY: VECTOR });
      m.setHost({ GSTAT: 1 << 16 });
      m.cpu.vm = true;
      m.cpu.contextChanged();
      runAt(m, WINDOW | BigInt(CODE), 'andi $zero, $zero, 0');
      // DMW1 leads to a GPA, which misses in stage 2; DMW2 leads nowhere.
      expect([m.cpu.vm, m.ecode(true)]).toEqual(n === 1 ? [false, 0] : [true, ADE]);
    }
  });

  // Manual: 5.2
  // With DA and PG alike the mode is undefined; here it is the direct one (docs/isa-notes.md).
  test('addresses are mapped with PG alone', () => {
    for (const [crmd, mapped] of [
      [0x8, false],
      [0x10, true],
      [0x18, false],
      [0x0, false],
    ] as const) {
      const m = machine().setHost({ CRMD: crmd }).set({ a1: 0x3000_0000_0000_0000n });
      runAt(m, WINDOW | BigInt(CODE), 'ld.d $a0, $a1, 0');
      expect(m.ecode() === ADE, crmd.toString(16)).toBe(mapped);
      expect(walk(hostContext(m.cpu), m.machine.ram, 0x3000_0000_0000_0000n).address !== undefined || mapped).toBe(
        true,
      );
    }
  });
});

describe.each(['interpreter', 'jit'] as const)('32-bit address mode (%s)', (engine) => {
  const SHORT = 8;
  const user = (at = 3): TestMachine => machine(engine).setHost({ CRMD: DIRECT | at, MISC: SHORT });

  // Manual: 5.2.2, 7.4.4
  test('addresses of loads and stores are extended with zeros', () => {
    const m = user().poke(0x30000, 0x1234n).set({ a1: 0xdead_beef_0003_0000n });
    runAt(m, BigInt(CODE), 'ld.d $a0, $a1, 0', 'st.d $a0, $a1, 8', 'll.w $a2, $a1, 0');
    expect([m.get('a0'), m.peek(0x30008), m.get('a2'), m.ecode()]).toEqual([0x1234n, 0x1234n, 0x1234n, 0]);
    // An access across 4 GiB goes on at 0.
    const w = user();
    w.setHost({ CRMD: PG | 3, ASID: 0xa0000 });
    w.setHost({ CRMD: DIRECT });
    for (const [va, even, odd] of [
      [0xffff_e000n, 0, 0x31000],
      [0n, 0x32000, 0x10000],
    ] as const) {
      w.setHost({ TLBEHI: va, TLBELO0: page(even), TLBELO1: page(odd), TLBIDX: 12n << 24n });
      w.code(0x60000, ['tlbfill']);
      w.cpu.pc = 0x60000n;
      w.run(1);
    }
    // The code is in the second page of the pair at 0x10000, where another entry maps it.
    w.setHost({ TLBEHI: 0x10000, TLBELO0: page(CODE), TLBELO1: page(CODE + 0x1000), TLBIDX: 12n << 24n });
    w.cpu.pc = 0x60000n;
    w.run(1);
    w.poke(0x31ff8, 0x1122_3344_5566_7788n).poke(0x32000, 0x99aa_bbcc_ddee_ff00n).set({ a1: 0xffff_fffcn });
    w.setHost({ CRMD: PG | 3 });
    runAt(w, 0x10000n, 'ld.d $a0, $a1, 0');
    expect(w.get('a0')).toBe(0xddee_ff00_1122_3344n);
  });

  // Manual: 5.2.2
  test('jumps take the low half; links and PC-relative results have the sign of bit 31', () => {
    const m = user().set({ a1: 0xffff_0000_0001_0008n });
    runAt(m, BigInt(CODE), 'jirl $a0, $a1, 0', 'andi $zero, $zero, 0', 'pcaddi $a2, 0', 'pcaddu12i $a3, 0', 'b 0');
    expect(m.pc).toBe(CODE + 0x10);
    expect([m.get('a0'), m.get('a2'), m.get('a3')]).toEqual([0x10004n, 0x10008n, 0x1000cn]);
    // In the upper half of 4 GiB.
    const h = user();
    const high = 0x9001_0000n;
    h.setHost({ CRMD: DIRECT, TLBEHI: high, TLBELO0: page(CODE), TLBELO1: page(CODE + 0x1000), TLBIDX: 12n << 24n });
    h.code(0x60000, ['tlbfill']);
    h.cpu.pc = 0x60000n;
    h.run(1);
    h.setHost({ CRMD: PG | 3 });
    runAt(h, high, 'pcaddi $a2, 0', 'pcaddu12i $a3, 1', 'pcalau12i $a4, 0', 'bl 4', 'jirl $a0, $a2, 20');
    const up = 0xffff_ffff_9001_0000n;
    expect([h.get('a2'), h.get('a3'), h.get('a4'), h.get('ra'), h.get('a0')]).toEqual([
      up,
      up + 0x1004n,
      up,
      up + 16n,
      up + 20n,
    ]);
  });

  // Manual: 7.4.7, 7.4.8, 7.5.12, 7.5.16
  test('ERA, BADV and those of a refill have an upper half of 0', () => {
    const m = user().setHost({ CRMD: PG | 3 });
    const high = 0x9001_0000n;
    m.setHost({ CRMD: DIRECT, TLBEHI: high, TLBELO0: page(CODE), TLBELO1: page(CODE + 0x1000), TLBIDX: 12n << 24n });
    m.code(0x60000, ['tlbfill']);
    m.cpu.pc = 0x60000n;
    m.run(1);
    m.setHost({ CRMD: PG | 3 }).set({ a1: 0xffff_ffff_c000_0008n });
    runAt(m, high, 'ld.d $a0, $a1, 0');
    expect(m.pc).toBe(REFILL);
    expect([m.host(CSR.TLBRERA), m.host(CSR.TLBRBADV), m.host(CSR.TLBREHI) & ~0x3fn]).toEqual([
      high | 1n,
      0xc000_0008n,
      0xc000_0000n,
    ]);
    m.setHost({ CRMD: PG | 3, TLBRERA: 0 });
    runAt(m, 0xffff_ffff_0000_0000n | high, 'syscall 0');
    expect([m.ecode(), m.host(CSR.ERA)]).toEqual([0xb, high]);
    m.setHost({ CRMD: PG | 3, TLBRERA: 0 });
    runAt(m, 0xffff_ffff_0000_0000n | high, 'll.d $a0, $a1, 4');
    expect([m.ecode(), m.host(CSR.ERA), m.host(CSR.BADV)]).toEqual([9, high, 0xc000_000cn]);
    // Back in PLV 0 nothing is shortened.
    m.setHost({ CRMD: DIRECT, TLBRERA: 0 });
    runAt(m, WINDOW | BigInt(CODE), 'syscall 0');
    expect(m.host(CSR.ERA)).toBe(WINDOW | BigInt(CODE));
  });

  // Manual: 7.4.4
  test('each of PLV 1 to 3 has its own bit', () => {
    for (const plv of [1, 2, 3])
      for (const bit of [1, 2, 3]) {
        const m = machine(engine).setHost({ CRMD: PG | plv, MISC: 1 << bit, DMW1: 0xfn });
        m.set({ a1: 0x5000_0000_0003_0000n }).poke(0x30000, 9n);
        runAt(m, BigInt(CODE), 'ld.d $a0, $a1, 0');
        expect([m.get('a0'), m.ecode()], `PLV ${plv}, VA32L${bit}`).toEqual(plv === bit ? [9n, 0] : [0n, ADE]);
      }
  });

  // Manual: 5.2.2
  test('the debugger reads what the program would', () => {
    const m = user().setHost({ CRMD: PG | 3, DMW1: 0xfn });
    const found = (va: bigint): bigint | undefined => walk(hostContext(m.cpu), m.machine.ram, va).address;
    expect(found(0xffff_ffff_0003_0000n)).toBe(0x30000n);
    m.setHost({ MISC: 0 });
    expect(found(0xffff_ffff_0003_0000n)).toBe(undefined);
  });
});

describe('virtual address reduction', () => {
  // Manual: 5.2.3, 7.4.11
  test('RVACFG.RBits takes bits away: the rest must be the sign', () => {
    for (let bits = 0; bits <= 8; bits++) {
      const m = machine().setHost({ CRMD: PG, RVACFG: bits });
      const top = 1n << BigInt(47 - bits);
      for (const [va, legal] of [
        [top - 8n, true],
        [top, false],
        [-top, true],
        [-top - 8n, false],
      ] as const) {
        m.setHost({ CRMD: PG, TLBRERA: 0, ESTAT: 0 }).set({ a1: BigInt.asUintN(64, va) });
        runAt(m, WINDOW | BigInt(CODE), 'ld.d $a0, $a1, 0');
        expect(m.pc === REFILL, `${bits} bits, ${va.toString(16)}`).toBe(legal);
        if (!legal) expect(m.ecode()).toBe(ADE);
        const { failure } = walk(
          hostContext(m.setHost({ CRMD: PG, TLBRERA: 0 }).cpu),
          m.machine.ram,
          BigInt.asUintN(64, va),
        );
        expect(failure?.includes('not canonical') ?? false).toBe(!legal);
      }
    }
  });

  // Manual: 5.2.3
  test('a write takes effect at once, and windows and direct addresses know nothing of it', () => {
    const m = machine().setHost({ CRMD: PG, DMW1: 0xfn }).poke(0x30000, 5n);
    m.set({ a0: 8n, a2: 0x0fff_0000_0003_0000n });
    m.code(REFILL, ['andi $zero, $zero, 0']);
    m.setHost({ DMW1: 0xfn });
    runAt(m, WINDOW | BigInt(CODE), 'csrwr $a0, 0x1f', 'ld.d $a3, $a2, 0');
    expect(m.ecode()).toBe(0);
    m.setHost({ DMW1: 0 });
    runAt(m, WINDOW | BigInt(CODE), 'ld.d $a3, $a2, 0');
    expect(m.ecode()).toBe(ADE);
  });
});
