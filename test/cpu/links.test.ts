/** Links of LL/SC: who breaks them, and who does not (Vol. 1, 2.2.7.4). Two CPUs take turns of some thousand instructions. */
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { CACHE_LINE } from '../../src/emu/cpu/links.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const PLACE = 0x30000;
const OTHER_CODE = 0x20000;
const EXIT = 0x1234;

/** Several turns: an empty loop. */
const wait = (register: string): string[] => [`addi.d ${register}, ${register}, -1`, `bnez ${register}, -4`];

/**
 * CPU 0 links PLACE and tries to store there some turns later. CPU 1 repeats instructions, with `at` in a0, all the time, so that its
 * translations are cached when the link is made.
 * @returns what sc.d says
 */
function linked(
  instructions: string | readonly string[],
  at: number,
  engine: 'interpreter' | 'jit' | 'auto' = 'auto',
): bigint {
  const m = new TestMachine({ cpus: 2, engine }).poke(PLACE, 5n);
  m.code(CODE, [...wait('$t0'), 'll.d $a2, $a0, 0', ...wait('$t1'), 'sc.d $a3, $a0, 0', 'b 0']);
  m.set({ a0: PLACE, a3: EXIT, t0: 40_000, t1: 20_000 });
  const repeated = [instructions].flat();
  m.code(OTHER_CODE, [...repeated, `b ${-4 * repeated.length}`]);
  const other = m.machine.cpus[1]!;
  other.parked = false;
  other.pc = BigInt(OTHER_CODE);
  other.setGpr(4, BigInt(at));
  m.machine.run(200_000);
  expect(m.get('a3')).not.toBe(BigInt(EXIT));
  return m.get('a3');
}

// Manual: 2.2.7.4
describe('another CPU', () => {
  test.each(['interpreter', 'jit', 'auto'] as const)(
    'stores in the line break the link, others do not: %s',
    (engine) => {
      expect(linked('st.b $zero, $a0, 0', PLACE + CACHE_LINE - 1, engine)).toBe(0n);
      expect(linked('st.d $a1, $a0, 0', PLACE + CACHE_LINE, engine)).toBe(1n);
      expect(linked('amadd.d $zero, $zero, $a0', PLACE + 8, engine)).toBe(0n);
    },
  );

  test.each<[string, string | string[], number, bigint]>([
    ['a store across the start of the line', 'st.d $zero, $a0, 0', PLACE - 4, 0n],
    ['a store in front of it', 'st.d $zero, $a0, 0', PLACE - 8, 1n],
    ['a load', 'ld.d $a1, $a0, 0', PLACE, 1n],
    ['an ll', 'll.d $a1, $a0, 0', PLACE, 1n],
    ['an sc without a link', 'sc.d $a1, $a0, 0', PLACE, 1n],
    ['a compare-and-swap', 'amcas.d $a1, $zero, $a0', PLACE, 0n],
    // A turn is a multiple of the loop, so that it always begins with the store beside. That one may put the page into no cache.
    [
      'stores beside it and then to it',
      ['st.d $zero, $a0, 128', 'st.d $zero, $a0, 0', 'add.d $a1, $a1, $a1'],
      PLACE,
      0n,
    ],
    ['another page', 'st.d $zero, $a0, 0', PLACE + 0x1000, 1n],
  ])('%s', (_, instruction, at, holds) => {
    expect(linked(instruction, at)).toBe(holds);
  });
});

