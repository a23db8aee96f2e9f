/** From the options of a QEMU command line to those of `run`. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { featuresOf } from '../../emu/cpu/features.ts';
import type { CharacterSpec } from '../character.ts';
import type { ControlSpec } from '../control/serve.ts';
import { UsageError } from '../errors.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../options.ts';
import { connectCards, connectLoads } from './connect.ts';
import { connectDevice } from './devices.ts';
import type { Draft } from './draft.ts';
import { logOf } from './log.ts';
import type { Properties } from './properties.ts';
import { type CardPlace, macOf, type QemuCard, Resolver } from './resolver.ts';

/** QEMU's own default of the board. */
const MEMORY = 2 ** 30;

/** A machine that a QEMU command line describes. */
export interface QemuMachine {
  readonly image: string | undefined;
  readonly cli: MachineCli;
  /** Write the device tree to this file, and do nothing else. */
  readonly dumpDtb: string | undefined;
  readonly pidFile: string | undefined;
  readonly warnings: readonly string[];
}

/** Where a card without a -device sits: beside the others. */
const ownPlace = (r: Resolver): CardPlace => ({
  bus: r.cards.some((c) => c.bus === 'mmio') ? 'mmio' : 'pci',
  interfaces: 'transitional',
  slot: undefined,
});

/** The objects of -object. @throws UsageError */
function objects(d: Draft): void {
  for (const p of d.objects) object(d, p);
}

function object(d: Draft, p: Properties): void {
  const id = p.get('id')!;
  const kind = p.get('qom-type') ?? '';
  switch (kind) {
    case 'memory-backend-ram': {
      const size = p.size('size');
      p.without('prealloc', 'merge', 'dump', 'share', 'host-nodes', 'policy', 'reserve').done();
      if (id !== d.memoryBackend) throw p.error(`nothing uses '${id}': add -machine virt,memory-backend=${id}`);
      if (size === undefined) throw p.error('size= is missing: add it');
      if (d.memory !== undefined && d.memory !== size) throw p.error(`size= and -m differ: correct one of them`);
      d.memory = size;
      return;
    }
    case 'rng-random':
    case 'rng-builtin':
      // The numbers of the device follow from the seed, so that runs repeat.
      p.without('filename').done();
      return;
    case 'iothread':
      p.done();
      return;
    case 'filter-dump':
      return;
    default:
      throw p.error(`there is no ${kind} here: use memory-backend-ram, rng-random or filter-dump`);
  }
}

/** Everything that has a name must have a use. @throws UsageError */
function checkUses(r: Resolver): void {
  const { draft: d } = r;
  const unused = (kind: string, ids: Iterable<string>): string | undefined => [...ids].find((id) => !r.has(kind, id));
  const line = unused('chardev', d.chardevs.keys());
  if (line !== undefined)
    throw new UsageError(`qemu: -chardev id=${line}: nothing uses it: add -serial chardev:${line}`);
  const folder = unused('folder', d.folderDevices.keys());
  if (folder !== undefined)
    throw new UsageError(`qemu: -fsdev id=${folder}: no device uses it: add -device virtio-9p-pci,fsdev=${folder}`);
  const backend = d.memoryBackend;
  if (backend !== undefined && !d.ids.has(`object ${backend}`))
    throw new UsageError(
      `qemu: -machine memory-backend=${backend}: there is no such object: add -object memory-backend-ram,id=${backend},size=SIZE`,
    );
}

/** Every capture belongs to a network. @throws UsageError */
function checkCaptures(d: Draft): void {
  for (const p of d.objects) {
    if (p.get('qom-type') !== 'filter-dump') continue;
    const netdev = p.need('netdev', 'netdev=ID');
    if (!d.netdevs.some((n) => n.id === netdev))
      throw p.error(`there is no network '${netdev}': add -netdev user,id=${netdev}`);
  }
}

/** Disks without a -device come behind those with one, in the order of their options, as in QEMU. */
function ownDisks(r: Resolver): void {
  for (const drive of r.draft.drives) {
    if (drive.bus === 'virtio') r.cards.push({ kind: 'block', drive, ...ownPlace(r) });
    else if (drive.bus === 'none' && !r.has('drive', drive.id))
      r.warnings.push(
        `${drive.option} id=${drive.id}: no device uses it: add -device virtio-blk-pci,drive=${drive.id}`,
      );
  }
}

