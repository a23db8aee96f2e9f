/** A CPU that spins is told from one that waits for something, or works. */
import { describe, expect, test } from 'vitest';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Stop } from '../../src/emu/debug/stop.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { echoGuest } from '../support/echo-guest.ts';
import { elfOf } from '../support/images.ts';
import { handled, IE, nops, timer, told as toldIn } from '../support/loops.ts';
import { CODE, TestMachine } from '../support/test-machine.ts';

const ENOUGH = 80_000_000;

const told = (code: readonly string[], most = ENOUGH): ReturnType<typeof toldIn> => toldIn(code, most);
const HANDLER = ['addi.d $t7, $zero, 1', 'csrwr $t7, TICLR', 'addi.d $s0, $s0, 1', 'ertn'];
const withHandler = (code: readonly string[]): string[] => handled(code, HANDLER);

describe('it spins', () => {
  test('a branch to itself with interrupts off', async () => {
    const { texts, end } = await told(['b 0']);
    expect(texts).toEqual([
      `the host makes no progress on cpu0: it branches to itself at 0x${CODE.toString(16)}; interrupts are off (CRMD.IE = 0), so nothing can end it`,
    ]);
    expect(end).toBe('limit');
  });

  test('a lock that nobody gives back', async () => {
    const { texts, end } = await told(['lu12i.w $t0, 0x1000', 'st.d $t0, $t0, 0', 'ld.d $t1, $t0, 0', 'bnez $t1, -4']);
    expect(texts).toEqual([expect.stringMatching(/the same 2 instructions .* what they read never changes/)]);
    expect(end).toBe('died');
  });

  test('a flag that an interrupt would set, and the only timer has expired', async () => {
    const { texts } = await told(withHandler([...timer(1, 1), ...IE, 'b 0']));
    expect(texts).toEqual([expect.stringMatching(/branches to itself .* has expired already \(TCFG\.Periodic = 0\)/)]);
  });
});

describe('it spins in long rounds', () => {
  const poll = (offset: number): string[] => ['ld.d $t1, $t0, 0', `beqz $t1, ${-offset - 4}`];

  test.each<[string, string[], number, number?]>([
    ['302 instructions', ['lu12i.w $t0, 0x1000', ...nops(300), ...poll(1200)], 302],
    [
      'a delay before each look',
      ['lu12i.w $t0, 0x1000', 'lu12i.w $t2, 5', 'addi.d $t2, $t2, -1', 'bnez $t2, -4', ...poll(12)],
      40_963,
    ],
    [
      'loops within each other',
      [
        ...['lu12i.w $t0, 0x1000', 'addi.d $t3, $zero, 900', 'addi.d $t2, $zero, 20', 'addi.d $t2, $t2, -1'],
        ...['bnez $t2, -4', 'addi.d $t3, $t3, -1', 'bnez $t3, -16', ...poll(24)],
      ],
      38_703,
    ],
    [
      'a delay of more than a million instructions',
      ['lu12i.w $t0, 0x1000', 'lu12i.w $t2, 160', 'addi.d $t2, $t2, -1', 'bnez $t2, -4', ...poll(12)],
      1_310_723,
      8_000_000_000,
    ],
  ])('%s', async (_, code, length, most = 500_000_000) => {
    const { texts, end } = await told(code, most);
    expect(texts).toEqual([expect.stringContaining(`the same ${length} instructions`)]);
    expect(end).toBe('died');
  });
});

describe('it polls a CSR', () => {
  const ALL_LINES = ['lu12i.w $t1, 1', 'ori $t1, $t1, 0xffc', 'csrwr $t1, ECFG'];
  const ESTAT_BIT = ['csrrd $t0, ESTAT', 'andi $t0, $t0, 8', 'beqz $t0, -8'];
  const TI_BIT = ['csrrd $t0, ESTAT', 'srli.d $t0, $t0, 11', 'andi $t0, $t0, 1', 'beqz $t0, -12'];

  test.each([
    ['ESTAT with interrupts off', ESTAT_BIT, /polling ESTAT; interrupts are off/],
    [
      'ESTAT with interrupts on that nothing can raise',
      [...ALL_LINES, ...IE, ...ESTAT_BIT],
      /polling ESTAT; ECFG\.LIE = 0x1ffc, and the interrupt controller has no device enabled/,
    ],
    ['GSTAT, which only software changes', ['csrrd $t0, GSTAT', 'andi $t0, $t0, 2', 'beqz $t0, -8'], /polling GSTAT/],
    ['TVAL of a timer that is off', ['csrrd $t0, TVAL', 'srli.d $t0, $t0, 40', 'beqz $t0, -8'], /polling TVAL/],
    ['ESTAT for a timer that is off', TI_BIT, /polling ESTAT/],
  ])('%s', async (_, code, says) => {
    const { texts, end } = await told(code);
    expect(texts).toEqual([expect.stringMatching(says)]);
    expect(end).toBe('died');
  });

  const later = timer(100_000, 1).slice(0, 3);
  test.each([
    ['ESTAT for a timer that runs', [...later, ...TI_BIT]],
    ['TVAL of a timer that runs', [...later, 'csrrd $t0, TVAL', 'srli.d $t0, $t0, 40', 'beqz $t0, -8']],
    [
      'ESTAT for a device that may interrupt',
      ['lu12i.w $t1, 1', 'ori $t1, $t1, 0x600', 'addi.d $t2, $zero, 1', 'iocsrwr.d $t2, $t1', ...ESTAT_BIT],
    ],
  ])('that may change: %s', async (_, code) => {
    expect(await told(code, 40_000_000)).toEqual({ texts: [], end: 'limit' });
  });
});

