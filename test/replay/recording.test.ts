/** Recordings in files: they repeat the run, on every engine; a damaged one is refused; a cut one is shorter. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { UsageError } from '../../src/cli/errors.ts';
import { parseNet } from '../../src/cli/net/spec.ts';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../../src/cli/options.ts';
import { readRecording } from '../../src/cli/recording/file.ts';
import { parseMoment } from '../../src/cli/recording/moment.ts';
import { keepNotes, type ReplayCli, replayed } from '../../src/cli/recording/replay.ts';
import { type Running, start } from '../../src/cli/run.ts';
import { packSnapshot } from '../../src/cli/snapshots.ts';
import { stateDigest } from '../../src/emu/check/state-digest.ts';
import type { Recording } from '../../src/emu/debug/recording.ts';
import { FoundMoments, type Sought } from '../../src/emu/debug/sought-moments.ts';
import { hasGuests, Vms } from '../../src/emu/debug/vms.ts';
import type { CheckEntry } from '../../src/emu/replay/journal.ts';
import { HEADER_BYTES, PART_HEADER_BYTES } from '../../src/emu/replay/recording-file.ts';
import { saveFields } from '../../src/emu/state/fields.ts';
import { echoGuest } from '../support/echo-guest.ts';
import { GDBS, gdbSession, refused } from '../support/gdb-session.ts';
import { monitorText, PacketClient } from '../support/packet-client.ts';
import { seeded } from '../support/random.ts';
import { TestMachine } from '../support/test-machine.ts';
import { until } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-recording-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const HELLO: MachineCli = { ...DEFAULT_MACHINE, guest: [parseGuest('hello')], quiet: true };

/** What a run shows, and how it leaves its machine. */
interface Seen {
  readonly console: string;
  readonly code: number;
  readonly instructions: number;
  readonly state: readonly (readonly [string, string])[];
}

async function seen(
  image: string | undefined,
  cli: MachineCli,
  meanwhile?: (r: Running) => Promise<void>,
): Promise<Seen> {
  const bytes: number[] = [];
  const running = await start(image, { ...cli, quiet: true }, (b) => void bytes.push(...b));
  await meanwhile?.(running);
  const code = await running.done;
  const { machine } = running.booted;
  return {
    console: String.fromCharCode(...bytes),
    code,
    instructions: machine.instructions,
    // The timers of a machine that waits depend on when it was ended.
    state: [...stateDigest(machine)].filter(([name]) => !name.startsWith('timers')),
  };
}

function again(file: string, more: ReplayCli = {}, meanwhile?: (r: Running) => Promise<void>): Promise<Seen> {
  const { image, cli } = replayed(readRecording(file), more);
  return seen(image, cli, meanwhile);
}