test('the page walk by hardware of another CPU breaks a link to an entry when it notes the access there', () => {
  const WINDOW = 0x9000_0000_0000_0000n;
  const TABLE = 0x100000;
  const [PRESENT, ACCESSED] = [0x190n, 0x191n];
  for (const [entry, holds] of [
    [PRESENT, 0n],
    [ACCESSED, 1n],
  ] as const) {
    const m = new TestMachine({ cpus: 2, features: { ptw: true }, code: ['ll.d $a2, $a0, 0', 'sc.d $a3, $a0, 0'] });
    m.poke(TABLE + 16, entry | 0x50000n, 0n).set({ a0: TABLE + 16, a3: EXIT });
    m.code(OTHER_CODE, ['ld.d $a1, $a0, 0']);
    m.machine.step(m.cpu);
    const other = m.machine.cpus[1]!;
    other.parked = false;
    const csrs = {
      CRMD: 0x10n,
      DMW0: WINDOW | 0xfn,
      PGDL: BigInt(TABLE),
      PWCL: 12n | (9n << 5n),
      PWCH: 1n << 24n,
    } as const;
    for (const [name, value] of Object.entries(csrs)) other.host.put(CSR[name as keyof typeof csrs], value);
    other.contextChanged();
    other.pc = WINDOW | BigInt(OTHER_CODE);
    other.setGpr(4, 0x2008n);
    m.machine.step(other);
    expect(m.peek(TABLE + 16) & 1n).toBe(1n);
    m.machine.step(m.cpu);
    expect(m.get('a3')).toBe(holds);
  }
});

test('the link of a world that is not running', () => {
  const m = new TestMachine({ cpus: 2, code: ['b 0'] });
  const other = m.machine.cpus[1]!;
  m.code(OTHER_CODE, ['st.d $zero, $a0, 128', 'st.d $zero, $a1, 0', 'add.d $a2, $a2, $a2', 'b -12']);
  other.parked = false;
  other.pc = BigInt(OTHER_CODE);
  other.setGpr(4, BigInt(PLACE));
  other.setGpr(5, BigInt(PLACE + CACHE_LINE));
  m.machine.run(40_000);
  m.cpu.parkedLl.set([1, m.machine.ram.linearAddress(PLACE)]);
  m.machine.run(40_000);
  expect(m.cpu.parkedLl[0]).toBe(1);
  other.setGpr(5, BigInt(PLACE + 8));
  m.machine.run(40_000);
  expect(m.cpu.parkedLl[0]).toBe(0);
});

describe('a device or a debugger', () => {
  const after = (at: number, size: number): [number, number] => {
    const m = new TestMachine({ code: ['ll.d $a2, $a0, 0'] }).set({ a0: PLACE }).run(1);
    const parked = m.cpu.parkedLl;
    parked.set([1, m.cpu.stateI32('llLinear') + CACHE_LINE]);
    m.machine.store(at, new Uint8Array(size));
    return [m.cpu.stateI32('llBit'), parked[0]!];
  };

  // Manual: 2.2.7.4
  test('breaks the links of both worlds in the lines that it stores to', () => {
    expect(after(PLACE - 1, 1)).toEqual([1, 1]);
    expect(after(PLACE - 1, 2)).toEqual([0, 1]);
    expect(after(PLACE + CACHE_LINE + 5, 1)).toEqual([1, 0]);
    expect(after(PLACE - 0x2000, 0x3000)).toEqual([0, 0]);
    expect(after(PLACE - 0x2000, 0x2000)).toEqual([1, 1]);
  });
});

test('a link, and what would break it, survive a snapshot', () => {
  const m = new TestMachine({ cpus: 2, code: ['ll.d $a2, $a0, 0', 'sc.d $a3, $a0, 0'] }).set({ a0: PLACE, a3: EXIT });
  m.machine.step(m.cpu);
  m.machine.restore(m.machine.save());
  expect(m.cpu.mem.i32[(m.cpu.base + STATE.llBit) >> 2]).toBe(1);
  m.code(OTHER_CODE, ['st.d $zero, $a0, 0']);
  const other = m.machine.cpus[1]!;
  other.parked = false;
  other.pc = BigInt(OTHER_CODE);
  other.setGpr(4, BigInt(PLACE + 8));
  m.machine.step(other);
  m.machine.step(m.cpu);
  expect(m.get('a3')).toBe(0n);
});
