/** A machine in a file: what goes on from it is what would have gone on without it. */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { ClientFiles } from '../../src/cli/client-files.ts';
import { DEFAULT_MACHINE, type MachineCli, parseCpu, parseGuest } from '../../src/cli/options.ts';
import { start as startMachine } from '../../src/cli/run.ts';
import { packSnapshot, readSnapshot, snapshotStore } from '../../src/cli/snapshots.ts';
import { virtioOf } from '../../src/emu/board/cards.ts';
import { differences } from '../../src/emu/check/state-digest.ts';
import { VirtioP9 } from '../../src/emu/devices/virtio/p9.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { applySnapshot, takeSnapshot } from '../../src/emu/replay/machine-snapshot.ts';
import { decodeSnapshot, encodeSnapshot, type MachineImage } from '../../src/emu/replay/snapshot-file.ts';
import type { Steps } from '../../src/emu/runtime/steps.ts';
import { saveFields } from '../../src/emu/state/fields.ts';
import { Driven } from '../support/driven.ts';
import { E, P9Client } from '../support/p9-client.ts';

/** Ends work whose pieces wait for the event loop. */
async function overTurns<T>(steps: Steps<T>): Promise<T> {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await new Promise(setImmediate);
  }
}

const folder = mkdtempSync(join(tmpdir(), 'loongscope-snapshot-'));

/** Writes a machine to a file. @returns bytes */
function saveSnapshot(machine: Machine, file: string): number {
  const packed = packSnapshot(machine);
  writeFileSync(file, packed);
  return packed.length;
}
afterAll(() => rmSync(folder, { recursive: true }));

interface Booted {
  readonly machine: Machine;
  readonly console: number[];
}

function start(cli: Partial<MachineCli>): Booted {
  const console: number[] = [];
  const { machine } = boot(undefined, { ...DEFAULT_MACHINE, ...cli }, (b) => console.push(b));
  return { machine, console };
}

/** Runs to the guest's power-off. */
function toTheEnd(machine: Machine): void {
  for (;;) {
    const result = machine.run(5_000_000);
    if (result === 'poweroff') return;
    if (result !== 'slice') throw new Error(`the machine has stopped: ${result}`);
  }
}

test('a machine with more state than a file can have is refused, not cut', () => {
  const { machine } = start({ guest: [parseGuest('hello')] });
  Object.defineProperty(machine.ram, 'touched', { value: 2 ** 32 });
  expect(() => packSnapshot(machine)).toThrow(/4096 MiB of state, and a snapshot holds less than 4096/);
});

