/** Nothing that changes is forgotten by snapshots: each field of each part is saved, or said to be none of the state. */
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, describe, expect, test } from 'vitest';
import { boot } from '../../src/cli/boot.ts';
import { CopyOnWrite } from '../../src/cli/drives.ts';
import { DEFAULT_MACHINE, type MachineCli, parseGuest } from '../../src/cli/options.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { COMPUTER, type Surroundings } from '../../src/cli/surroundings.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { Machine } from '../../src/emu/machine/machine.ts';
import { CPU_STATE_BYTES } from '../../src/emu/memory/layout.ts';
import { DiskPast } from '../../src/emu/replay/disk-past.ts';
import { RecordedDisk, RepeatedDisk } from '../../src/emu/replay/recorded-disk.ts';
import type { Stateful, Wiring } from '../../src/emu/state/fields.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-parts-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** What the source says of a class. */
interface Declared {
  /** Fields of its own that are not `readonly`. */
  readonly variable: readonly string[];
  readonly stateful: boolean;
}

/** Every class of the program by name. */
function declaredClasses(): Map<string, Declared> {
  const found = new Map<string, Declared>();
  for (const file of globSync('src/**/*.ts', { cwd: PROJECT_ROOT })) {
    const path = join(PROJECT_ROOT, file);
    for (const statement of parseAst(readFileSync(path, 'utf8'), { lang: 'ts' }, path).body) {
      const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement;
      if (node?.type !== 'ClassDeclaration' || !node.id) continue;
      const fields = node.body.body.flatMap((m) =>
        m.type === 'PropertyDefinition' && !m.static && m.key.type === 'Identifier'
          ? [{ name: m.key.name, readonly: m.readonly === true }]
          : [],
      );
      // The library's Machine is a face of the one that has the state.
      if (found.get(node.id.name)?.stateful) continue;
      found.set(node.id.name, {
        variable: fields.filter((f) => !f.readonly).map((f) => f.name),
        stateful: fields.some((f) => f.name === 'stateFields'),
      });
    }
  }
  return found;
}
const declared = declaredClasses();

/** A class and those that it extends. */
function classesOf(part: object): { readonly name: string; readonly wiring: Wiring }[] {
  const out = [];
  for (let p: unknown = Object.getPrototypeOf(part); p !== Object.prototype && p; p = Object.getPrototypeOf(p)) {
    const own = (p as { constructor: { name: string; wiring?: Wiring } }).constructor;
    out.push({ name: own.name, wiring: Object.hasOwn(own, 'wiring') ? own.wiring! : {} });
  }
  return out;
}

/** What a class says about its own state. */
const LISTS = ['stateFields', 'sharedFields', 'stateChecks'];

const isStateful = (x: object): x is Stateful => 'stateFields' in x;
const isPlain = (x: object): boolean => Object.getPrototypeOf(x) === Object.prototype;

/** Can something in it be changed in place? Objects of classes are parts of their own. */
function isContainer(value: unknown): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (ArrayBuffer.isView(value) || value instanceof Map || value instanceof Set) return true;
  if (Array.isArray(value)) return value.length === 0 || value.some((x) => typeof x !== 'object' || isContainer(x));
  return isPlain(value) && Object.values(value).some(isContainer);
}

/** All objects of classes of the program that can be reached from some, themselves among them. */
function reachable(...roots: object[]): Set<object> {
  const seen = new Set<object>();
  const out = new Set<object>();
  const work: unknown[] = [...roots];
  for (;;) {
    const x = work.pop();
    if (x === undefined && work.length === 0) return out;
    if (x === null || typeof x !== 'object' || seen.has(x) || ArrayBuffer.isView(x)) continue;
    seen.add(x);
    if (x instanceof Map) work.push(...x.keys(), ...x.values());
    else if (x instanceof Set || Array.isArray(x)) work.push(...x);
    else if (isPlain(x) || declared.has(x.constructor?.name)) {
      if (!isPlain(x)) out.add(x);
      work.push(...Object.values(x));
    }
  }
}

/** A machine with every device, on PCI and without, that has run for a while. */
function machines(): Machine[] {
  const disk = join(folder, 'disk');
  writeFileSync(disk, new Uint8Array(8192));
  const cli: MachineCli = {
    ...DEFAULT_MACHINE,
    smp: 2,
    guest: [parseGuest('smp,vcpus=2')],
    drive: [
      { file: disk, readOnly: false, copyOnWrite: true },
      { file: disk, readOnly: true, copyOnWrite: false },
      { file: disk, readOnly: false, copyOnWrite: true, ahci: true },
    ],
    share: [{ folder, tag: 'share', readOnly: false }],
    net: { kind: 'loopback' },
    console: 'virtio',
    machine: 'ls3a5000',
  };
  // A machine that is recorded, and one that repeats it, have disks of other kinds.
  const repeated: Surroundings = {
    ...COMPUTER,
    drive: () => new RepeatedDisk({ size: 8192, readOnly: false }, []),
  };
  const recorded: Surroundings = {
    ...COMPUTER,
    drive: (spec, inSandbox) => {
      const drive = new RecordedDisk(COMPUTER.drive(spec, inSandbox), 0, { note: () => {}, keepsWrites: () => true });
      drive.begin();
      return drive;
    },
  };
  const kinds: readonly Partial<MachineCli>[] = [
    { virtio: 'pci' },
    { virtio: 'mmio' },
    { virtio: 'pci', surroundings: repeated },
    { virtio: 'pci', surroundings: recorded },
    // A debugger goes back in time with disks that are files.
    { virtio: 'pci', gdb: { path: 'none' }, drive: [{ file: disk, readOnly: false, copyOnWrite: false }] },
  ];
  return kinds.map((kind) => {
    const { machine } = boot(undefined, { ...cli, ...kind }, () => {});
    machine.run(1_500_000);
    return machine;
  });
}
const built = machines();
const controls = built.map((machine) => new RunControl(machine));
const parts = built.map((machine, n) => [...reachable(machine, controls[n]!.vcpuStates)]);
const stateful = parts.flat().filter(isStateful);

