/**
 * The options of qemu-system-loongarch64: what each does here, which ones change nothing here, and which ones cannot be served. The help
 * and the table in docs/qemu-options.md are made of these rows.
 */
import { UsageError } from '../errors.ts';
import { parseHistory } from '../options.ts';
import { chardev, gdb, mon, monitor, qmp, serial } from './characters.ts';
import { type Draft, once, takeId } from './draft.ts';
import { blockdev, drive, fsdev, numbered, pflash, virtfs } from './drives.ts';
import { logItems } from './log.ts';
import { net, netdev, nic } from './networks.ts';
import { accel, cpu, machine, memory, smp } from './processors.ts';
import { Properties } from './properties.ts';
import { timeBase } from './time.ts';

export type OptionGroup =
  | 'The machine'
  | 'What it starts'
  | 'Disks and folders'
  | 'Network'
  | 'Serial lines and control'
  | 'Debugging'
  | 'The emulator';

export interface OptionRow {
  /** Names without the dash, the usual one first. */
  readonly names: readonly [string, ...string[]];
  /** The form of its value; undefined: it has none. */
  readonly form: string | undefined;
  readonly group: OptionGroup;
  /** What it does, why it changes nothing, or what to do instead. */
  readonly text: string;
  readonly kind: 'served' | 'without effect' | 'refused';
  readonly apply: (d: Draft, value: string) => void;
}

type Names = string | readonly [string, ...string[]];
const namesOf = (names: Names): readonly [string, ...string[]] => (typeof names === 'string' ? [names] : names);

/** Rows of a group. */
function group(of: OptionGroup): {
  value(names: Names, form: string, text: string, apply: (d: Draft, value: string) => void): OptionRow;
  flag(names: Names, text: string, apply: (d: Draft) => void): OptionRow;
  without(names: Names, form: string | undefined, text: string, check?: (value: string) => void): OptionRow;
  refused(names: Names, text: string): OptionRow;
} {
  return {
    value: (names, form, text, apply) => ({ names: namesOf(names), form, group: of, text, kind: 'served', apply }),
    flag: (names, text, apply) => ({ names: namesOf(names), form: undefined, group: of, text, kind: 'served', apply }),
    without: (names, form, text, check = () => {}) => ({
      ...{ names: namesOf(names), form, group: of, text, kind: 'without effect' },
      apply: (_, value) => check(value),
    }),
    refused: (names, text) => ({
      ...{ names: namesOf(names), form: undefined, group: of, text, kind: 'refused' },
      apply: () => {
        throw new UsageError(`qemu: -${namesOf(names)[0]}: ${text}`);
      },
    }),
  };
}

/** The keys of {@link Draft} that hold one text. */
type TextKey = 'kernel' | 'append' | 'initrd' | 'dtb' | 'bios' | 'name' | 'uuid' | 'pidFile' | 'logFile';

/** Sets a text that may be given once. */
const text =
  (key: TextKey, option: string) =>
  (d: Draft, value: string): void => {
    d[key] = once(d, option, value);
  };

/** A check that a value is the only one that means nothing here. */
const only =
  (option: string, good: RegExp, advice: string) =>
  (value: string): void => {
    if (!good.test(value)) throw new UsageError(`qemu: -${option} ${value}: ${advice}`);
  };

const NO_SCREEN = 'there is no screen: use -nographic or -display none';
const HOTPLUG = 'it is for machines that are moved while they run: leave it out';

/** Instructions as time. @throws UsageError */
function icount(d: Draft, value: string): void {
  const p = new Properties('-icount', value, 'shift');
  const [rr, file] = [p.get('rr'), p.get('rrfile')];
  if (rr === 'replay')
    throw p.error(`rr=replay: use loongscope replay ${file ?? 'FILE'}, which knows the machine from the recording`);
  if (rr !== undefined && rr !== 'record') throw p.error(`rr=${rr} is not known: use rr=record,rrfile=FILE`);
  if ((rr === undefined) !== (file === undefined)) throw p.error('rr=record and rrfile=FILE go together');
  if (p.get('rrsnapshot') !== undefined)
    throw p.error('rrsnapshot=: a recording has states of its own to go back to: leave it out');
  if (file !== undefined) d.record = once(d, 'record', file);
  // An instruction is one tick of the counter, at 100 MHz. QEMU can give it another length.
  p.without('shift', 'align', 'sleep').done();
  d.instructionClock = true;
}

/** An item for firmware and kernels. @throws UsageError */
function fwCfg(d: Draft, value: string): void {
  const p = new Properties('-fw_cfg', value, 'name');
  const name = p.need('name', 'name=opt/…');
  const [content, file] = [p.get('string'), p.get('file')];
  p.done();
  if ((content === undefined) === (file === undefined)) throw p.error('give either string= or file=');
  if (name.length > 55) throw p.error(`the name '${name}' is longer than 55 characters: shorten it`);
  takeId(d, 'fw_cfg item', name, '-fw_cfg');
  d.fwCfg.push({ name, source: content === undefined ? { file: file! } : { text: content } });
}