describe('a run that goes on from a file', () => {
  test.each([
    ['one CPU', { guest: [parseGuest('timer'), parseGuest('paging')] }, 1_234_567],
    ['two CPUs and vCPUs', { smp: 2, guest: [parseGuest('smp,vcpus=2')] }, 2_345_678],
    ['virtio of the hypervisor', { guest: [parseGuest('virtio')] }, 1_000_001],
    ['interpreter alone', { guest: [parseGuest('privileged')], engine: 'interpreter' }, 700_001],
  ] as [string, Partial<MachineCli>, number][])('%s', (name, cli, at) => {
    const file = join(folder, name.replace(/ /g, '-'));
    const first = start(cli);
    first.machine.run(at, at);
    expect(first.machine.instructions).toBe(at);
    const before = first.console.length;
    expect(saveSnapshot(first.machine, file)).toBe(readFileSync(file).length);

    const second = start({ snapshot: file, ...(cli.engine && { engine: cli.engine }) });
    expect(differences(first.machine, second.machine)).toEqual([]);
    toTheEnd(first.machine);
    toTheEnd(second.machine);
    expect(differences(first.machine, second.machine)).toEqual([]);
    expect(second.console).toEqual(first.console.slice(before));
    expect(second.machine.instructions).toBe(first.machine.instructions);
  });

  test('of a hypervisor whose guest has written CSRs goes back into the machine that it was made from', () => {
    const { machine } = start({ guest: [parseGuest('paging')] });
    machine.run(40_000_000);
    const snapshot = decodeSnapshot(encodeSnapshot(takeSnapshot(machine, 'x')), 'x');
    expect((Reflect.get(machine.cpus[0]!.writers, 'guests') as unknown[]).length).toBeGreaterThan(1);
    const at = machine.instructions;
    machine.run(1000);
    applySnapshot(machine, snapshot);
    expect(machine.instructions).toBe(at);
  });

  test('has what a debugger had seen of its VMs and vCPUs', async () => {
    const driven = await Driven.boot(['hello', 'paging']);
    const { control } = driven;
    while (control.vcpuStates.vms.all().length < 2) await driven.to('handle_exit');
    control.quit();
    const file = join(folder, 'seen');
    const store = snapshotStore(new ClientFiles(folder), () => ({}));
    await overTurns(store.save(control.machine, 'seen', control.observers));
    const cli = { ...DEFAULT_MACHINE, snapshot: file, quiet: true, serial: { kind: 'null' } as const };
    const second = await startMachine(undefined, { ...cli, gdb: { host: '127.0.0.1', port: 0 }, wait: true }, () => {});
    const { vcpuStates } = second.control;
    expect(vcpuStates.vms.all()).toHaveLength(2);
    expect(vcpuStates.vms.all()).toEqual(control.vcpuStates.vms.all());
    expect(vcpuStates.vcpus()).toEqual(control.vcpuStates.vcpus());
    second.control.quit();
    await second.done;

    const image = readSnapshot(file);
    const [states, vms, pages] = image.observers as [
      Record<string, unknown>,
      Record<string, unknown>,
      Record<string, unknown>,
    ];
    for (const observers of [
      [states, vms],
      [states, { ...vms, list: [{ number: 1 }] }, pages],
      [states, { ...vms, tenures: new Map([['0:1', [{ vm: 'one', since: 0 }]]]) }, pages],
      [{ ...states, current: [1] }, vms, pages],
      [{ ...states, byKey: new Map([['1.0', { state: new Uint8Array(8) }]]) }, vms, pages],
      [states, vms, { ...pages, ps: new Uint8Array(8) }],
    ]) {
      writeFileSync(file, zstdCompressSync(encodeSnapshot({ ...image, observers })));
      const before = saveFields(control.vcpuStates.vms);
      await expect(overTurns(store.load(control.machine, 'seen', control.observers))).rejects.toThrow(
        /what it says of its VMs is damaged/,
      );
      expect(saveFields(control.vcpuStates.vms)).toEqual(before);
      await expect(startMachine(undefined, cli, () => {})).rejects.toThrow(/what it says of its VMs is damaged/);
    }
  });

  test('a machine that was saved can be reset: the file has the image too', () => {
    const first = start({ guest: [parseGuest('hello')] });
    first.machine.run(100_000, 100_000);
    const file = join(folder, 'reset');
    saveSnapshot(first.machine, file);
    const second = start({ snapshot: file });
    second.machine.reset();
    toTheEnd(second.machine);
    expect(String.fromCharCode(...second.console)).toContain('Hello from a LoongArch guest');
  });

  test('handles of a shared folder are part of it', () => {
    const path = join(folder, 'shared');
    mkdirSync(path);
    const share = [{ folder: path, tag: 'host', readOnly: false }];
    const kernel = (machine: Machine): P9Client =>
      new P9Client(machine.options.cards!.map(virtioOf).find((kind) => kind instanceof VirtioP9)!);
    const first = start({ share });
    const c = kernel(first.machine);
    const root = c.attach();
    const [kept, gone] = [c.create(root, 'kept'), c.create(root, 'gone')];
    c.write(kept, 'one');
    const copy = first.machine.save();
    const file = join(folder, 'with-share');
    saveSnapshot(first.machine, file);

    // Back in time: what was open is open again, though it has lost its name since.
    c.unlink(root, 'gone');
    c.clunk(root);
    first.machine.restore(copy);
    c.write(gone, 'still there');
    expect(c.read(gone)).toBe('still there');
    expect(c.list(c.open(c.walk(root)))).toEqual(['.', '..', 'kept']);

    // In another process: what is there is found by its name.
    const second = start({ snapshot: file, share });
    const later = kernel(second.machine);
    later.fids = 100;
    later.write(kept, ' two', 3n);
    expect(readFileSync(join(path, 'kept'), 'utf8')).toBe('one two');
    expect(P9Client.errno(() => later.read(gone))).toBe(E.ESTALE);
    expect(P9Client.errno(() => later.attributes(gone))).toBe(E.ESTALE);
    expect(later.list(later.open(later.walk(root)))).toEqual(['.', '..', 'kept']);
    for (const machine of [first.machine, second.machine]) machine.reset();
    expect(P9Client.errno(() => later.read(kept))).toBe(E.EBADF);
  });

  test('changes of a disk with copy-on-write are part of it', () => {
    const disk = join(folder, 'disk');
    writeFileSync(disk, new Uint8Array(8192));
    const drive = [{ file: disk, readOnly: false, copyOnWrite: true }];
    const first = start({ drive });
    const file = join(folder, 'with-disk');
    saveSnapshot(first.machine, file);
    expect(differences(first.machine, start({ snapshot: file, drive }).machine)).toEqual([]);
    expect(() => start({ snapshot: file })).toThrow(/disk0.* in its slots.*give the same disks/);
  });
});