describe('fields of parts', () => {
  /** Fields that can change: those that the source does not call `readonly`, and those with something changeable in them. */
  function changeable(part: Stateful, machine: Machine): string[] {
    const variable = classesOf(part).flatMap((c) => declared.get(c.name)!.variable);
    const inState = (value: unknown): boolean =>
      ArrayBuffer.isView(value) &&
      value.buffer === machine.mem.memory.buffer &&
      machine.cpus.some(
        (c) => value.byteOffset >= c.base && value.byteOffset + value.byteLength <= c.base + CPU_STATE_BYTES,
      );
    // A CPU's page is saved as a whole.
    const held = Object.entries(part).filter(([, value]) => isContainer(value) && !inState(value));
    return [...new Set([...variable, ...held.map(([name]) => name)])].filter(
      (name) => !LISTS.includes(name) && !inState(Reflect.get(part, name)),
    );
  }

  test('each is saved, or listed as wiring', () => {
    const forgotten = new Set<string>();
    parts.forEach((list, n) => {
      for (const part of list.filter(isStateful)) {
        const wiring = Object.assign({}, ...classesOf(part).map((c) => c.wiring)) as Wiring;
        for (const name of changeable(part, built[n]!))
          if (!part.stateFields.includes(name) && !(name in wiring)) forgotten.add(`${part.constructor.name}.${name}`);
      }
    });
    expect([...forgotten]).toEqual([]);
  });

  test('what the lists name is there, and in one of them', () => {
    for (const part of stateful) {
      const { name } = part.constructor;
      for (const field of part.stateFields) expect(field in part, `${name}.${field}`).toBe(true);
      for (const { wiring } of classesOf(part))
        for (const field of Object.keys(wiring)) {
          expect(field in part, `${name}.${field}`).toBe(true);
          expect(part.stateFields, `${name}.${field}`).not.toContain(field);
        }
    }
  });
});

describe('parts of a machine', () => {
  test('every class with state has been looked at', () => {
    const seen = new Set(stateful.flatMap((part) => classesOf(part).map((c) => c.name)));
    const all = [...declared].filter(([, c]) => c.stateful).map(([name]) => name);
    expect(all.filter((name) => !seen.has(name))).toEqual([]);
  });

  test('every part that can be reached is saved', () => {
    built.forEach((machine, n) => {
      const own = [...reachable(machine)].filter(isStateful);
      // A recording has what is on the disk below; the past of a disk that is a file is in the copies of the history alone.
      const below = (x: Stateful): boolean =>
        x instanceof DiskPast || (x instanceof CopyOnWrite && own.some((y) => y instanceof RecordedDisk));
      expect([n, own.filter((x) => !below(x)).length]).toEqual([n, machine.save().parts.length]);
    });
  });

  /** Classes of objects in a machine that change and are not saved, each with its reason. */
  const UNSAVED: Readonly<Record<string, string>> = {
    Bus: 'the access under way',
    Descriptors: 'of the shared folder; found anew',
    Engine: 'what run control asks for, and the place in a run',
    FastTlb: 'a cache, emptied',
    Fpu: 'the operation under way',
    Loopback: 'connected once',
    MemoryAccess: 'the access under way, and hooks of run control',
    Omissions: 'what a log has told',
    P9Session: 'saved by the device that it belongs to',
    PageGuard: 'which pages the history has kept; it closes them with each copy',
    PendingPages: 'which pages get their content when they are used; who reads all of RAM makes them get it',
    Ram: 'which chunks are in linear memory; its content is saved',
    Regions: 'translated code, made anew',
    SharePast: 'the past of the history',
    SharedNode: 'of the shared folder; found anew',
    UopCache: 'decoded code, made anew',
    Watchpoints: 'made anew of CSRs',
  };

  test('what changes without being saved is known', () => {
    const changing = new Set(
      parts
        .flat()
        .filter((x) => !isStateful(x))
        .flatMap((x) => (classesOf(x).some((c) => declared.get(c.name)!.variable.length) ? [x.constructor.name] : [])),
    );
    expect([...changing].sort()).toEqual(Object.keys(UNSAVED).sort());
  });
});