/** A run of the echo guest, which gets frames from a socket. */
async function echoRun(file: string, cpus: number, sleeps: boolean): Promise<Seen> {
  const image = join(folder, `echo-${sleeps}.elf`);
  writeFileSync(image, echoGuest({ sleeps }));
  const outside = createSocket('udp4').bind(0, '127.0.0.1');
  await once(outside, 'listening');
  const probe = createSocket('udp4').bind(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  const net = parseNet(`dgram,local=127.0.0.1:${port},remote=127.0.0.1:${outside.address().port}`);
  const cli: MachineCli = { ...DEFAULT_MACHINE, memory: 32 << 20, smp: cpus, virtio: 'mmio', net, record: file };
  try {
    return await seen(image, cli, async ({ control }) => {
      // The driver is there.
      await until(() => control.history.position > 10_000);
      for (let n = 1; n <= 20; n++) {
        outside.send(new Uint8Array(60).fill(n), port, '127.0.0.1');
        const [frame] = (await once(outside, 'message')) as [Uint8Array];
        expect(frame[20]).toBe(n);
      }
      control.quit(true);
    });
  } finally {
    outside.close();
  }
}

describe('a recording', () => {
  const file = join(folder, 'hello.recording');
  let original: Seen;
  beforeAll(async () => {
    original = await seen(undefined, { ...HELLO, record: file });
  });

  test.each(['auto', 'jit', 'interpreter'] as const)('repeats its run with --engine %s', async (engine) => {
    expect(await again(file, { engine })).toEqual(original);
    expect(original.console).toContain('[hello] Hello from a LoongArch guest');
  });

  test('is small, and names the files that it needs', () => {
    expect(statSync(file).size).toBeLessThan(2000);
    const { description } = readRecording(file);
    expect([...description.files.keys()].toSorted()).toEqual(
      ['build/guests/hello.elf', 'build/hv.elf'].map((f) => join('<loongscope>', f)),
    );
  });

  test.each([
    ['123456', 123456],
    ['end', undefined],
    ['first entry in VM 1', undefined],
    ['last exit in VM 1', undefined],
    ['console:"from a"', undefined],
  ])('can be looked at, at %s', async (text, at) => {
    const { image, cli, arrive } = replayed(readRecording(file), { at: parseMoment(text) });
    const shown: number[] = [];
    const { control, done, booted } = await start(image, { ...cli, quiet: true }, (b) => void shown.push(...b));
    // Without a debugger it would go on.
    control.attach({ running: false, stopped: () => {}, ended: () => {} });
    await arrive(control);
    const { position, end } = control.history;
    const newest = booted.machine.cpus[0]!.events.at(0);
    if (at !== undefined) expect(position).toBe(at);
    if (text === 'end') expect(position).toBe(end);
    if (text === 'first entry in VM 1') expect(booted.machine.cpus[0]!.events.total).toBeLessThan(3);
    if (text.startsWith('last exit')) {
      // The exit comes with the next instruction.
      expect(position).toBeGreaterThan(end / 2);
      control.history.run(1, position + 1);
      expect(booted.machine.cpus[0]!.events.at(0)?.kind).toBe('exit');
    }
    if (text.startsWith('console')) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(String.fromCharCode(...shown)).toMatch(/Hello from a$/);
      expect(newest).toBeDefined();
    }
    control.quit(true);
    await done;
  });

  test('a moment that does not come is said', async () => {
    for (const [text, why] of [
      ['99999999999', /the recording ends at instruction \d+/],
      ['first exit in VM 7', /this does not happen in the \d+ instructions/],
      ['console:no such text', /this does not happen/],
    ] as const) {
      const { image, cli, arrive } = replayed(readRecording(file), { at: parseMoment(text) });
      const { control, done } = await start(image, { ...cli, quiet: true }, () => {});
      await expect(arrive(control)).rejects.toThrow(why);
      control.quit();
      await done;
    }
    expect(() => parseMoment('tomorrow')).toThrow(/'tomorrow' is no moment/);
  });

  test('a gdb that connects on the way there waits until it is there', async () => {
    const { image, cli, arrive } = replayed(readRecording(file), {
      at: parseMoment('end'),
      gdb: { host: '127.0.0.1', port: 0 },
    });
    const { control, done, ports } = await start(image, { ...cli, quiet: true }, () => {});
    const client = new PacketClient(ports[0] as number);
    const answered = client.ask('qC').then((answer) => [answer, control.history.position]);
    await once(client.socket, 'connect');
    await arrive(control);
    expect(await answered).toEqual([expect.stringMatching(/^QC/), control.history.end]);
    client.socket.destroy();
    control.quit(true);
    await done;
  });

  test('with the images, it needs no files; without, others are refused', async () => {
    const guest = join(folder, 'guest.elf');
    writeFileSync(guest, readFileSync('build/guests/hello.elf'));
    const cli = { ...HELLO, guest: [parseGuest(guest)] };
    const [bare, whole] = [join(folder, 'bare.recording'), join(folder, 'whole.recording')];
    await seen(undefined, { ...cli, record: bare });
    const first = await seen(undefined, { ...cli, record: whole, recordImages: true });
    writeFileSync(guest, readFileSync('build/guests/two.elf'));
    await expect(again(bare)).rejects.toThrow(/guest.elf is not the file that was recorded/);
    expect(await again(whole)).toEqual(first);
    rmSync(guest);
    await expect(again(bare)).rejects.toThrow(/bare.recording needs .*guest.elf.*--record-images/);
    expect(await again(whole)).toEqual(first);
  });

  test('a changed byte anywhere is noticed', () => {
    const bytes = readFileSync(file);
    const damaged = join(folder, 'damaged.recording');
    const random = seeded(20);
    for (let at = 0; at < bytes.length; at += 1 + (random() % 3)) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (random() & 7);
      writeFileSync(damaged, copy);
      expect(() => readRecording(damaged), `byte ${at}`).toThrow(UsageError);
    }
  });

  test('one of a newer version is refused', () => {
    const newer = join(folder, 'newer.recording');
    const bytes = readFileSync(file);
    bytes[8] = 7;
    writeFileSync(newer, bytes);
    expect(() => readRecording(newer)).toThrow(/has format 7, this program reads 6: use the program that recorded it/);
  });

  test.skipIf(process.platform !== 'linux')('on a full disk it ends, and the machine goes on', async () => {
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { code, console } = await seen(undefined, { ...HELLO, record: '/dev/full' });
    expect([code, console]).toEqual([original.code, original.console]);
    expect(said.mock.calls.flat().join('')).toMatch(/warning: the recording \/dev\/full ends here \(ENOSPC\)/);
    said.mockRestore();
  });

  test('one that is cut off anywhere is shorter, or says that there is nothing', async () => {
    const cut = join(folder, 'cut.recording');
    const long = join(folder, 'long.recording');
    await echoRun(long, 1, false);
    const bytes = readFileSync(long);
    const whole = readRecording(long);
    let shorter = 0;
    for (let length = bytes.length - 1; length > 0; length -= 1 + (length % 7)) {
      writeFileSync(cut, bytes.subarray(0, length));
      try {
        const { end, entries } = readRecording(cut);
        expect(end).toBeLessThanOrEqual(whole.end);
        expect(entries).toEqual(whole.entries.slice(0, entries.length));
        shorter++;
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect(String(error)).toMatch(/is no recording|is empty/);
      }
    }
    expect(shorter).toBeGreaterThan(10);
  });

  test('a run that is no longer the recorded one is noticed', async () => {
    const recording = readRecording(file);
    const { description } = recording;
    const { image, cli } = replayed(
      { ...recording, description: { ...description, options: { ...description.options, smp: 2 } } },
      {},
    );
    expect((await seen(image, cli)).code).toBe(1);
  });

  test('two may be repeated at once', async () => {
    expect(await Promise.all([again(file), again(file)])).toEqual([original, original]);
  });
});