describe('files that are refused', () => {
  const { machine } = start({ guest: [parseGuest('hello')] });
  const good = join(folder, 'good');
  saveSnapshot(machine, good);
  const made = (name: string, bytes: Uint8Array): string => {
    const file = join(folder, name);
    writeFileSync(file, bytes);
    return file;
  };
  const altered = (change: (s: { -readonly [k in keyof MachineImage]: MachineImage[k] }) => void): Uint8Array => {
    const snapshot = { ...takeSnapshot(machine, '0.0.0') };
    change(snapshot);
    return zstdCompressSync(encodeSnapshot(snapshot));
  };

  test.each([
    ['missing', () => join(folder, 'nothing'), /cannot read .*ENOENT/],
    ['something else', () => made('else', new TextEncoder().encode('hello')), /is no snapshot, or damaged/],
    ['packed something else', () => made('packed', zstdCompressSync(Buffer.from('hello'))), /it is no snapshot/],
    ['cut short', () => made('cut', readFileSync(good).subarray(0, 1000)), /is no snapshot, or damaged/],
    [
      'of another version',
      () =>
        made(
          'version',
          altered(() => {}),
        ),
      /made by version 0\.0\.0/,
    ],
  ])('%s', (_, file, message) => {
    expect(() => readSnapshot(file())).toThrow(message);
  });

  test('of another machine', async () => {
    const other = start({ smp: 2, guest: [parseGuest('hello')] }).machine;
    const store = snapshotStore(new ClientFiles(folder), () => ({}));
    await expect(overTurns(store.load(other, 'good', []))).rejects.toThrow(/it has 1 CPUs, the machine 2/);
    const small = start({ memory: 128 * 2 ** 20, guest: [parseGuest('hello')] }).machine;
    await expect(overTurns(store.load(small, 'good', []))).rejects.toThrow(/256 MiB of RAM, the machine 128/);
    const scalar = start({ cpu: parseCpu('max,lasx=off'), guest: [parseGuest('hello')] }).machine;
    await expect(overTurns(store.load(scalar, 'good', []))).rejects.toThrow(/its CPUs have other features/);
    const board = start({ machine: 'ls3a5000', guest: [parseGuest('hello')] }).machine;
    await expect(overTurns(store.load(board, 'good', []))).rejects.toThrow(/it is a virt board, the machine ls3a5000/);
  });

  test('any damage is an error of its own, never a crash', () => {
    const bytes = encodeSnapshot(takeSnapshot(machine, 'x'));
    const length = new DataView(bytes.buffer).getUint32(12, true);
    fc.assert(
      fc.property(fc.nat(15 + length), fc.nat(255), (at, value) => {
        const damaged = bytes.slice();
        damaged[at] = value;
        try {
          decodeSnapshot(damaged, 'x');
        } catch (error) {
          expect((error as Error).constructor.name).toBe('SnapshotError');
        }
      }),
      { numRuns: 200 },
    );
  });

  test('a bit that has flipped anywhere in the file', () => {
    const bytes = readFileSync(good);
    const whole = encodeSnapshot(readSnapshot(good));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (at, bit) => {
        const damaged = Uint8Array.from(bytes);
        damaged[at]! ^= 1 << bit;
        const file = made('flipped', damaged);
        let read: MachineImage;
        try {
          read = readSnapshot(file);
        } catch (error) {
          expect((error as Error).message).toMatch(/flipped (is no snapshot, or damaged|cannot be loaded)/);
          return;
        }
        // Some bits of the packing's own header change nothing.
        expect(Buffer.compare(encodeSnapshot(read), whole)).toBe(0);
      }),
      { numRuns: 40 },
    );
  });
});
