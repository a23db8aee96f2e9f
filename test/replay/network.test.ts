/** Frames from outside are recorded: the past repeats with them, and nothing is sent twice. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { Cable } from '../../src/cli/net/cable.ts';
import type { CableEnd, Outside } from '../../src/cli/net/outside.ts';
import { PacketFile } from '../../src/cli/net/pcap.ts';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import { DEFAULT_MACHINE, parseGuest } from '../../src/cli/options.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Client } from '../../src/emu/debug/stop.ts';
import { VirtioNet } from '../../src/emu/devices/virtio/net.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { STATE } from '../../src/emu/memory/layout.ts';
import { History } from '../../src/emu/replay/history.ts';
import type { KeptPast } from '../../src/emu/replay/kept-past.ts';
import { echoGuest } from '../support/echo-guest.ts';
import { TestMachine } from '../support/test-machine.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-frames-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** An outside in the hands of the test. */
class Hand implements Outside {
  readonly sent: Uint8Array[] = [];
  end!: CableEnd;
  resumed = 0;

  async open(end: CableEnd): Promise<void> {
    this.end = end;
  }

  send(frame: Uint8Array): boolean {
    this.sent.push(frame.slice());
    return true;
  }

  resume(): void {
    this.resumed++;
  }

  close(): void {}
}

/** A digest of what a guest can see: memory, registers and CSRs. The guest has put the times of the frames into its registers. */
function seen(machine: Machine): string {
  const { ram, cpus } = machine.save();
  const hash = createHash('sha256');
  for (const [n, chunk] of ram) hash.update(`${n}`).update(chunk);
  for (const page of cpus) hash.update(page.subarray(0, STATE.left)).update(page.subarray(STATE.hostCsr));
  return hash.digest('hex');
}

const frameOf = (n: number): Uint8Array => new Uint8Array(60).fill(n);

/** A machine with the echo guest on a cable, with a history. */
async function rig(cpus: number, sleeps: boolean) {
  const hand = new Hand();
  const pcap = join(folder, `${cpus}-${sleeps}.pcap`);
  const cable = new Cable('test', hand, new PacketFile(pcap));
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 32 << 20,
    cpus,
    features: featuresOf('max'),
    seed: 1,
    console: () => {},
    cards: [new VirtioNet([2, 0, 0, 0, 0, 1], cable)],
    virtioOn: 'mmio',
  });
  machine.load({ image: parseElf(echoGuest({ sleeps }), 'echo'), commandLine: '', extra: [] });
  const control = new RunControl(machine);
  control.history.enable(true);
  const client: Client & { running: boolean } = { running: true, stopped: () => {}, ended: () => {} };
  control.attach(client);
  await cable.plug(control);
  void control.run();
  // The driver is there.
  await until(() => control.history.position > 10_000);
  return { hand, cable, machine, control, client, pcap };
}

/** Frames in a file of libpcap's, each with its first byte. */
function recorded(file: string): number[] {
  const bytes = readFileSync(file);
  expect(bytes.readUInt32LE(0)).toBe(0xa1b2c3d4);
  const out: number[] = [];
  for (let at = 24; at < bytes.length; at += 16 + bytes.readUInt32LE(at + 8)) {
    expect(bytes.readUInt32LE(at + 12)).toBe(bytes.readUInt32LE(at + 8));
    out.push(bytes[at + 16]!);
  }
  return out;
}

