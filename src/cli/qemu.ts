/**
 * `loongscope qemu …`: the command line of qemu-system-loongarch64, as the run scripts of kernels and hypervisors use it, mapped
 * to the options of `run`. An option without a meaning here is accepted when it can be ignored; otherwise it is refused by name.
 */
import { type CardSpec, interfacesOf, placeSata, slotOf, virtioByName } from './cards.ts';
import { type DriveSpec, parseDrive } from './drives.ts';
import { say } from './ending.ts';
import { UsageError } from './errors.ts';
import type { NetSpec } from './net/spec.ts';
import {
  DEFAULT_MACHINE,
  type MachineCli,
  parseAddress,
  parseCpu,
  parseInteger,
  parseSerial,
  parseSize,
} from './options.ts';

/** QEMU's own defaults of the board. */
const MEMORY = 2 ** 30;
const CPU = 'la464';
const MIB = 2 ** 20;
const GDB_PORT = 1234;

/** The machine that the options have described so far. */
interface Draft {
  kernel: string | undefined;
  append: string | undefined;
  initrd: string | undefined;
  firmware: string | undefined;
  memory: number;
  smp: number;
  cpu: string;
  serial: string;
  gdb: string | undefined;
  wait: boolean;
  noReboot: boolean;
  sandbox: boolean;
  copyOnWrite: boolean;
  /** Drives by name, whether a device uses them, and whether they are to have one in any case. */
  readonly drives: Map<string, { spec: DriveSpec; used: boolean; inSlot: boolean }>;
  /** Networks by name. */
  readonly networks: Map<string, NetSpec>;
  /** The board has a network card unless an option speaks of networks. */
  defaultNet: boolean;
  /** The cards of -device, in their order. Drives and networks may follow, so they are looked up at the end. */
  readonly cards: (() => CardSpec)[];
  /** Serial ATA controllers by name, and disks: the drive, and the bus that each asks for. */
  readonly controllers: string[];
  readonly sata: { readonly drive: string; readonly bus: string | undefined }[];
}

/** `key=value` parts behind an optional first word. */
function properties(text: string): { readonly first: string; readonly get: (key: string) => string | undefined } {
  const parts = text.split(',');
  const pairs = new Map(
    parts.filter((p) => p.includes('=')).map((p) => [p.slice(0, p.indexOf('=')), p.slice(p.indexOf('=') + 1)]),
  );
  return { first: parts[0]!.includes('=') ? '' : parts[0]!, get: (key) => pairs.get(key) };
}

const unknown = (option: string, value: string, use: string): UsageError =>
  new UsageError(`qemu: -${option}: '${value}' is not known: ${use}`);

function machine(text: string): void {
  const { first, get } = properties(text);
  const type = first || get('type') || '';
  if (type !== 'virt' && !/^virt-\d/.test(type)) throw unknown('machine', type, 'use virt');
}

/** A number without a unit is in MiB, as in QEMU. */
function memory(d: Draft, text: string): void {
  const { first, get } = properties(text);
  const size = get('size') ?? first;
  d.memory = /^\d+$/.test(size) ? Number(size) * MIB : parseSize(size, 'qemu: -m');
}

function smp(d: Draft, text: string): void {
  const { first, get } = properties(text);
  d.smp = parseInteger(get('cpus') ?? first, 'qemu: -smp', 1, 8);
}

function serial(d: Draft, text: string): void {
  if (text === 'stdio' || text === 'mon:stdio') d.serial = 'stdio';
  else if (text === 'null' || text === 'none') d.serial = 'null';
  else d.serial = text;
}

function gdb(d: Draft, text: string): void {
  const tcp = /^tcp:([^,]*?):(\d+)/.exec(text);
  if (!tcp) throw unknown('gdb', text, 'use tcp::PORT');
  d.gdb = tcp[1] ? `${tcp[1]}:${tcp[2]}` : tcp[2];
}

function drive(d: Draft, text: string): void {
  const { get } = properties(text);
  if (get('if') === 'pflash') {
    const file = get('file');
    const unit = get('unit') ?? (d.firmware === undefined ? '0' : '1');
    if (unit !== '0') say('warning: qemu: -drive if=pflash,unit=1: firmware begins without variables in this version');
    else if (file !== undefined) d.firmware = file;
    return;
  }
  const name = get('id') ?? `drive${d.drives.size}`;
  d.drives.set(name, { spec: parseDrive(text), used: false, inSlot: get('if') !== 'none' });
}

