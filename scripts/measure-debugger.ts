/**
 * Measures the cost of the debugger on this computer: answers a second, the time from a stop to gdb's prompt, and the effect of breakpoints,
 * catches and watchpoints on a hot loop, as ratios. Run through scripts/measure --debugger.
 */
import { connect } from 'node:net';
import { execa } from 'execa';
import { findGdb } from '../src/cli/find-gdb.ts';
import { DEFAULT_MACHINE, parseGuest } from '../src/cli/options.ts';
import { type Running, start } from '../src/cli/run.ts';
import type { Breakpoint, Watchpoint } from '../src/emu/debug/breakpoints.ts';
import { RunControl } from '../src/emu/debug/run-control.ts';
import { encodePacket, PacketParser } from '../src/gdbstub/framing.ts';
import { CODE, TestMachine } from '../test/support/test-machine.ts';

const RUNS = 5;
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]!;

/** A machine with a guest and a port; `wait`: it is stopped until a client connects. */
const machine = (guest: string, wait = false): Promise<Running> =>
  start(
    undefined,
    {
      ...DEFAULT_MACHINE,
      guest: [parseGuest(guest)],
      serial: { kind: 'null' },
      quiet: true,
      gdb: { host: '127.0.0.1', port: 0 },
      wait,
    },
    () => {},
  );

/** Interleaved runs of variants: median instructions a second of each. */
function speeds(variants: Readonly<Record<string, () => number>>): Map<string, number> {
  const samples = new Map(Object.keys(variants).map((name) => [name, [] as number[]]));
  for (let n = 0; n <= RUNS; n++)
    for (const [name, run] of Object.entries(variants)) {
      const speed = run();
      // The first round warms up.
      if (n > 0) samples.get(name)!.push(speed);
    }
  return new Map([...samples].map(([name, list]) => [name, median(list)]));
}

/** A loop of loads, stores and arithmetic, under run control; `arm` adds the comparator that is measured. */
function hotLoop(arm: (control: RunControl) => void, instructions = 150_000_000): number {
  const bench = new TestMachine({
    code: [
      'ld.d $t0, $a0, 0',
      'addi.d $t0, $t0, 1',
      'st.d $t0, $a0, 0',
      'addi.d $t1, $t1, 3',
      'xor $t2, $t1, $t0',
      'b -20',
    ],
  });
  bench.set({ a0: 0x30_0000 });
  const control = new RunControl(bench.machine);
  arm(control);
  control.history.run(1_000_000);
  const began = performance.now();
  for (let left = instructions; left > 0; left -= 2_000_000) control.history.run(2_000_000);
  return instructions / ((performance.now() - began) / 1000);
}

const owner = {};
const breakpoint = (va: number, when?: () => boolean): Breakpoint => ({
  owner,
  scope: 'any',
  va: BigInt(va),
  hardware: false,
  ...(when && { when }),
});
const watch = (address: bigint): Watchpoint => ({
  owner,
  scope: 'any',
  space: 'virtual',
  address,
  length: 8,
  kind: 'write',
});

function costs(): void {
  const base = speeds({
    nothing: () => hotLoop(() => {}),
    'the past kept (as with every gdb)': () => hotLoop((c) => c.history.enable(true)),
    'a breakpoint in another page': () => hotLoop((c) => c.comparators.insert(breakpoint(CODE + 0x4000))),
    'a breakpoint in the same page': () => hotLoop((c) => c.comparators.insert(breakpoint(CODE + 0x400))),
    'a catch of VM exits': () =>
      hotLoop((c) => void c.catches.add({ kind: 'vmexit', ecodes: new Set(), world: 'any', text: '' })),
    'a watchpoint in another page': () => hotLoop((c) => c.comparators.insertWatch(watch(0x40_0000n))),
    'a watchpoint in the page of the loop’s data': () =>
      hotLoop((c) => c.comparators.insertWatch(watch(0x30_0800n)), 3_000_000),
  });
  const none = base.get('nothing')!;
  print(`hot loop: ${(none / 1e6).toFixed(0)} million instructions/s (median of ${RUNS} interleaved runs)`);
  for (const [name, speed] of base)
    if (name !== 'nothing') print(`  with ${name}: ${(none / speed).toFixed(2)} times the time`);
  const conditional = median(
    Array.from({ length: RUNS }, () =>
      hotLoop((c) => c.comparators.insert(breakpoint(CODE + 4, () => false)), 1_200_000),
    ),
  );
  // One hit in six instructions.
  print(`  a breakpoint whose condition is false: ${((6 / conditional - 6 / none) * 1e6).toFixed(2)} µs a hit`);
}