describe('it does not spin', () => {
  test.each([
    ['a program that counts', ['addi.d $a0, $a0, 1', 'b -4']],
    [
      'a program that counts in memory',
      [
        'lu12i.w $t0, 0x1000',
        'ld.d $t1, $t0, 0',
        'addi.d $t1, $t1, 1',
        'st.d $t1, $t0, 0',
        'addi.d $t1, $zero, 0',
        'b -16',
      ],
    ],
    ['a program that counts in long rounds', ['addi.d $a0, $a0, 1', ...nops(300), 'b -1204']],
    [
      'a program that counts in memory in long rounds',
      [
        ...['lu12i.w $t0, 0x1000', ...nops(100), 'ld.d $t1, $t0, 0', 'addi.d $t1, $t1, 1', 'st.d $t1, $t0, 0'],
        ...['addi.d $t1, $zero, 0', 'b -416'],
      ],
    ],
    [
      'a program that counts in a floating-point register',
      [
        ...['addi.d $t0, $zero, 1', 'csrwr $t0, EUEN', 'addi.d $t0, $zero, 1', 'movgr2fr.d $f1, $t0'],
        ...['ffint.d.l $f1, $f1', 'fadd.d $f0, $f0, $f1', 'b -4'],
      ],
    ],
    [
      'a memory test',
      [
        ...['lu12i.w $t0, 0x1000', 'lu12i.w $t1, 0x1100', 'st.d $a0, $t0, 0', 'addi.d $t0, $t0, 8'],
        ...['bne $t0, $t1, -8', 'addi.d $a0, $a0, 1', 'b -24'],
      ],
    ],
    [
      'a memory test that fails to find a wrong word, and begins again with another pattern',
      [
        ...['lu12i.w $t0, 0x1000', 'lu12i.w $t1, 0x1010', 'st.d $a0, $t0, 0', 'ld.d $t2, $t0, 0', 'addi.d $t0, $t0, 8'],
        ...['bne $t0, $t1, -12', 'addi.d $t2, $zero, 0', 'addi.d $a0, $a0, 1', 'b -32'],
      ],
    ],
    ['a program that compares the time', ['rdtime.d $a0, $zero', 'addi.d $a0, $zero, 0', 'b -8']],
    [
      'a program that compares the time in long rounds',
      ['rdtime.d $a0, $zero', 'addi.d $a0, $zero, 0', ...nops(100), 'b -408'],
    ],
    [
      'a program that asks the interrupt controller',
      ['lu12i.w $t1, 1', 'ori $t1, $t1, 0x7f0', 'iocsrrd.d $t0, $t1', 'beqz $t0, -4'],
    ],
    ['a program that looks at the time', ['rdtime.d $a0, $zero', 'b -4']],
    ['a program that waits for its timer', withHandler([...timer(20, 3), ...IE, 'b 0'])],
    [
      'a program that writes to the console',
      ['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e0', 'addi.d $t1, $zero, 65', 'st.b $t1, $t0, 0', 'b -4'],
    ],
    [
      'a program that waits for the console',
      ['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e0', 'ld.bu $t1, $t0, 5', 'andi $t1, $t1, 1', 'beqz $t1, -8'],
    ],
  ])(
    '%s',
    async (name, code) => {
      const { texts, end } = await told(code, name.includes('console') ? 26_000_000 : ENOUGH);
      expect([texts, end]).toEqual([[], 'limit']);
    },
    120_000,
  );
});