/** What happens at a reset, a power-off, a panic. @throws UsageError */
function action(d: Draft, value: string): void {
  const p = new Properties('-action', value);
  const choose = (key: string, values: readonly string[]): string | undefined => {
    p.only(key, values, `use ${values.join(' or ')}`);
    return p.get(key);
  };
  if (choose('reboot', ['reset', 'shutdown']) === 'shutdown') d.noReboot = true;
  if (choose('shutdown', ['poweroff', 'pause']) === 'pause') d.noShutdown = true;
  // The board has no panic device and no watchdog, so these never happen.
  p.without('panic', 'watchdog').done();
}

/** @throws UsageError */
function object(d: Draft, value: string): void {
  const p = new Properties('-object', value, 'qom-type');
  takeId(d, 'object', p.need('id', 'id=NAME'), '-object');
  d.objects.push(p);
}

/** @throws UsageError */
function uuid(d: Draft, value: string): void {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(value))
    throw new UsageError(`qemu: -uuid: '${value}' is no UUID: write 8-4-4-4-12 hexadecimal digits`);
  d.uuid = once(d, 'uuid', value.toLowerCase());
}

const of = {
  machine: group('The machine'),
  start: group('What it starts'),
  disks: group('Disks and folders'),
  network: group('Network'),
  lines: group('Serial lines and control'),
  debug: group('Debugging'),
  program: group('The emulator'),
} as const;

/** Options that are answered with a text instead of a machine. */
export const ANSWERS: readonly { readonly names: readonly [string, ...string[]]; readonly text: string }[] = [
  { names: ['help', 'h'], text: 'this list' },
  { names: ['version'], text: 'the version' },
];