describe('frames from outside', () => {
  test.each([
    [1, false],
    [1, true],
    [2, false],
    [2, true],
  ])('%i CPUs, a guest that sleeps: %s: the past repeats with them', async (cpus, sleeps) => {
    const { hand, cable, control, client, machine, pcap } = await rig(cpus, sleeps);
    const { history } = control;
    const moments: { readonly at: number; readonly hash: string }[] = [];
    for (let n = 1; n <= 20; n++) {
      // Some time passes between frames, of the machine and of the host.
      const position = history.position;
      await until(() => history.position > position + 100);
      hand.end.arrived(frameOf(n));
      await until(() => hand.sent.length === n);
      if (n % 5 === 0) {
        client.running = false;
        moments.push({ at: history.position, hash: seen(machine) });
        client.running = true;
        control.kick();
      }
    }
    client.running = false;
    await new Promise((resolve) => setImmediate(resolve));
    const last = { at: history.position, hash: seen(machine) };
    expect(hand.sent.map((f) => f[0])).toEqual(Array.from({ length: 20 }, (_, n) => n + 1));
    for (const { at, hash } of [...moments].reverse().concat(last, moments[1]!, last)) {
      expect(control.replayer.goto(at)).toBe(at);
      expect([at, seen(machine)]).toEqual([at, hash]);
    }
    // What the machine does again is neither sent nor recorded again.
    expect(hand.sent.length).toBe(20);
    cable.unplug();
    expect(recorded(pcap)).toEqual(Array.from({ length: 40 }, (_, n) => (n >> 1) + 1));
    control.quit();
  });

  test('steps into the past go over a frame, and keep what follows', async () => {
    const { hand, cable, control, client, machine } = await rig(1, false);
    const { history } = control;
    hand.end.arrived(frameOf(1));
    await until(() => hand.sent.length === 1);
    const position = history.position;
    await until(() => history.position > position + 100);
    client.running = false;
    const last = { at: history.position, hash: seen(machine) };
    const { at } = (Reflect.get(history, 'past') as KeptPast).journal.entries[0]!;
    control.replayer.goto(at - 1);
    for (let n = 0; n < 3; n++) history.step(machine.cpus[0]!, false);
    expect(history.position).toBe(at + 2);
    expect(control.replayer.goto(last.at)).toBe(last.at);
    expect(seen(machine)).toBe(last.hash);
    cable.unplug();
    control.quit();
  });

  test('frames that arrive while the machine is in its past wait until it goes on', async () => {
    const { hand, cable, control, client, machine } = await rig(1, false);
    const { history } = control;
    hand.end.arrived(frameOf(1));
    await until(() => hand.sent.length === 1);
    client.running = false;
    const last = history.position;
    control.replayer.goto(last - 500);
    hand.end.arrived(frameOf(2));
    client.running = true;
    control.kick();
    await until(() => hand.sent.length === 2);
    expect(history.position).toBeGreaterThan(last);
    const at = (Reflect.get(history, 'past') as KeptPast).journal.entries.map((e) => e.at);
    expect(at.length).toBe(2);
    expect(at[1]).toBeGreaterThanOrEqual(last);
    cable.unplug();
    control.quit();
    expect(machine.networkBacklog).toBe(0);
  });
});

describe('time of an idle machine', () => {
  /** CPU 0 waits in `idle` for a timer that expires after many ticks. */
  const idle = (cpus: number): TestMachine =>
    new TestMachine({ cpus, code: ['csrwr $a0, ECFG', 'csrwr $a1, TCFG', 'idle 0'] }).set({
      $a0: 0x800,
      $a1: 0x10000001,
    });

  test.each([1, 2])('%i CPUs: it does not depend on how often the machine is asked', (cpus) => {
    const { machine } = idle(cpus);
    machine.mayJumpTo = () => 0;
    expect(machine.run(100_000)).toBe('asleep');
    const { time } = machine;
    for (let n = 0; n < 5; n++) expect(machine.run(100_000)).toBe('asleep');
    expect(machine.time).toBe(time);
  });

  test('it does not depend on the length of the runs', () => {
    const ends = [256, 128, 16, 4, 1].map((rounds) => {
      const cli = { ...DEFAULT_MACHINE, smp: 2, guest: [parseGuest('timer')] };
      const { machine } = boot(undefined, cli, () => {});
      while (machine.run(rounds * 10_000) !== 'poweroff');
      return [machine.instructions, machine.time];
    });
    expect(
      ends.every(([instructions, time]) => instructions === ends[0]![0] && time === ends[0]![1]),
      `${ends}`,
    ).toBe(true);
  });

  test.each([1, 2])('%i CPUs: input comes at the moment at which it came', (cpus) => {
    const { machine } = idle(cpus);
    const history = new History(machine, []);
    history.enable(true);
    machine.mayJumpTo = () => 0;
    history.run(2);
    history.run(100_000);
    // A timer that wakes nobody has let time pass at this instruction.
    machine.time += 12_345;
    const { moment } = machine;
    history.input(Uint8Array.of(1), 'network');
    const { position } = history;
    history.goto(1);
    expect(machine.time).toBeLessThan(moment.time);
    history.goto(position);
    expect(machine.moment).toEqual(moment);
  });
});

describe('a cable', () => {
  test('a machine that takes nothing makes the source pause, and later frames are lost', async () => {
    const hand = new Hand();
    const cable = new Cable('test', hand);
    await cable.plug({ connectNetwork: () => {}, kick: () => {} });
    let taken = 0;
    while (hand.end.arrived(new Uint8Array(1500))) taken++;
    expect(taken * 1500).toBeLessThanOrEqual(2 ** 20);
    for (let n = 0; n < 5000; n++) hand.end.arrived(new Uint8Array(1500));
    expect(cable.untaken).toBeGreaterThan(3000);
    let bytes = 0;
    for (let frame = cable.next(); frame; frame = cable.next()) bytes += frame.length;
    expect(bytes).toBeLessThanOrEqual(2 * 2 ** 20);
    expect(hand.resumed).toBe(1);
    cable.unplug();
  });
});