describe('a recording that begins with a snapshot', () => {
  test('is repeated from there, with the disks and folders of the snapshot', async () => {
    const [disk, snapshot, file] = ['disk', 'snapshot', 'later.recording'].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    writeFileSync(disk, new Uint8Array(8192));
    const around: MachineCli = {
      ...HELLO,
      drive: [
        { file: disk, readOnly: false, copyOnWrite: true },
        { file: disk, readOnly: true, copyOnWrite: false },
        { file: disk, readOnly: false, copyOnWrite: true, ahci: true },
      ],
      share: [{ folder, tag: 'share', readOnly: true }],
    };
    const { control, done, booted } = await start(undefined, around, () => {});
    control.history.run(1_000_000, 1_000_000);
    writeFileSync(snapshot, packSnapshot(booted.machine, control.observers));
    control.quit(true);
    await done;
    const { guest: _, ...rest } = around;
    const original = await seen(undefined, { ...rest, snapshot, record: file });
    expect(original.console).toContain('Hello from a LoongArch guest');
    rmSync(disk);
    const recording = readRecording(file);
    expect([...recording.description.files.keys()]).toEqual([snapshot]);
    expect(await again(file, { engine: 'interpreter' })).toEqual(original);
    const { image, cli, arrive } = replayed(recording, { at: parseMoment('5') });
    const early = await start(image, { ...cli, quiet: true }, () => {});
    await expect(arrive(early.control)).rejects.toThrow('--at: the recording begins at instruction 1000000');
    early.control.quit();
    await early.done;
  });
});

