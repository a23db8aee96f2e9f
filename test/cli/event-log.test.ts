/** `--log`: each kind has its lines, on a program whose every step is known. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { LOG_KINDS } from '../../src/cli/log-kinds.ts';
import { DEFAULT_MACHINE, type EngineOption, type GuestSpec, parseGuest, parseLog } from '../../src/cli/options.ts';
import { start } from '../../src/cli/run.ts';
import { elfOf } from '../support/images.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-event-log-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const image = join(folder, 'image.elf');

const PROGRAM = [
  'addi.d $t0, $zero, 0x21',
  'csrwr $t0, 0x30', // SAVE0
  'addi.d $t1, $zero, 0xff',
  'csrxchg $t0, $t1, 0x30',
  'invtlb 0, $zero, $zero',
  'lu12i.w $t2, 0x1fe00',
  'ori $t2, $t2, 0x1e0',
  'ld.bu $t3, $t2, 5',
  'st.b $t0, $t2, 7',
  'lu12i.w $t4, 0x100e0',
  'ori $t5, $zero, 0x34',
  'st.b $t5, $t4, 0x1c',
];
writeFileSync(image, elfOf(PROGRAM));
const at = (n: number): string => `at 0x${(0x200000 + 4 * n).toString(16)} of the host`;

/** The lines that a run writes. */
async function logged(
  kinds: string,
  more: { readonly guest?: GuestSpec[]; readonly engine?: EngineOption } = {},
): Promise<string[]> {
  const log = join(folder, 'log');
  rmSync(log, { force: true });
  const cli = { ...DEFAULT_MACHINE, serial: { kind: 'null' } as const, log: parseLog(`${kinds}=${log}`), quiet: true };
  const { done } = await start(more.guest ? undefined : image, { ...cli, ...more }, () => {});
  expect(await done).toBe(0);
  return readFileSync(log, 'utf8').trimEnd().split('\n');
}

describe('--log', () => {
  test('csr: old and new value, also of a write of some bits', async () => {
    expect(await logged('csr')).toEqual([
      `csr cpu0 [1] save0 0x0 -> 0x21 ${at(1)}`,
      `csr cpu0 [3] save0 0x21 -> 0x0 ${at(3)}`,
    ]);
  });

  test('tlb: what changes TLBs', async () => {
    expect(await logged('tlb')).toEqual([
      `tlb cpu0 [4] invtlb 0x0: stage 1 of all guests ${at(4)}`,
      `tlb cpu0 [4] invtlb 0x0: stage 2 of all guests ${at(4)}`,
    ]);
  });

  test('mmio: loads and stores of devices, with their size', async () => {
    expect(await logged('mmio')).toEqual([
      `mmio cpu0 [7] uart0+0x5 -> 0x60 (1) ${at(7)}`,
      `mmio cpu0 [8] uart0+0x7 <- 0x21 (1) ${at(8)}`,
      `mmio cpu0 [11] ged+0x1c <- 0x34 (1) ${at(11)}`,
    ]);
  });

  test.each(['interpreter', 'jit', 'auto'] as const)('insn: each instruction, once, with engine %s', async (engine) => {
    const lines = await logged('insn', { engine });
    expect(lines).toHaveLength(PROGRAM.length);
    expect(lines[1]).toBe('insn cpu0 [1] 0x200004 csrwr $t0, 48');
    expect(lines.map((line) => Number(/\[(\d+)\]/.exec(line)![1]))).toEqual(PROGRAM.map((_, n) => n));
  });

  test('irq: an interrupt that a guest takes, and one that the host gives it; no other exception', async () => {
    const lines = await logged('irq', { guest: [parseGuest('timer')] });
    expect(lines[0]).toMatch(/^irq cpu0 \[\d+\] TI is taken by VM 1, at 0x\w+ <guest_main\+0x\w+>$/);
    expect(
      lines.some((line) => /HWI0 is given to the guest at 0x\w+ <vcpu_inject_pending\+0x\w+> of the host$/.test(line)),
    ).toBe(true);
    expect(lines.filter((line) => !/ is (taken by|given to) /.test(line))).toEqual([]);
  });

  test('exit and exception: each only its own', async () => {
    const guest = [parseGuest('crash')];
    expect((await logged('exit', { guest })).every((line) => /VM (exit|entry)/.test(line))).toBe(true);
    expect((await logged('exception', { guest })).every((line) => /exception in/.test(line))).toBe(true);
  });

  test('its kinds are the declared ones, and mistakes are told', () => {
    expect(Object.keys(LOG_KINDS)).toEqual(['exit', 'exception', 'tlb', 'csr', 'mmio', 'irq', 'insn', 'gdb', 'device']);
    expect(parseLog(Object.keys(LOG_KINDS).join(',')).kinds.size).toBe(9);
    expect(() => parseLog('exit,nope')).toThrow("--log: unknown kind 'nope': use exit, exception, tlb");
    expect(() => parseLog('toString')).toThrow("unknown kind 'toString'");
    expect(() => parseLog('exit=')).toThrow('a file is missing after =');
  });
});