/** Cards without a -device come first; QEMU has one of its own when no option is about networks. @throws UsageError */
function ownNics(r: Resolver): void {
  const { draft } = r;
  const hub = draft.netdevs.find((n) => n.option === '-net');
  const silent = !draft.noDefaults && !draft.noNetwork && draft.netdevs.length === 0 && draft.nics.length === 0;
  const none = { network: undefined, mac: undefined, capture: undefined };
  if (silent && !r.cards.some((c) => c.kind === 'net')) r.cards.unshift({ kind: 'net', ...none, ...ownPlace(r) });
  const nics = draft.nics.map((nic): QemuCard => {
    const joined = nic.network?.kind === 'hub' && nic.netdev === undefined ? hub?.network : nic.network;
    const network = nic.netdev === undefined ? joined : r.network(nic.option, nic.netdev);
    const capture = r.capture(nic.netdev ?? (joined === hub?.network ? hub?.id : undefined));
    return { kind: 'net', network, mac: macOf(nic.option, nic.mac), capture, ...ownPlace(r) };
  });
  r.cards.unshift(...nics);
  for (const n of draft.netdevs) {
    const used = n === hub ? draft.nics.some((c) => c.network?.kind === 'hub') : r.has('network', n.id);
    if (!used) r.warnings.push(`${n.option} id=${n.id}: no card uses it: add -device virtio-net-pci,netdev=${n.id}`);
  }
  if (draft.noNetwork && r.cards.some((c) => c.kind === 'net'))
    throw new UsageError('qemu: -nic none and a network card contradict each other: leave one of them out');
}

/** The file of -bios, also in the folders of -L. */
function findFirmware(d: Draft, file: string): string {
  if (existsSync(file) || file.includes('/')) return file;
  return d.folders.map((folder) => join(folder, file)).find((f) => existsSync(f)) ?? file;
}

/** @throws UsageError */
function firmwareOf(r: Resolver): string | undefined {
  const d = r.draft;
  const flash = d.drives.filter((x) => x.bus === 'pflash');
  const [code, variables] = [0, 1].map((unit) => flash.find((x, n) => (x.unit ?? n) === unit));
  if (variables) r.warnings.push(`${variables.option}: firmware begins without variables in this version`);
  const more = flash.find((x, n) => (x.unit ?? n) > 1);
  if (more) throw new UsageError(`qemu: ${more.option}: the board has two flash units: use unit=0 or unit=1`);
  if (d.bios !== undefined && code)
    throw new UsageError('qemu: -bios and -drive if=pflash both give the firmware: leave one of them out');
  return code?.file ?? (d.bios === undefined ? undefined : findFirmware(d, d.bios));
}

/** @throws UsageError for options of a kernel without one */
function checkKernelOptions(d: Draft, starts: boolean): void {
  for (const option of ['append', 'initrd', 'dtb'] as const)
    if (d[option] !== undefined && d.kernel === undefined && option !== 'dtb')
      throw new UsageError(`qemu: -${option} without a kernel: add -kernel FILE`);
  if (!starts && d.dumpDtb === undefined)
    throw new UsageError('qemu: nothing to start: add -kernel FILE or -bios FILE');
}

/** What is behind the serial line, and the connections that control the machine. @throws UsageError */
function linesOf(d: Draft, r: Resolver): { readonly serial: CharacterSpec; readonly controls: readonly ControlSpec[] } {
  const [first, ...more] = d.serials;
  const other = more.find((s) => s.kind !== 'none' && s.kind !== 'null');
  if (other)
    throw new UsageError('qemu: -serial: one serial line is connected, and a second one is given: leave it out');
  const console = r.virtioConsole;
  const uart = first === undefined ? undefined : r.character('-serial', first);
  if (console && uart && uart.kind !== 'null')
    throw new UsageError('qemu: a virtio console and a serial line both want the terminal: add -serial none');
  const serial = console ?? uart ?? (first === undefined && !console ? { kind: 'stdio' } : { kind: 'null' });
  const controls: ControlSpec[] = [];
  for (const c of d.controls) {
    const character = r.character(c.option, c.character);
    if (!character || character.kind === 'null') continue;
    if (character.kind === 'file')
      throw new UsageError(`qemu: ${c.option}: a file cannot be talked to: use unix:PATH,server,nowait`);
    controls.push({ protocol: c.protocol, option: c.option, character });
  }
  const terminals = [serial, ...controls.map((c) => c.character)].filter((c) => c.kind === 'stdio');
  if (terminals.length > 1)
    throw new UsageError(
      'qemu: the terminal belongs to the serial line already: add -serial null, or use unix:PATH,server,nowait',
    );
  return { serial, controls };
}