describe('states in a recording', () => {
  const SEVERAL = 3;
  const file = join(folder, 'states.recording');
  // Long enough for some states on a fast computer.
  const guest = [parseGuest('smp,vcpus=2,append=soak:30000')];
  const cli: MachineCli = { ...HELLO, guest, smp: 2, record: file, recordEvery: 20 };
  let original: Seen;
  let positions: readonly number[];
  let expected: unknown[];
  beforeAll(async () => {
    // On a busy computer states are packed slowly, and there are fewer.
    let recording: Recording;
    do {
      original = await seen(undefined, cli);
      recording = readRecording(file);
    } while (recording.states.length <= SEVERAL);
    const { states, end } = recording;
    const random = seeded(21);
    const anywhere = Array.from({ length: 6 }, () => random() % end);
    positions = [end, states.at(-1)!.at, states[0]!.at - 1, states[1]!.at + 1, ...anywhere, end];
    expected = await visited({ ...recording, states: [] });
  });

  /** The machine at some positions, in this order. */
  async function visited(recording: Recording, more: ReplayCli = {}): Promise<unknown[]> {
    const { image, cli: again } = replayed(recording, { ...more, observed: true });
    const { control, done, booted } = await start(image, { ...again, quiet: true }, () => {});
    control.attach({ running: false, stopped: () => {}, ended: () => {} });
    const found = positions.map((at) => {
      control.replayer.goto(at);
      expect(control.history.position).toBe(at);
      return [at, ...stateDigest(booted.machine), saveFields(control.vcpuStates.vms)];
    });
    control.quit(true);
    await done;
    return found;
  }

  test.each(['auto', 'jit', 'interpreter'] as const)(
    'bring the machine to any moment with --engine %s',
    async (engine) => {
      const recording = readRecording(file);
      expect(recording.states.length).toBeGreaterThan(SEVERAL);
      expect(recording.end).toBe(original.instructions);
      expect(await visited(recording, { engine })).toEqual(expected);
      // Where copies have no room, states are entered again and again.
      expect(await visited(recording, { engine, history: 2 ** 24 })).toEqual(expected);
    },
  );

  test('save the way: a moment at the end is reached without what comes before', async () => {
    const recording = readRecording(file);
    const ran = async (states: Recording['states']): Promise<number> => {
      const { image, cli: again, arrive } = replayed({ ...recording, states }, { at: { kind: 'end' } });
      const { control, done, booted } = await start(image, { ...again, quiet: true }, () => {});
      let instructions = 0;
      booted.machine.onTurn = (_cpu, before, after) => {
        instructions += after - before;
      };
      control.attach({ running: false, stopped: () => {}, ended: () => {} });
      await arrive(control);
      expect(control.history.position).toBe(recording.end);
      control.quit(true);
      await done;
      return instructions;
    };
    expect(await ran([])).toBe(recording.end);
    expect(await ran(recording.states)).toBe(recording.end - recording.states.at(-1)!.at);
  });

  test('tell whether a guest has run: from there on its moments are looked for, and are known the next time', async () => {
    const marked = join(folder, 'found.recording');
    copyFileSync(file, marked);
    const { states, end } = readRecording(marked);
    const fresh = new Vms(new TestMachine().machine.ram);
    expect(hasGuests([saveFields(fresh)])).toBe(false);
    /** Goes to a moment, and counts the instructions on the way, as if guests had run only in some states. */
    const went = async (text: string, more: ReplayCli = {}): Promise<{ at: number; ran: number }> => {
      const recording = readRecording(marked);
      const late = { ...recording, states: recording.states.map((s, n) => ({ ...s, hadGuests: () => n > 1 })) };
      const { image, cli: again, arrive } = replayed(late, { at: parseMoment(text), ...more });
      const { control, done, booted } = await start(image, { ...again, quiet: true }, () => {});
      const close = keepNotes(recording, control);
      let ran = 0;
      booted.machine.onTurn = (_cpu, before, after) => {
        ran += after - before;
      };
      control.attach({ running: false, stopped: () => {}, ended: () => {} });
      await arrive(control);
      const at = control.history.position;
      control.quit(true);
      await done;
      close();
      return { at, ran };
    };
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const whole = await went('first exit in VM 1', { stats: true });
    said.mockRestore();
    // The guest was entered before its first exit.
    for (const s of states) if (s.at > whole.at) expect(s.hadGuests(), `${s.at}`).toBe(true);
    copyFileSync(file, marked);
    const { at, ran } = await went('first exit in VM 1');
    expect(at).toBeGreaterThanOrEqual(states[1]!.at);
    expect(ran).toBeLessThan(at);
    expect(readRecording(marked).findings).toEqual([{ found: 'first exit in VM 1', at, end }]);
    const near = states.findLast((s) => s.at <= at)!.at;
    expect(await went('FIRST exit of 1')).toEqual({ at, ran: at - near });
    const text = await went('console:GID 1');
    expect((await went('console:"GID 1"')).at).toBe(text.at);
    const last = await went('last exit in VM 1');
    expect(readRecording(marked).findings.at(-1)).toEqual({ found: 'last exit in VM 1', at: last.at, end });
    // The last one of a longer run may be another one.
    const [moment, findings] = [parseMoment('last exit in VM 1') as Sought, new FoundMoments()];
    findings.load({ found: 'last exit in VM 1', at: last.at, end });
    expect([findings.get(moment, end), findings.get(moment, end + 1)]).toEqual([last.at, undefined]);
  });

  test('a changed byte in them is noticed, and one that is cut off is left out', () => {
    const bytes = readFileSync(file);
    const damaged = join(folder, 'damaged-state.recording');
    const whole = readRecording(file);
    // Behind the file's header comes the description of the machine. Without it a recording is empty.
    const described = HEADER_BYTES + PART_HEADER_BYTES + bytes.readUInt32LE(HEADER_BYTES);
    const random = seeded(22);
    const places = [0, 5, HEADER_BYTES, described - 1, described];
    for (let n = 0; n < 60; n++) {
      const at = places[n] ?? random() % bytes.length;
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (random() & 7);
      writeFileSync(damaged, copy);
      expect(() => readRecording(damaged), `byte ${at}`).toThrow(UsageError);
      writeFileSync(damaged, bytes.subarray(0, at));
      if (at < described) {
        expect(() => readRecording(damaged), `cut at ${at}`).toThrow(/is empty|is no recording/);
        continue;
      }
      const { states, end } = readRecording(damaged);
      expect(end).toBeLessThanOrEqual(whole.end);
      expect(states.map((s) => s.at)).toEqual(whole.states.slice(0, states.length).map((s) => s.at));
    }
  });

  test('are as few as there is room for', async () => {
    const small = join(folder, 'small.recording');
    await seen(undefined, { ...cli, record: small, recordSnapshots: 1 });
    expect(readRecording(small).states.length).toBe(1);
    await seen(undefined, { ...cli, record: small, recordSnapshots: 0 });
    const { states, entries } = readRecording(small);
    expect(states).toEqual([]);
    expect(entries.filter((e) => e.kind === 'check' && e.ram !== undefined).length).toBeGreaterThan(0);
  });

  test('a machine with other contents of RAM is noticed where it begins', async () => {
    const recording = readRecording(file);
    const first = recording.entries.find((e) => e.kind === 'check' && e.ram !== undefined) as CheckEntry;
    const { image, cli: again } = replayed({ ...recording, states: [] }, {});
    const { prepare } = again;
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const { code } = await seen(image, {
      ...again,
      prepare: (control) => {
        prepare!(control);
        // Nothing reads it.
        control.machine.ram.write(control.machine.ram.size - 8, Uint8Array.of(1));
      },
    });
    const text = said.mock.calls.flat().join('');
    said.mockRestore();
    expect(code).toBe(1);
    expect(text).toContain(`has other contents of RAM at instruction ${first.at}`);
  });
});