/** Exits a second of a guest that makes hypercalls, without and with an armed catch of another cause. */
async function catches(): Promise<void> {
  const run = async (arm: boolean): Promise<number> => {
    const running = await machine('storm');
    if (arm) running.control.catches.add({ kind: 'vmexit', ecodes: new Set([0x3e]), world: 'any', text: '' });
    const began = performance.now();
    await running.done;
    const exits = running.booted.machine.cpus[0]!.events.exits.reduce((a, b) => a + b, 0);
    return exits / ((performance.now() - began) / 1000);
  };
  const without: number[] = [];
  const armed: number[] = [];
  for (let n = 0; n < RUNS; n++) {
    without.push(await run(false));
    armed.push(await run(true));
  }
  print(
    `exits of the storm guest with an armed catch of another cause: ${(median(without) / median(armed)).toFixed(2)} times the time of none`,
  );
}

/** Packets answered a second, one after the other and all at once; from Ctrl-C to the stop reply. */
async function packets(): Promise<void> {
  const running = await machine('hello', true);
  const socket = connect(running.ports[0] as number, '127.0.0.1');
  socket.setNoDelay(true);
  const parser = new PacketParser();
  let wanted = 0;
  let done: () => void = () => {};
  socket.on('data', (d: Buffer) => {
    for (const f of parser.push(d)) if (f.kind === 'packet' && --wanted === 0) done();
  });
  const ask = (list: readonly Uint8Array[]): Promise<void> =>
    new Promise((resolve) => {
      wanted = list.length;
      done = resolve;
      for (const p of list) socket.write(p);
    });
  await ask([encodePacket('QStartNoAckMode')]);
  for (const [name, packet] of [
    ['m (64 bytes)', 'm1000000,40'],
    ['g', 'g'],
    ['p', 'p1005'],
  ] as const) {
    const one = encodePacket(packet);
    let began = performance.now();
    for (let n = 0; n < 5000; n++) await ask([one]);
    const serial = 5000 / ((performance.now() - began) / 1000);
    began = performance.now();
    await ask(Array.from({ length: 20_000 }, () => one));
    const piped = 20_000 / ((performance.now() - began) / 1000);
    print(`packets ${name}: ${Math.round(serial)} a second one after the other, ${Math.round(piped)} at once`);
  }
  socket.destroy();
  running.control.quit();
  await running.done;
}

/** Response times for a user of gdb. */
async function prompts(): Promise<void> {
  const gdb = await findGdb();
  const running = await machine('hello', true);
  const time = (what: string, command: string, n: number): string[] => [
    `python t=time.time()`,
    `python for i in range(${n}): gdb.execute("${command}", to_string=True)`,
    `python print("${what}: %.1f ms" % ((time.time()-t)*1000/${n}))`,
  ];
  const commands = [
    'set pagination off',
    'set confirm off',
    'file build/hv.elf',
    `target extended-remote 127.0.0.1:${running.ports[0]}`,
    'python import time',
    'break handle_exit',
    'continue',
    ...time('from resume at a breakpoint over one exit of the guest to the next prompt', 'continue', 10),
    'delete',
    ...time('stepi to the prompt', 'stepi', 100),
    ...time('reverse-stepi to the prompt', 'reverse-stepi', 20),
    ...time('backtrace', 'backtrace', 20),
    'kill',
  ];
  const { stdout } = await execa(gdb, ['-nx', '-q', '-batch', ...commands.flatMap((c) => ['-ex', c])], {
    reject: false,
  });
  for (const line of stdout.split('\n')) if (/: [\d.]+ ms$/.test(line)) print(`gdb, ${line}`);
  running.control.quit();
  await running.done;
}

costs();
await catches();
await packets();
await prompts();
