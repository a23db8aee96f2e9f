import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { seeded } from '../support/random.ts';
import { assemble, CODE, TestMachine } from '../support/test-machine.ts';

/** Hash of all registers, CSRs and touched RAM. */
function stateHash(m: TestMachine): string {
  const { mem, base } = m.cpu;
  const hash = createHash('sha256');
  hash.update(mem.u8.subarray(base + STATE.gpr, base + STATE.pc + 8));
  hash.update(mem.u8.subarray(base + STATE.hostCsr, base + STATE.guestCsr));
  hash.update(mem.u8.subarray(mem.ramStart, mem.ramStart + m.machine.ram.touched));
  return hash.digest('hex');
}

/** A loop of arithmetic, memory traffic, calls across pages and a timer that interrupts it. */
function workload(): TestMachine {
  const m = new TestMachine();
  m.code(CODE, [
    'csrwr $a7, 0x41',
    'addi.d $a0, $a0, 1',
    'mul.d $a1, $a0, $a6',
    'andi $a2, $a1, 0xff8',
    'add.d $a2, $a2, $s0',
    'ld.d $a3, $a2, 0',
    'xor $a3, $a3, $a1',
    'st.d $a3, $a2, 0',
    'bl 0x20000',
    'bne $a0, $zero, -32',
  ]);
  m.code(CODE + 8 * 4 + 0x20000, ['rotri.d $a6, $a6, 7', 'addi.d $a6, $a6, 13', 'jirl $zero, $ra, 0']);
  m.code(0x40000, [
    'csrwr $t0, 0x30',
    'addi.d $t1, $t1, 1',
    'addi.d $t0, $zero, 1',
    'csrwr $t0, 0x44',
    'csrrd $t0, 0x30',
    'ertn',
  ]);
  m.set({ a6: 0x9e3779b97f4a7c15n, s0: 0x30000, a7: 1000 | 3 });
  return m.setHost({ EENTRY: 0x40000, ECFG: 1 << 11, CRMD: 0xc });
}

describe('engine', () => {
  test('the fast and the exact build give the same state, in slices of any size', () => {
    const total = 300_000;
    const whole = workload().run(total);
    expect(whole.cpu.icount).toBe(total);
    const random = seeded(5);
    const sliced = workload();
    // Slices below the fast build's minimum run in the exact one.
    for (let done = 0; done < total; ) {
      const n = Math.min(total - done, 1 + (random() % 1500));
      sliced.run(n);
      done += n;
    }
    expect(sliced.pc).toBe(whole.pc);
    expect(stateHash(sliced)).toBe(stateHash(whole));
    expect(whole.get('t1')).toBeGreaterThan(200n);
  });

  test('the same run twice gives the same hash', () => {
    expect(stateHash(workload().run(100_000))).toBe(stateHash(workload().run(100_000)));
  });

  test('single steps count exactly one instruction', () => {
    const m = workload();
    for (let n = 1; n <= 500; n++) {
      m.run(1);
      expect(m.cpu.icount).toBe(n);
    }
  });

  // Manual: 2.1.7.1
  test('self-modifying code runs as written, in the page it changes and behind a cached decode', () => {
    const patch = BigInt(assemble('addi.d $a1, $a1, 100'));
    const m = new TestMachine({ code: ['addi.d $a1, $a1, 1', 'st.w $a2, $a0, 0', 'addi.d $a1, $a1, 1', 'b -12'] });
    m.set({ a0: CODE + 8, a2: patch }).run(4);
    expect(m.get('a1')).toBe(101n);
    m.set({ a2: BigInt(assemble('addi.d $a1, $a1, 1000')) }).run(4);
    expect(m.get('a1')).toBe(1102n);
  });

  test('a store that crosses from a data page into a code page is seen', () => {
    const m = new TestMachine({ code: ['st.d $a2, $a0, 0', 'jirl $zero, $a3, 0'] });
    const place = 0x22000;
    m.code(place, ['addi.d $a1, $a1, 1', 'jirl $zero, $a4, 0']).set({ a0: place - 4, a3: place, a4: CODE + 8 });
    m.pc = place;
    m.run(1);
    m.pc = CODE;
    m.set({ a2: BigInt(assemble('addi.d $a1, $a1, 50')) << 32n }).run(3);
    expect(m.get('a1')).toBe(51n);
  });

  test('execution runs off the end of a page into the next', () => {
    const m = new TestMachine();
    m.code(0x20ff8, ['addi.d $a0, $a0, 1', 'addi.d $a0, $a0, 2', 'addi.d $a0, $a0, 4', 'b 0']);
    m.pc = 0x20ff8;
    m.run(3);
    expect([m.get('a0'), m.pc]).toEqual([7n, 0x21000 + 4]);
  });

  test('a guest that executes random words never disturbs the emulator', () => {
    for (let seed = 1; seed <= 8; seed++) {
      const random = seeded(seed * 7919);
      const m = new TestMachine();
      const words = Uint32Array.from({ length: 8192 }, () => random());
      m.machine.ram.write(CODE, new Uint8Array(words.buffer));
      for (let r = 1; r < 32; r++) m.cpu.setGpr(r, (BigInt(random()) << 32n) | BigInt(random()));
      // The handler skips the faulting word.
      m.code(0x40000, ['csrrd $t0, 6', 'addi.d $t0, $t0, 4', 'csrwr $t0, 6', 'ertn']);
      m.setHost({ EENTRY: 0x40000 });
      expect(() => m.machine.run(200_000)).not.toThrow();
      expect(m.cpu.icount).toBeGreaterThan(0);
    }
  });

  test('4 GiB of RAM start at once and cost what is touched', () => {
    const before = performance.now();
    const m = new TestMachine({ ramSize: 2 ** 32, code: ['st.d $a0, $a1, 0', 'ld.d $a2, $a1, 0'] });
    const high = 0x8000_0000 + 2 ** 32 - 2 ** 28 - 8;
    m.set({ a0: 42, a1: high }).run(2);
    expect(m.get('a2')).toBe(42n);
    expect(m.machine.ram.touched).toBeLessThanOrEqual(4 << 20);
    expect(performance.now() - before).toBeLessThan(2000);
  });

  test('two CPUs: the second starts by mailbox and interrupt, and both run', () => {
    const m = new TestMachine({
      cpus: 2,
      code: [
        'iocsrwr.d $a0, $a1', // MAIL_SEND: low word of mailbox 0 of CPU 1
        'iocsrwr.w $a4, $a5', // IPI_SEND: vector 0 of CPU 1
        'ld.d $a2, $a3, 0',
        'beqz $a2, -4',
        'b 0',
      ],
    });
    m.code(0x20000, ['csrrd $t0, 0x20', 'addi.d $t1, $zero, 7', 'st.d $t1, $t2, 0', 'b 0']);
    m.set({ a0: (0x20000n << 32n) | (1n << 16n), a1: 0x1048, a3: 0x30000, a4: 1 << 16, a5: 0x1040 });
    m.machine.cpus[1]!.setGpr(14, 0x30000n);
    m.machine.run(100_000);
    expect([m.get('a2'), m.machine.cpus[1]!.gpr(12)]).toEqual([7n, 1n]);
    expect(m.host(CSR.CPUID)).toBe(0n);
  });
});