describe('a recording of a network', () => {
  test.each([
    [1, true],
    [2, false],
    [2, true],
  ])('%i CPUs, a guest that sleeps: %s: frames come at their moments', async (cpus, sleeps) => {
    const file = join(folder, `net-${cpus}-${sleeps}.recording`);
    const original = await echoRun(file, cpus, sleeps);
    const { entries, end } = readRecording(file);
    expect(entries.filter((e) => e.kind === 'input').length).toBe(20);
    expect(end).toBe(original.instructions);
    for (const engine of ['auto', 'interpreter'] as const) {
      const { state, instructions } = await again(file, { engine });
      expect([instructions, state]).toEqual([end, original.state]);
    }
  });
});

describe('bookmarks', () => {
  const original = join(folder, 'marked.recording');
  const file = join(folder, 'copied.recording');
  beforeAll(async () => {
    await seen(undefined, { ...HELLO, record: original });
  });
  beforeEach(() => copyFileSync(original, file));

  /** Monitor commands in a replay. */
  async function said(...commands: readonly string[]): Promise<string> {
    const { cli } = replayed(readRecording(file), { gdb: { host: '127.0.0.1', port: 0 } });
    const { control, done, ports } = await start(undefined, { ...cli, quiet: true }, () => {});
    const close = keepNotes(readRecording(file), control);
    const client = new PacketClient(ports[0] as number);
    let text = '';
    // The client is told that its registers are old.
    const old = /^gdb still has.*\n/m;
    // On a busy computer a search takes long enough to say how far it is.
    const progress = /^.*, at instruction \d+\n/gm;
    for (const c of commands)
      text += monitorText(await client.ask(`qRcmd,${Buffer.from(c).toString('hex')}`))
        .replace(progress, '')
        .replace(old, '');
    client.socket.destroy();
    control.quit(true);
    await done;
    close();
    return text;
  }

  test('are kept in the recording, and can be gone to', async () => {
    const { end } = readRecording(file);
    expect(
      await said('goto 5000', 'bookmark here', 'goto end', 'bookmark 7', 'bookmark', 'goto 6000', 'bookmark there'),
    ).toMatch(
      /at instruction 5000\nbookmark here: instruction 5000\nthere is no bookmark 'end': one of here\n.*'7' is no name.*a name expected.*bookmark there: instruction 6000/s,
    );
    expect(await said('bookmarks', 'goto here', 'bookmark delete there', 'bookmark delete there')).toMatch(
      /^5000 here\n6000 there\nat instruction 5000\nno bookmark there any more\nthere is no bookmark 'there': one of here/,
    );
    expect(await said('bookmarks')).toBe('5000 here\n');
    const { image, cli, arrive } = replayed(readRecording(file), { at: parseMoment('bookmark:here') });
    const { control, done } = await start(image, { ...cli, quiet: true }, () => {});
    await arrive(control);
    expect(control.history.position).toBe(5000);
    control.quit(true);
    await done;
    // The run itself is as it was.
    expect(readRecording(file).end).toBe(end);
    expect((await again(file)).code).toBe(0);
  });

  test('moments by what happens there can be gone to, and are kept when they were found', async () => {
    const where = async (moment: string): Promise<number> =>
      Number(/^at instruction (\d+)\n$/.exec(await said(`goto ${moment}`))![1]);
    const first = await where('first exit in VM 1');
    const last = await where('last exit in VM 1');
    const hello = await where('console:Hello from');
    expect(first).toBeLessThan(hello);
    expect(hello).toBeLessThan(last);
    const { findings, end } = readRecording(file);
    expect(findings.map((f) => [f.found, f.at])).toEqual([
      ['first exit in VM 1', first],
      ['last exit in VM 1', last],
      ['console:Hello from', hello],
    ]);
    expect(await where('first exit in VM 1')).toBe(first);
    expect(readRecording(file).findings.length).toBe(3);
    // As replay --at finds them.
    for (const [text, at] of [
      ['first exit in VM 1', first],
      ['last exit in VM 1', last],
      ['console:Hello from', hello],
    ] as const) {
      const { image, cli, arrive } = replayed({ ...readRecording(file), findings: [] }, { at: parseMoment(text) });
      const { control, done } = await start(image, { ...cli, quiet: true }, () => {});
      await arrive(control);
      expect(control.history.position, text).toBe(at);
      control.quit(true);
      await done;
    }
    expect(await said('goto 5000', 'goto last exit in VM 3', 'goto 5000')).toBe(
      `at instruction 5000\nlast exit in VM 3: not from instruction 0 to ${end}, as far as this is kept\nat instruction 5000\n`,
    );
  });

  test('with them, any changed byte is noticed, and any cut leaves a shorter recording', async () => {
    await said('goto 5000', 'bookmark here', 'goto first entry', 'bookmark entry', 'bookmark delete here');
    const bytes = readFileSync(file);
    const whole = readRecording(file);
    expect([whole.bookmarks.length, whole.findings.length]).toEqual([3, 1]);
    const described = HEADER_BYTES + PART_HEADER_BYTES + bytes.readUInt32LE(HEADER_BYTES);
    const damaged = join(folder, 'damaged-notes.recording');
    const random = seeded(23);
    for (let at = 0; at < bytes.length; at++) {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1 << (random() & 7);
      writeFileSync(damaged, copy);
      expect(() => readRecording(damaged), `byte ${at}`).toThrow(UsageError);
      if (at < described) continue;
      writeFileSync(damaged, bytes.subarray(0, at));
      const cut = readRecording(damaged);
      expect(cut.entries.length, `cut at ${at}`).toBeLessThanOrEqual(whole.entries.length);
      for (const list of ['entries', 'bookmarks', 'findings'] as const)
        expect(cut[list], `cut at ${at}`).toEqual(whole[list].slice(0, cut[list].length));
      expect(cut.end).toBe(cut.entries.length === whole.entries.length ? whole.end : cut.end);
      expect(cut.end).toBeLessThanOrEqual(whole.end);
    }
  });

  test('two replays of one file keep theirs', async () => {
    await Promise.all([said('bookmark one'), said('bookmark two')]);
    expect(
      readRecording(file)
        .bookmarks.map((b) => b.bookmark)
        .toSorted(),
    ).toEqual(['one', 'two']);
  });

  test('where the file cannot be written, that is said', async () => {
    writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.of(1, 2, 3)]));
    expect(await said('bookmark one', 'bookmarks')).toMatch(
      /the bookmark is forgotten at the end: .*copied.recording cannot be written \(it is cut off\)\n.*0 one/s,
    );
  });
});