function network(d: Draft, text: string): void {
  const { first, get } = properties(text);
  const id = get('id') ?? 'net';
  d.defaultNet = false;
  if (first === 'user' || first === 'tap' || first === 'bridge') {
    say(`warning: qemu: -netdev ${first}: nothing is at the other end of the network in this version`);
    d.networks.set(id, { kind: 'isolated' });
  } else throw unknown('netdev', first, 'use user');
}

function share(d: Draft, text: string): void {
  const { first, get } = properties(text);
  const folder = get('path');
  if (first !== 'local' || folder === undefined) throw unknown('virtfs', text, 'use local,path=FOLDER,mount_tag=NAME');
  const spec = { folder, tag: get('mount_tag') ?? 'host', readOnly: /,readonly(=on)?(,|$)/.test(text) };
  d.cards.push(() => ({ kind: 'share', share: spec }));
}

/** Devices by QEMU's names. */
function device(d: Draft, text: string): void {
  const { first, get } = properties(text);
  const virtio = virtioByName(first);
  if (virtio) {
    const interfaces = interfacesOf(first, get('disable-legacy'), get('disable-modern'));
    const place = { interfaces, slot: slotOf(first, get('addr')) };
    switch (virtio.kind) {
      case 'block':
        d.cards.push(() => ({ kind: 'block', drive: driveNamed(d, first, get('drive') ?? ''), ...place }));
        return;
      case 'net':
        d.cards.push(() => ({ kind: 'net', net: networkNamed(d, first, get('netdev')), ...place }));
        return;
      case 'entropy':
        d.cards.push(() => ({ kind: 'entropy', ...place }));
        return;
      case 'console':
      case 'share':
        break;
    }
  }
  if (first === 'ahci' || first === 'ich9-ahci') {
    const place = slotOf(first, get('addr'));
    const id = get('id') ?? 'ide';
    d.controllers.push(id);
    d.cards.push(() => ({ kind: 'ahci', disks: sataDisks(d).get(id)!, slot: place }));
    return;
  }
  if (first === 'ide-hd') {
    d.sata.push({ drive: get('drive') ?? '', bus: get('bus') });
    return;
  }
  if (first === 'virtio-balloon-pci' || first === 'virtio-balloon')
    throw new UsageError(`qemu: -device ${first}: RAM that the guest does not touch costs nothing here: leave it out`);
  throw unknown('device', first, 'use virtio-blk-pci, virtio-net-pci, virtio-rng-pci, or ahci with ide-hd');
}

/** Serial ATA disks by controller and port. */
const sataDisks = (d: Draft): ReturnType<typeof placeSata<DriveSpec>> =>
  placeSata(
    d.controllers,
    d.sata.map(({ drive, bus }) => ({ bus, disk: sataDisk(driveNamed(d, 'ide-hd', drive), drive) })),
  );

function sataDisk(spec: DriveSpec, name: string): DriveSpec {
  if (spec.readOnly)
    throw new UsageError(`qemu: -device ide-hd: drive '${name}' is read-only: use snapshot=on, or virtio-blk-pci`);
  return spec;
}

/** The drive that a device takes. Its changes stay in memory with -snapshot. */
function driveNamed(d: Draft, device: string, name: string): DriveSpec {
  const found = d.drives.get(name);
  if (!found) throw new UsageError(`qemu: -device ${device}: there is no drive '${name}': add -drive id=${name},…`);
  found.used = true;
  return contentOf(d, found.spec);
}

const contentOf = (d: Draft, spec: DriveSpec): DriveSpec => ({
  ...spec,
  copyOnWrite: spec.copyOnWrite || (d.copyOnWrite && !spec.readOnly),
});

function networkNamed(d: Draft, device: string, name: string | undefined): NetSpec {
  const found = name === undefined ? ({ kind: 'isolated' } as const) : d.networks.get(name);
  if (!found) throw new UsageError(`qemu: -device ${device}: there is no network '${name}': add -netdev …,id=${name}`);
  return found;
}

/**
 * The cards in QEMU's order: the network card of the board, those of -device as they are written, disks of -drive without a device.
 */