/** Every option that is known. */
export const OPTIONS: readonly OptionRow[] = [
  of.machine.value(
    ['machine', 'M'],
    'virt[,dumpdtb=FILE][,…]',
    'the board; dumpdtb writes its device tree and ends',
    machine,
  ),
  of.machine.value('cpu', 'MODEL[,FEATURE=on|off]…', 'la464 (default) or max', cpu),
  of.machine.value('smp', '[cpus=]N[,sockets=N][,cores=N][,threads=N]', 'CPUs, up to 16', smp),
  of.machine.value('m', '[size=]SIZE', 'RAM, in MiB without a unit (default: 1G)', memory),
  of.machine.value('accel', 'tcg', 'the translator; there is no other', accel),
  of.machine.value('device', 'DRIVER[,KEY=VALUE]…', 'a device, from the list below', (d, v) => {
    d.devices.push(new Properties('-device', v, 'driver'));
  }),
  of.machine.value('object', 'TYPE,id=ID[,…]', 'memory-backend-ram, rng-random, filter-dump, iothread', object),
  of.machine.value(
    'fw_cfg',
    '[name=]NAME,string=TEXT|file=FILE',
    'an item of the firmware configuration device',
    fwCfg,
  ),
  of.machine.value('rtc', 'base=utc|localtime|DATE', 'the time of day at the start', timeBase),
  of.machine.value(
    'icount',
    'shift=N[,rr=record,rrfile=FILE]',
    'instructions are time: runs repeat bit for bit, and gdb goes back; a recording is for loongscope replay',
    icount,
  ),
  of.machine.value('uuid', 'UUID', 'the identity of the machine, for QMP', uuid),
  of.machine.flag('nodefaults', 'no network card unless an option asks for one', (d) => {
    d.noDefaults = true;
  }),
  of.machine.without('nographic', undefined, 'the serial line is the terminal in any case'),
  of.machine.without('display', 'none', 'there is no screen', only('display', /^none$/, NO_SCREEN)),
  of.machine.without('vga', 'none', 'there is no screen', only('vga', /^none$/, NO_SCREEN)),
  of.machine.without('k', 'LAYOUT', 'there is no keyboard but the terminal'),
  of.machine.without('enable-fips', undefined, 'nothing is encrypted'),
  of.machine.without('audio', 'none', 'there is no sound', only('audio', /^none\b/, 'there is no sound: leave it out')),
  of.machine.without(
    'audiodev',
    'none,id=ID',
    'there is no sound',
    only('audiodev', /^(driver=)?none\b|"driver":\s*"none"/, 'there is no sound: leave it out'),
  ),
  of.machine.without('mem-prealloc', undefined, 'RAM takes memory of your computer when it is touched'),
  of.machine.without(
    'overcommit',
    'mem-lock=off',
    'RAM takes memory of your computer when it is touched',
    only('overcommit', /^(mem-lock=off|cpu-pm=off)$/, 'memory is never locked: leave it out'),
  ),
  of.machine.without('no-hpet', undefined, 'the board has none'),
  of.machine.without('usb', undefined, 'the board has no USB, and no device asks for it'),
  of.machine.refused('numa', 'all memory is one node: leave it out'),
  of.machine.refused('mem-path', 'RAM is not in a file: leave it out'),
  of.machine.refused(['enable-kvm', 'no-kvm'], 'there is no KVM: leave it out'),
  of.machine.refused('no-acpi', 'the ACPI tables are always there: leave it out'),
  of.machine.refused('acpitable', 'the ACPI tables are those of the board: leave it out'),
  of.machine.refused('smbios', 'the SMBIOS tables are those of the board: leave it out'),
  of.machine.refused('usbdevice', 'there is no USB: use virtio devices'),
  of.machine.refused(['watchdog', 'watchdog-action'], 'the board has no watchdog: leave it out'),
  of.machine.refused('tpmdev', 'the board has no TPM: leave it out'),
  of.machine.refused(['vnc', 'spice', 'full-screen', 'sdl', 'curses', 'gtk'], NO_SCREEN),
  of.machine.refused(['global', 'set', 'compat'], 'give the property to its -device, -drive or -machine'),
  of.machine.refused('boot', 'a kernel starts at once, and firmware chooses itself: leave it out'),

  of.start.value('kernel', 'FILE', 'ELF, Linux Image, vmlinuz, or a raw .bin', text('kernel', 'kernel')),
  of.start.value('append', 'TEXT', 'command line of the kernel', text('append', 'append')),
  of.start.value('initrd', 'FILE', 'initial RAM disk', text('initrd', 'initrd')),
  of.start.value('dtb', 'FILE', "a device tree in the place of the board's own", text('dtb', 'dtb')),
  of.start.value('bios', 'FILE', 'UEFI firmware for flash', text('bios', 'bios')),
  of.start.value('pflash', 'FILE', 'firmware for flash; the second time, its variables', pflash),
  of.start.value('L', 'FOLDER', 'where -bios looks for its file, too', (d, v) => {
    d.folders.push(v);
  }),
  of.start.flag('S', 'wait for a debugger or QMP before the first instruction', (d) => {
    d.stopped = true;
  }),
  of.start.flag('no-reboot', 'a reset by the guest ends the run', (d) => {
    d.noReboot = true;
  }),
  of.start.flag('no-shutdown', 'after a power-off the machine stays, for QMP and debuggers', (d) => {
    d.noShutdown = true;
  }),
  of.start.value(
    'action',
    'reboot=shutdown|reset,shutdown=pause|poweroff',
    'the same as -no-reboot and -no-shutdown',
    action,
  ),
  of.start.refused('shim', 'give the firmware a disk with it'),
  of.start.refused('loadvm', 'use loongscope run --snapshot FILE'),
  of.start.refused('incoming', HOTPLUG),
  of.start.refused('only-migratable', HOTPLUG),
  of.start.refused('option-rom', 'the firmware runs none: leave it out'),
  of.start.refused('readconfig', 'write its options on the command line'),

  of.disks.value(
    'drive',
    'file=FILE[,if=none|virtio|pflash][,id=ID][,format=raw][,readonly=on][,snapshot=on]',
    'a disk: a raw image, or nbd:…',
    drive,
  ),
  of.disks.value('blockdev', 'driver=raw|file|nbd,node-name=ID,…', 'the same for -device drive=ID', blockdev),
  ...(['hda', 'hdb', 'hdc', 'hdd'] as const).map((name, unit) =>
    of.disks.value(name, 'FILE', `virtio disk number ${unit}`, numbered(name, unit)),
  ),
  of.disks.value('cdrom', 'FILE', 'a virtio disk that cannot be written', numbered('cdrom', 2)),
  of.disks.flag('snapshot', 'changes of all disks are kept in memory and lost at the end', (d) => {
    d.copyOnWrite = true;
  }),
  of.disks.value('virtfs', 'local,path=FOLDER,mount_tag=NAME[,readonly]', 'a folder of your computer', virtfs),
  of.disks.value('fsdev', 'local,id=ID,path=FOLDER[,readonly]', 'the same for -device virtio-9p-pci', fsdev),
  of.disks.refused(['fda', 'fdb'], 'the board has no floppy drive: use -drive file=FILE,format=raw'),
  of.disks.refused('sd', 'the board has no SD card: use -drive file=FILE,format=raw'),
  of.disks.refused('mtdblock', 'the board has no such flash: use -drive file=FILE,format=raw'),
  of.disks.refused('iscsi', 'there is no iSCSI: use -drive file=nbd:…'),

  of.network.value(
    'netdev',
    'user|stream|dgram|socket,id=ID[,hostfwd=…]',
    'the other end of a -device virtio-net-pci',
    netdev,
  ),
  of.network.value('nic', 'none|user[,…][,model=virtio-net-pci][,mac=ADDRESS]', 'a card with its network', nic),
  of.network.value('net', 'none|nic|user[,…]', 'the old form of -nic', net),

  of.lines.value(
    'serial',
    'stdio|mon:stdio|null|none|file:F|pipe:F|tcp:…|telnet:…|unix:…|chardev:ID',
    'the serial line',
    serial,
  ),
  of.lines.value(
    'chardev',
    'stdio|null|file|pipe|socket,id=ID[,…]',
    'a character device for -serial, -mon or -device',
    chardev,
  ),
  of.lines.value('monitor', 'none|null|stdio|tcp:…|telnet:…|unix:…|chardev:ID', 'the human monitor', monitor),
  of.lines.value('mon', 'chardev=ID[,mode=readline|control]', 'a monitor or QMP on a -chardev', mon),
  of.lines.value(
    ['qmp', 'qmp-pretty'],
    'unix:PATH,server,nowait|tcp:…|stdio',
    'the control protocol of QEMU, in part',
    qmp,
  ),
  of.lines.without(
    'parallel',
    'none',
    'the board has no parallel port',
    only('parallel', /^(none|null)$/, 'the board has no parallel port: leave it out'),
  ),
  of.lines.without(
    'echr',
    'NUMBER',
    'the keys are Ctrl-A X and Ctrl-A Ctrl-A',
    only('echr', /^(0x0?1|1)$/, 'the key is Ctrl-A: leave it out'),
  ),
  of.lines.refused('debugcon', 'the board has no such port: use -serial'),

  of.debug.value('gdb', 'tcp:[HOST]:PORT|unix:PATH', 'serve gdb', gdb),
  of.debug.flag('s', 'the same as -gdb tcp::1234', (d) => gdb(d, 'tcp::1234')),
  of.debug.value('history', 'SIZE', 'memory for the past that gdb can go back to; QEMU has no such option', (d, v) => {
    d.history = parseHistory(once(d, 'history', v), 'qemu: -history');
  }),
  of.debug.value('record', 'FILE', 'records the run for loongscope replay; QEMU has no such option', (d, v) => {
    d.record = once(d, 'record', v);
  }),
  of.debug.value('d', 'int,guest_errors,unimp,…', 'logs; those that are not kept are named in a warning', logItems),
  of.debug.value('D', 'FILE', 'where -d writes (default: stderr)', text('logFile', 'D')),
  of.debug.refused('dfilter', 'logs are of all addresses: leave it out'),
  of.debug.refused('trace', 'there are no trace points: use -d, or loongscope trace'),
  of.debug.refused('plugin', 'plug-ins of QEMU do not fit: leave it out'),
  of.debug.refused(
    ['perfmap', 'jitdump', 'enable-sync-profile', 'dump-vmstate'],
    'it looks into QEMU itself: leave it out',
  ),

  of.program.value('name', '[guest=]NAME[,…]', 'the name that QMP tells', (d, v) => {
    const p = new Properties('-name', v, 'guest');
    d.name = once(d, 'name', p.get('guest') ?? '');
    p.without('process', 'debug-threads').done();
  }),
  of.program.value(
    'pidfile',
    'FILE',
    'the process number is written there; the file stays at the end',
    text('pidFile', 'pidfile'),
  ),
  of.program.value('sandbox', 'on|off', 'off: the emulator runs with all rights of the user', (d, v) => {
    d.sandbox = !/^off/.test(v);
  }),
  of.program.flag('no-sandbox', 'the same as -sandbox off', (d) => {
    d.sandbox = false;
  }),
  of.program.without('no-user-config', undefined, 'no configuration is read'),
  of.program.without(
    'msg',
    'timestamp=on|off|guest-name=on|off',
    'messages are one line: what is wrong, and what to do',
  ),
  of.program.without('seed', 'NUMBER', "it seeds QEMU's own random numbers"),
  of.program.refused('daemonize', 'use the shell: add & at the end of the line'),
  of.program.refused(['runas', 'chroot', 'run-with'], 'the sandbox takes all rights away: leave it out'),
  of.program.refused('add-fd', 'name the file'),
  of.program.refused('preconfig', 'the machine is made at once: leave it out'),
];

const BY_NAME: ReadonlyMap<string, OptionRow> = new Map(OPTIONS.flatMap((row) => row.names.map((n) => [n, row])));

/** The row of an option, given without its dashes. */
export const optionNamed = (name: string): OptionRow | undefined => BY_NAME.get(name);