describe.each(GDBS)('a recording with %s', (_name, gdb) => {
  const file = join(folder, 'debugged.recording');
  beforeAll(async () => {
    await seen(undefined, { ...HELLO, smp: 2, record: file });
  });

  test('is gone through forwards and backwards, and cannot be changed', async () => {
    const { cli } = replayed(readRecording(file), { gdb: { host: '127.0.0.1', port: 0 } });
    const { guest, ...more } = cli;
    const { output, console } = await gdbSession({
      guests: guest!,
      more,
      gdb,
      commands: [
        ...[
          'tbreak handle_exit',
          'continue',
          'print $icount > 0',
          'thread 2',
          'stepi',
          'thread 1',
          'stepi',
          'reverse-stepi',
        ],
        ...[
          refused('set var $a0 = 1'),
          'monitor reverse',
          'continue',
          'continue',
          'reverse-continue',
          'monitor goto 99999999999',
        ],
      ],
    });
    expect(output).toMatch(/hit (Temporary )?[Bb]reakpoint 1|Temporary breakpoint 1/);
    expect(output).toMatch(/this is a recording: the machine cannot be changed/);
    expect(output).toMatch(/recorded to instruction \d+/);
    expect(output.match(/Reached end of recorded history|No more reverse-execution history/g)!.length).toBe(3);
    expect(console.match(/Hello from a LoongArch guest/g)).toHaveLength(1);
  });
});