function cardsOf(d: Draft): CardSpec[] {
  // A disk whose controller is not there is an error, too.
  sataDisks(d);
  const asked = d.cards.map((card) => card());
  const net: CardSpec[] = d.defaultNet ? [{ kind: 'net', net: { kind: 'isolated' } }] : [];
  const disks = [...d.drives.values()].filter((x) => !x.used && x.inSlot);
  return [...net, ...asked, ...disks.map(({ spec }): CardSpec => ({ kind: 'block', drive: contentOf(d, spec) }))];
}

type Option = { readonly takes: 0 | 1; readonly apply: (d: Draft, value: string) => void };
const flag = (apply: (d: Draft) => void = () => {}): Option => ({ takes: 0, apply });
const value = (apply: (d: Draft, value: string) => void = () => {}): Option => ({ takes: 1, apply });

/** The supported options, by name. */
const OPTIONS: Readonly<Record<string, Option>> = {
  M: value((_, v) => machine(v)),
  machine: value((_, v) => machine(v)),
  m: value(memory),
  smp: value(smp),
  cpu: value((d, v) => {
    d.cpu = v;
  }),
  kernel: value((d, v) => {
    d.kernel = v;
  }),
  append: value((d, v) => {
    d.append = v;
  }),
  initrd: value((d, v) => {
    d.initrd = v;
  }),
  bios: value((d, v) => {
    d.firmware = v;
  }),
  serial: value(serial),
  drive: value(drive),
  device: value(device),
  netdev: value(network),
  nic: value((d, v) => {
    d.defaultNet = false;
    if (v !== 'none') throw unknown('nic', v, 'use -netdev and -device virtio-net-pci, or none');
  }),
  net: value((d, v) => {
    d.defaultNet = false;
    if (v !== 'none') throw unknown('net', v, 'use -netdev and -device virtio-net-pci, or none');
  }),
  virtfs: value(share),
  gdb: value(gdb),
  s: flag((d) => {
    d.gdb = `${GDB_PORT}`;
  }),
  S: flag((d) => {
    d.wait = true;
  }),
  snapshot: flag((d) => {
    d.copyOnWrite = true;
  }),
  sandbox: value((d, text) => {
    d.sandbox = !/^off/.test(text);
  }),
  'no-sandbox': flag((d) => {
    d.sandbox = false;
  }),
  'no-reboot': flag((d) => {
    d.noReboot = true;
  }),
  nographic: flag(),
  nodefaults: flag((d) => {
    d.defaultNet = false;
  }),
  'no-shutdown': flag(),
  display: value(),
  vga: value(),
  monitor: value(),
  accel: value(),
  rtc: value(),
  name: value(),
  icount: value(),
  parallel: value(),
};

/** @throws UsageError that names an option which is not supported */
export function parseQemu(args: readonly string[]): { readonly image: string | undefined; readonly cli: MachineCli } {
  const d: Draft = {
    kernel: undefined,
    append: undefined,
    initrd: undefined,
    firmware: undefined,
    memory: MEMORY,
    smp: 1,
    cpu: CPU,
    serial: 'stdio',
    gdb: undefined,
    wait: false,
    noReboot: false,
    sandbox: true,
    copyOnWrite: false,
    drives: new Map(),
    networks: new Map(),
    defaultNet: true,
    cards: [],
    controllers: [],
    sata: [],
  };
  for (let n = 0; n < args.length; n++) {
    const arg = args[n]!;
    const option = OPTIONS[arg.replace(/^--?/, '')];
    if (!arg.startsWith('-') || !option)
      throw new UsageError(`qemu: '${arg}' is not understood: leave it out, or use the options of loongscope run`);
    if (option.takes === 1 && n + 1 >= args.length) throw new UsageError(`qemu: ${arg} wants a value: give one`);
    option.apply(d, option.takes === 1 ? args[++n]! : '');
  }
  return {
    image: d.kernel,
    cli: {
      ...DEFAULT_MACHINE,
      memory: d.memory,
      smp: d.smp,
      cpu: parseCpu(d.cpu),
      serial: parseSerial(d.serial),
      wait: d.wait,
      reboot: !d.noReboot,
      sandbox: d.sandbox,
      ...(d.append !== undefined && { append: d.append }),
      ...(d.initrd !== undefined && { initrd: d.initrd }),
      ...(d.firmware !== undefined && { firmware: d.firmware }),
      ...(d.gdb !== undefined && { gdb: parseAddress(d.gdb, 'qemu: -gdb') }),
      cards: cardsOf(d),
    },
  };
}