/** Finds what the options refer to. @throws UsageError for options that refer to what is not there */
export function resolve(d: Draft): Resolver {
  objects(d);
  checkCaptures(d);
  const r = new Resolver(d);
  for (const p of d.devices) {
    const name = p.get('driver') ?? '';
    const named = p.named(`-device ${name}`);
    const id = named.get('id');
    if (id !== undefined) {
      if (d.ids.has(`device ${id}`)) throw named.error(`another device has the id '${id}' already: rename one of them`);
      d.ids.set(`device ${id}`, named.option);
    }
    connectDevice(r, named, name);
  }
  r.placeSata();
  ownDisks(r);
  ownNics(r);
  return r;
}

/**
 * The machine that the options describe.
 * @throws UsageError for options that contradict each other or refer to what is not there
 */
export function translate(d: Draft): QemuMachine {
  const r = resolve(d);
  const { serial, controls } = linesOf(d, r);
  checkUses(r);
  const firmware = firmwareOf(r);
  const loads = connectLoads(r);
  if (loads.image !== undefined && (d.kernel !== undefined || firmware !== undefined))
    throw new UsageError(`qemu: -device loader,cpu-num=0: ${d.kernel ?? firmware} starts already: leave cpu-num= out`);
  const image = d.kernel ?? loads.image;
  checkKernelOptions(d, image !== undefined || firmware !== undefined);
  if (d.stopped && d.gdb === undefined && controls.length === 0)
    throw new UsageError('qemu: -S without anybody who could start the machine: add -s or -qmp');
  if (d.history !== undefined && !d.instructionClock)
    throw new UsageError('qemu: -history: runs in real time do not repeat: add -icount shift=0');
  if (d.record !== undefined && !d.instructionClock)
    throw new UsageError('qemu: -record: runs in real time do not repeat: add -icount shift=0');
  const { log, missing } = logOf(d);
  if (missing.length > 0) r.warnings.push(`-d ${missing.join(',')}: no such log is kept in this version`);
  const cli: MachineCli = {
    ...DEFAULT_MACHINE,
    memory: d.memory ?? MEMORY,
    smp: d.cpus ?? 1,
    cpu: d.cpu ?? featuresOf('la464'),
    serial,
    reboot: !d.noReboot,
    sandbox: d.sandbox,
    clock: d.instructionClock ? 'virtual' : 'host',
    ...(d.topology && { topology: d.topology }),
    ...(d.stopped && { wait: true }),
    ...(controls.length > 0 && { controls, identity: { name: d.name, uuid: d.uuid } }),
    ...(d.noShutdown && { keep: true }),
    ...(d.append !== undefined && { append: d.append }),
    ...(d.initrd !== undefined && { initrd: d.initrd }),
    ...(d.dtb !== undefined && { dtb: d.dtb }),
    ...(firmware !== undefined && { firmware }),
    ...(d.gdb !== undefined && { gdb: d.gdb }),
    ...(d.history !== undefined && { history: d.history }),
    ...(d.record !== undefined && { record: d.record }),
    ...loads.cli,
    ...connectCards(r),
    ...(log && { log }),
    ...(d.fwCfg.length > 0 && { fwCfg: fwCfgItems(d) }),
    ...(d.timeBase !== undefined && d.timeBase !== 'utc' && { timeOfDay: startTime(d.timeBase) }),
  };
  return {
    image,
    cli,
    dumpDtb: d.dumpDtb,
    pidFile: d.pidFile,
    warnings: r.warnings,
  };
}

/** Milliseconds since 1970 that the clock of the board shows. Local time is shown as if it were UTC. */
function startTime(base: 'localtime' | { readonly milliseconds: number }): number {
  if (base !== 'localtime') return base.milliseconds;
  const now = new Date();
  return now.getTime() - now.getTimezoneOffset() * 60_000;
}

/** @throws UsageError when a file cannot be read */
function fwCfgItems(d: Draft): readonly (readonly [string, Uint8Array])[] {
  return d.fwCfg.map(({ name, source }) => {
    if ('text' in source) return [name, new TextEncoder().encode(source.text)] as const;
    try {
      return [name, new Uint8Array(readFileSync(source.file))] as const;
    } catch (error) {
      throw new UsageError(
        `qemu: -fw_cfg: cannot read ${source.file} (${(error as NodeJS.ErrnoException).code}): check the path`,
      );
    }
  });
}