describe('a device that has refused', () => {
  const code = withHandler([...timer(20, 3), ...IE, 'lu12i.w $t0, 0x1000', 'ld.d $t1, $t0, 0', 'beqz $t1, -4']);

  /** What is said of a program, while a device has refused. */
  async function refused(program: readonly string[]): Promise<{ texts: readonly string[]; end: string }> {
    const m = new TestMachine({ code: program });
    Object.defineProperty(m.machine, 'refusals', {
      get: () => ['virtio-blk asks for a reset: a descriptor lies nowhere'],
    });
    const texts: string[] = [];
    const control = new RunControl(m.machine, {
      limits: { maxInstructions: ENOUGH },
      onLoop: (_, loop) => void texts.push(loop.text),
    });
    return { end: (await control.run()).kind, texts };
  }

  test('its driver waits for ever, whatever interrupts come', async () => {
    const { end, texts } = await refused(code);
    expect(end).toBe('died');
    expect(texts).toEqual([
      expect.stringMatching(/what they read never changes; virtio-blk asks for a reset: a descriptor/),
    ]);
  });

  test('a program that waits for a key has nothing to do with it', async () => {
    const uart = withHandler([
      ...timer(20, 3),
      ...IE,
      ...['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e5', 'ld.bu $t1, $t0, 0', 'andi $t1, $t1, 1', 'beqz $t1, -8'],
    ]);
    expect(await refused(uart)).toEqual({ end: 'limit', texts: [] });
  }, 120_000);

  test('without a refusal it may still answer', async () => {
    expect((await told(code)).texts).toEqual([]);
  });
});

describe('a card that frames from outside may reach', () => {
  /** Texts of a machine whose guest looks for frames without a pause, and what has been sent back in the end. */
  async function polling(driver: 'none' | 'looks' | 'stuck'): Promise<{ texts: readonly string[]; end: string }> {
    const code = ['lu12i.w $t0, 0x1000', 'ld.d $t1, $t0, 0', 'beqz $t1, -4'];
    const machine = new Machine({
      runtime: nodeRuntime,
      ramSize: 32 << 20,
      cpus: 1,
      features: featuresOf('max'),
      seed: 1,
      console: () => {},
      cards: [new VirtioNet([2, 0, 0, 0, 0, 1], { send: () => {}, connect: () => {} })],
      virtioOn: 'mmio',
    });
    const image = driver === 'none' ? elfOf(code) : echoGuest({ sleeps: false, stuck: driver === 'stuck' });
    machine.load({ image: parseElf(image, 'guest'), commandLine: '', extra: [] });
    const texts: string[] = [];
    const control = new RunControl(machine, {
      limits: { maxInstructions: ENOUGH },
      onLoop: (_, loop) => void texts.push(loop.text),
    });
    return { end: (await control.run()).kind, texts };
  }

  test('a driver that looks for them in memory waits', async () => {
    expect(await polling('looks')).toEqual({ end: 'limit', texts: [] });
  });

  test.each([
    ['without a driver it writes nothing', 'none'],
    ['it does not write to other memory', 'stuck'],
  ] as const)('%s', async (_, driver) => {
    const { end, texts } = await polling(driver);
    expect(end).toBe('died');
    expect(texts).toEqual([expect.stringMatching(/what they read never changes/)]);
  });
});

test('who goes back in time and on again meets the loop again', async () => {
  const { machine } = new TestMachine({ code: ['lu12i.w $t0, 0x1000', 'ld.d $t1, $t0, 0', 'beqz $t1, -4'] });
  const control = new RunControl(machine, { limits: { maxInstructions: ENOUGH } });
  const stops: Stop[] = [];
  let arrived = (): void => {};
  const client = {
    running: true,
    stopped: (stop: Stop) => {
      stops.push(stop);
      client.running = false;
      arrived();
    },
    ended: () => {},
  };
  control.history.enable(true);
  control.attach(client);
  const over = control.run();
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      arrived = resolve;
      client.running = true;
      control.kick();
    });
  await stop();
  const where = control.history.position;
  control.replayer.goto(1000);
  await stop();
  expect(stops.map((s) => s.kind)).toEqual(['loop', 'loop']);
  expect(control.history.position).toBe(where);
  control.quit();
  await over;
});

test('a debugger is told of a halt, and the machine goes on', async () => {
  const { machine } = new TestMachine({ code: ['b 0'] });
  const control = new RunControl(machine, { limits: { maxInstructions: ENOUGH } });
  const heard: string[] = [];
  control.attach({ running: true, stopped: () => {}, ended: () => {}, halted: (text) => void heard.push(text) });
  expect((await control.run()).kind).toBe('limit');
  expect(heard).toEqual([expect.stringMatching(/branches to itself/)]);
});
