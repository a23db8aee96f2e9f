/** Options of run and debug: parses values, and refuses options that this version does not have. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import type { VirtioBus } from '../emu/board/cards.ts';
import { BOARD_MODELS, type BoardModel, type Topology } from '../emu/board/platform.ts';
import { BOOT_PROTOCOLS, type BootProtocol } from '../emu/boot/load.ts';
import { DIALS } from '../emu/cpu/chances.ts';
import {
  type CpuFeatures,
  type CpuModel,
  FEATURE_NAMES,
  FEATURES,
  type FeatureName,
  featuresOf,
  MODELS,
} from '../emu/cpu/features.ts';
import type { RunControl } from '../emu/debug/run-control.ts';
import type { End } from '../emu/debug/stop.ts';
import { VIRTIO_INTERFACES, type VirtioInterfaces } from '../emu/devices/virtio/pci.ts';
import { sizeOf } from '../emu/formats/size.ts';
import type { Decision } from '../emu/perturb/decisions.ts';
import { LEAST_HISTORY } from '../emu/replay/history.ts';
import type { Address } from '../gdbstub/server.ts';
import type { Finding } from '../hv/audit/findings.ts';
import type { OwnDescriptor } from '../hv/awareness/recognition.ts';
import type { CardSpec } from './cards.ts';
import { type CharacterSpec, parseCharacter } from './character.ts';
import type { Identity } from './control/controlled-machine.ts';
import type { ControlSpec } from './control/serve.ts';
import { type DriveSpec, parseDrive } from './drives.ts';
import { UsageError } from './errors.ts';
import { type ExploreSpec, parseExplore } from './explore/spec.ts';
import { isLogKind, LOG_KIND_NAMES, type LogKind } from './log-kinds.ts';
import { type NetSpec, parseNet } from './net/spec.ts';
import { readDescriptor } from './own-descriptor.ts';
import { parseShare, type ShareSpec } from './share.ts';
import type { Surroundings } from './surroundings.ts';
import { parseSymbols, type SymbolSpec } from './symbol-files.ts';

const MIB = 2 ** 20;
/** Most RAM that the board and the RAM model support. */
const MAX_MEMORY = 256 * 2 ** 30;
export const MAX_CPUS = 16;

/** `128M` as bytes. @throws UsageError */
export function parseSize(text: string, option: string): number {
  const size = sizeOf(text);
  if (size === undefined) throw new UsageError(`${option}: '${text}' is not a size: write a number with K, M or G`);
  return size;
}

export function parseMemory(text: string, option = '--memory'): number {
  const size = parseSize(text, option);
  if (size < 16 * MIB || size > MAX_MEMORY)
    throw new UsageError(`${option}: '${text}' is out of range: use 16M to 256G`);
  if (size % MIB !== 0) throw new UsageError(`${option}: '${text}' is not a whole number of MiB: round it`);
  return size;
}

/** Memory for the past. @throws UsageError */
export function parseHistory(text: string, option = '--history'): number {
  const size = parseSize(text, option);
  if (size < LEAST_HISTORY || size > MAX_MEMORY)
    throw new UsageError(`${option}: '${text}' is out of range: use 16M to 256G`);
  return size;
}

/** Bytes for states in a recording. @throws UsageError */
const parseRecordSnapshots = (text: string): number => (text === 'none' ? 0 : parseSize(text, '--record-snapshots'));

export function parseInteger(text: string, option: string, min: number, max: number): number {
  const n = Number(text);
  if (!/^\d+$/.test(text) || n < min || n > max)
    throw new UsageError(`${option}: '${text}' is not a whole number from ${min} to ${max}: correct it`);
  return n;
}

/** A number in decimal, or in hexadecimal behind 0x. @throws UsageError */
export function parseNumber(text: string, option: string): number {
  const n = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(n))
    throw new UsageError(`${option}: '${text}' is not an address: write a number, as 0x80000000`);
  return n;
}

/** A file for RAM, or where the image goes. */
export interface LoadSpec {
  /** undefined: the image. */
  readonly file?: string | undefined;
  /** undefined: an ELF goes to its own addresses. */
  readonly address?: number | undefined;
  /** The CPU that starts there. */
  readonly cpu?: number | undefined;
  /** Copy the bytes of an ELF, too, as they are. */
  readonly raw?: boolean | undefined;
}

/** `FILE@ADDRESS`, or `ADDRESS` for the image. @throws UsageError */
export function parseLoad(text: string): LoadSpec {
  const at = text.lastIndexOf('@');
  if (at < 0) return { address: parseNumber(text, '--load') };
  if (at === 0)
    throw new UsageError(`--load: '${text}' names no file: write FILE@ADDRESS, or the ADDRESS of the image`);
  return { file: text.slice(0, at), address: parseNumber(text.slice(at + 1), '--load'), raw: true };
}

/** `[HOST:]PORT` or `unix:PATH`; the host defaults to loopback. @throws UsageError */
export function parseAddress(text: string, option: string): Address {
  if (text.startsWith('unix:')) {
    if (text.length === 5) throw new UsageError(`${option}: unix: needs a path: write unix:PATH`);
    return { path: text.slice(5) };
  }
  const colon = text.lastIndexOf(':');
  // IPv6 addresses may be in brackets.
  const host = colon < 0 ? '127.0.0.1' : text.slice(0, colon).replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
  return { host, port: parseInteger(text.slice(colon + 1), option, 0, 65535) };
}

export interface GuestPort {
  /** Number of the VM. */
  readonly vm: number;
  /** undefined: all vCPUs of the guest. */
  readonly vcpu: number | undefined;
  readonly address: Address;
}

/** `VM[.VCPU]=[HOST:]PORT`. @throws UsageError */
export function parseGuestPort(text: string): GuestPort {
  const m = /^(?:vm=)?(\d+)(?:\.(\d+))?[=,](.+)$/.exec(text);
  if (!m)
    throw new UsageError(
      `--gdb-guest: '${text}' is malformed: write VM[.VCPU]=[HOST:]PORT, with the number of the VM (1 for the first that runs)`,
    );
  const vm = parseInteger(m[1]!, '--gdb-guest VM', 1, 4096);
  return { vm, vcpu: m[2] === undefined ? undefined : Number(m[2]), address: parseAddress(m[3]!, '--gdb-guest') };
}

export interface GuestSpec {
  readonly file: string;
  readonly name: string;
  readonly memory: number;
  readonly append: string;
  readonly vcpus: number;
}
/** Most vCPUs of a guest of the reference hypervisor (src/hv/vm.h). */
const MAX_VCPUS = 4;

/** `FILE[,name=N][,vcpus=N][,memory=SIZE][,append=S]`. @throws UsageError */
export function parseGuest(text: string): GuestSpec {
  const [file, ...rest] = text.split(',');
  if (!file) throw new UsageError(`--guest: '${text}' names no file: write FILE[,name=N][,memory=SIZE][,append=S]`);
  let name = basename(file, '.elf');
  let memory = 16 * MIB;
  let append = '';
  let vcpus = 1;
  for (const part of rest) {
    const [key, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
    switch (part.includes('=') ? key : '') {
      case 'name':
        name = value;
        break;
      case 'memory':
        memory = parseSize(value, '--guest memory');
        break;
      case 'append':
        append = value;
        break;
      case 'vcpus':
        vcpus = parseInteger(value, '--guest vcpus', 1, MAX_VCPUS);
        break;
      default:
        throw new UsageError(`--guest: unknown part '${part}': use name=, vcpus=, memory= or append=`);
    }
  }
  if (!/^[\w.-]{1,31}$/.test(name))
    throw new UsageError(`--guest: name '${name}' has blanks or is too long: use up to 31 letters and digits`);
  if (/\s/.test(append) || append.length > 63)
    throw new UsageError('--guest: append must be one word of up to 63 characters: shorten it');
  if (memory < 2 * MIB) throw new UsageError('--guest: memory below 2M: a guest needs at least 2M');
  return { file, name, memory, append, vcpus };
}

/** `MODEL[,feature=on|off]…` as the features of the CPU. @throws UsageError */
export function parseCpu(text: string): CpuFeatures {
  const [model, ...parts] = text.split(',');
  if (!(MODELS as readonly string[]).includes(model!))
    throw new UsageError(`--cpu: unknown model '${model}': use ${MODELS.join(' or ')}`);
  const switched: Partial<Record<FeatureName, boolean>> = {};
  for (const part of parts) {
    const m = /^([\w-]+)=(on|off)$/.exec(part);
    if (!m) throw new UsageError(`--cpu: '${part}' is malformed: write FEATURE=on or FEATURE=off`);
    const [, name, state] = m as unknown as [string, string, string];
    if (name in FEATURES) switched[name as FeatureName] = state === 'on';
    else throw new UsageError(`--cpu: unknown feature '${name}': use ${FEATURE_NAMES.join(', ')}`);
  }
  try {
    return featuresOf(model as CpuModel, switched);
  } catch (e) {
    throw new UsageError(`--cpu: ${(e as Error).message}`);
  }
}

export interface LogSpec {
  readonly kinds: ReadonlySet<LogKind>;
  readonly file: string | undefined;
}

/** `LIST[=FILE]`. @throws UsageError */
export function parseLog(text: string): LogSpec {
  const eq = text.indexOf('=');
  const kinds = (eq < 0 ? text : text.slice(0, eq)).split(',');
  const wrong = kinds.find((kind) => !isLogKind(kind));
  if (wrong !== undefined) throw new UsageError(`--log: unknown kind '${wrong}': use ${LOG_KIND_NAMES}`);
  if (eq === text.length - 1) throw new UsageError('--log: a file is missing after =: write LIST=FILE, or LIST alone');
  return { kinds: new Set(kinds.filter(isLogKind)), file: eq < 0 ? undefined : text.slice(eq + 1) };
}

const AUDITS = ['worldswitch'] as const;
export type AuditKind = (typeof AUDITS)[number];

/** @throws UsageError */
function parseAudit(text: string): AuditKind {
  const kind = AUDITS.find((a) => a === text);
  if (!kind) throw new UsageError(`--audit: '${text}' is unknown: use ${AUDITS.join(', ')}`);
  return kind;
}

const ON_LOOP = ['stop', 'report'] as const;
/** What a loop without progress does without a debugger: it ends the run, or is only told. */
export type OnLoop = (typeof ON_LOOP)[number];

/** @throws UsageError */
function parseOnLoop(text: string): OnLoop {
  const kind = ON_LOOP.find((k) => k === text);
  if (!kind) throw new UsageError(`--on-loop: '${text}' is unknown: use ${ON_LOOP.join(' or ')}`);
  return kind;
}

export const collect =
  <T>(parse: (text: string) => T) =>
  (text: string, before: T[] | undefined): T[] => [...(before ?? []), parse(text)];

/** Parsed options of run and debug. */
export interface MachineCli {
  readonly engine?: EngineOption;
  readonly clock?: ClockKind;
  /** A thread for each CPU. */
  readonly threads?: boolean;
  /** A snapshot to continue from. */
  readonly snapshot?: string;
  /** False: a reset by the guest ends the run. */
  readonly reboot?: boolean;
  readonly checkInterval?: number;
  /** False: none; undefined and true: the default one. */
  readonly codeCache?: string | boolean;
  /** An address whose translated regions are printed. */
  readonly dumpRegion?: bigint;
  readonly kernel?: string;
  readonly append?: string;
  readonly initrd?: string;
  readonly firmware?: string;
  readonly dtb?: string;
  readonly load?: LoadSpec[];
  /** The device tree goes to this file, and nothing runs. */
  readonly dumpDtb?: string;
  /** The lines that are executed go to this file. */
  readonly coverage?: string;
  /** Items of the firmware configuration device, by name. */
  readonly fwCfg?: readonly (readonly [name: string, data: Uint8Array])[];
  /** The time of day at power-on, in milliseconds since 1970. */
  readonly timeOfDay?: number;
  /** How the CPUs are told to the program. */
  readonly topology?: Topology;
  /** QMP and monitors. */
  readonly controls?: readonly ControlSpec[];
  /** What QMP tells of the machine. */
  readonly identity?: Identity;
  /** A machine that has been switched off stays until it is reset, or the run is ended from outside. */
  readonly keep?: boolean;
  readonly boot?: BootProtocol;
  readonly drive?: DriveSpec[];
  readonly net?: NetSpec;
  /** Six bytes; default: QEMU's first address. */
  readonly mac?: readonly number[];
  readonly share?: ShareSpec[];
  readonly virtio?: VirtioBus;
  /** Of virtio cards; default: transitional. */
  readonly virtioPci?: VirtioInterfaces;
  /** The cards in the PCI slots, instead of what `drive`, `share`, `console` and `net` ask for. */
  readonly cards?: readonly CardSpec[];
  readonly console?: 'uart' | 'virtio';
  readonly guest?: GuestSpec[];
  readonly hypervisor?: string;
  readonly symbols?: SymbolSpec[];
  readonly descriptor?: OwnDescriptor;
  readonly machine?: BoardModel;
  readonly memory: number;
  readonly smp: number;
  readonly cpu: CpuFeatures;
  readonly serial: CharacterSpec;
  readonly gdb?: Address;
  readonly gdbGuest?: GuestPort[];
  readonly gdbHost?: Address;
  /** Folder of files that clients of the ports name (default: the current one). */
  readonly files?: string;
  readonly audit?: AuditKind;
  readonly onLoop?: OnLoop;
  /** Bytes of memory for the past that a debugger goes back to. */
  readonly history?: number;
  readonly wait?: boolean;
  readonly maxInstructions?: number;
  readonly timeout?: number;
  readonly log?: LogSpec;
  readonly stats?: boolean;
  /** False: the emulator runs without a sandbox, with all rights of the user. */
  readonly sandbox?: boolean;
  readonly seed: number;
  /** Perturbs the run. */
  readonly explore?: ExploreSpec;
  /** The decisions that make the run, instead of a seed. */
  readonly decisions?: readonly Decision[];
  /** Collect statistics of exits even without --stats. */
  readonly detail?: boolean;
  /** No status lines on stderr. */
  readonly quiet?: boolean;
  /** Where the run is recorded. */
  readonly record?: string;
  /** The recording also has the files that the machine boots. */
  readonly recordImages?: boolean;
  /** Bytes of the states in the recording; 0: none. */
  readonly recordSnapshots?: number;
  /** Milliseconds between two states; default: what costs little. */
  readonly recordEvery?: number;
  /** Where files, disks, folders and the network come from; default: this computer. */
  readonly surroundings?: Surroundings;
  /** Know VMs, and read names, even if no debugger can connect. */
  readonly observed?: boolean;
  /** Called with the machine before its first instruction, and before a debugger can connect. */
  readonly prepare?: (control: RunControl) => void;
  /** Receives the end of the run, instead of words on stderr. */
  readonly onEnd?: (end: End) => void;
  /** Receives what an auditor finds, instead of words on stderr. */
  readonly onFinding?: (finding: Finding) => void;
}

/** The default options of a machine, for programs that start one without a command line. */
export const DEFAULT_MACHINE: MachineCli = {
  memory: 256 * MIB,
  smp: 1,
  cpu: featuresOf('max'),
  serial: { kind: 'stdio' },
  seed: 1,
};

export const FORMATS = ['text', 'jsonl', 'chrome', 'html'] as const;
export type TraceFormat = (typeof FORMATS)[number];

/** @throws UsageError */
export function parseFormat(text: string): TraceFormat {
  const format = FORMATS.find((f) => f === text);
  if (!format) throw new UsageError(`--format: '${text}' is unknown: use ${FORMATS.join(', ')}`);
  return format;
}

export const TRACE_DETAILS = ['tlb', 'device', 'functions'] as const;
export type TraceDetail = (typeof TRACE_DETAILS)[number];

/** What a trace has besides exits, exceptions and entries. @throws UsageError */
export function parseDetails(text: string): ReadonlySet<TraceDetail> {
  const names = text.split(',');
  const wrong = names.find((n) => !(TRACE_DETAILS as readonly string[]).includes(n));
  if (wrong !== undefined) throw new UsageError(`--detail: '${wrong}' is unknown: use ${TRACE_DETAILS.join(', ')}`);
  return new Set(names as TraceDetail[]);
}

const CLOCKS = ['virtual', 'host'] as const;
export type ClockKind = (typeof CLOCKS)[number];

/** @throws UsageError */
function parseClock(text: string): ClockKind {
  const kind = CLOCKS.find((c) => c === text);
  if (!kind) throw new UsageError(`--clock: '${text}' is unknown: use ${CLOCKS.join(' or ')}`);
  return kind;
}

/** An address of the guest's, in hexadecimal. @throws UsageError */
function parsePc(text: string): bigint {
  if (!/^0x[0-9a-f]{1,16}$/i.test(text) || BigInt(text) & 3n)
    throw new UsageError(`--dump-region: '${text}' is no address of an instruction: write it as 0x9000000000200040`);
  return BigInt(text);
}

const ENGINES = ['auto', 'jit', 'interpreter', 'check'] as const;
export type EngineOption = (typeof ENGINES)[number];

export function parseEngine(text: string): EngineOption {
  if ((ENGINES as readonly string[]).includes(text)) return text as EngineOption;
  throw new UsageError(`--engine: '${text}' is unknown: use ${ENGINES.join(', ')}`);
}

/** Options of run and replay for a person who looks at the machine. */
export function declareDebugOptions(command: Command): Command {
  return command
    .option('--gdb <address>', 'serve gdb on [HOST:]PORT or unix:PATH; port 0 picks one', (t) =>
      parseAddress(t, '--gdb'),
    )
    .option(
      '--gdb-guest <spec>',
      'a port for one guest: VM[.VCPU]=[HOST:]PORT, VM 1 being the first that runs (no GID); repeatable',
      collect(parseGuestPort),
    )
    .option('--gdb-host <address>', 'a port for the host world alone: [HOST:]PORT or unix:PATH', (t) =>
      parseAddress(t, '--gdb-host'),
    )
    .option('--files <folder>', 'where files are that a gdb names: snapshots (default: the current folder)')
    .option(
      '--symbols <spec>',
      'names of a file for addresses: FILE[,in=host|VM][,offset=N|auto], as in=1 for the kernel of the first guest; repeatable',
      collect(parseSymbols),
    )
    .option(
      '--descriptor <file>',
      'what the debugger should know of your hypervisor: a JSON file (docs/descriptors.md)',
      readDescriptor,
    )
    .option(
      '--engine <name>',
      'auto (translate what is hot), jit (translate everything), interpreter, or check (both, compared)',
      parseEngine,
    )
    .option('--log <list>', `LIST[=FILE]: lines about ${LOG_KIND_NAMES}`, parseLog)
    .option('--history <size>', 'memory for the past that a debugger can go back to (default: 512M)', (t) =>
      parseHistory(t),
    )
    .option('--audit <what>', 'worldswitch: check what every world switch leaves behind', parseAudit)
    .option(
      '--on-loop <what>',
      'stop (default) or report: what a loop without progress does without a debugger',
      parseOnLoop,
    )
    .option('--stats', 'one JSON line of statistics on stderr at the end')
    .option('--no-sandbox', 'run without the wall that lets the emulator open only what the command line names');
}

/** Declares the options on a command. Values are checked here; every error says what to do. */
export function declareMachineOptions(command: Command): Command {
  command
    .argument('[image]', 'ELF, Linux Image or vmlinuz, raw .bin (default: the reference hypervisor)')
    .option('--kernel <file>', 'the image, as an option')
    .option('--append <string>', 'kernel command line')
    .option('--initrd <file>', 'initial RAM disk for Linux')
    .option('--firmware <file>', 'UEFI firmware in flash; [image] and --initrd are for it to start')
    .option('--dtb <file>', "a device tree in the place of the board's own")
    .option(
      '--load <where>',
      'FILE@ADDRESS: copy a file to RAM, repeatable; ADDRESS: copy the image there as it is, and start at its first byte',
      collect(parseLoad),
    )
    .addOption(
      new Option(
        '--boot <protocol>',
        'efi (a1: command line, a2: system table), uhi (a0 = -2, a1: device tree), or none of these',
      ).choices(BOOT_PROTOCOLS),
    )
    .option(
      '--drive <spec>',
      'a disk: FILE or nbd:unix:PATH[:exportname=N], with [,readonly][,copy-on-write][,bus=ahci]; repeatable',
      collect(parseDrive),
    )
    .option(
      '--share <spec>',
      'a folder of your computer: FOLDER[,tag=NAME][,readonly]; repeatable',
      collect(parseShare),
    )
    .addOption(new Option('--virtio <bus>', 'where virtio devices sit').choices(['pci', 'mmio']))
    .addOption(
      new Option(
        '--virtio-pci <interfaces>',
        "a virtio card's interfaces: transitional (both, as on QEMU), modern or legacy",
      ).choices(VIRTIO_INTERFACES),
    )
    .addOption(new Option('--console <device>', 'which device is the terminal').choices(['uart', 'virtio']))
    .option(
      '--net <kind>',
      'network card: none, isolated, loopback, dump:FILE; user[,hostfwd=tcp:127.0.0.1:2222-:22], passt:SOCKET, stream,connect=|listen=ADDRESS or dgram,local=ADDRESS,remote=ADDRESS; with [,pcap=FILE]',
      parseNet,
    )
    .option(
      '--guest <spec>',
      'guest for the reference hypervisor: FILE[,name=N][,memory=SIZE][,append=S]; repeatable',
      collect(parseGuest),
    )
    .option('--hypervisor <file>', 'your build of the reference hypervisor, to run the guests')
    .addOption(
      new Option('--machine <board>', 'virt, or ls3a5000: what programs for Loongson 3A5000 boards touch').choices(
        BOARD_MODELS,
      ),
    )
    .addOption(
      new Option('--memory <size>', 'RAM, such as 128M or 1G')
        .argParser((t) => parseMemory(t))
        .default(DEFAULT_MACHINE.memory, `${DEFAULT_MACHINE.memory >> 20}M`),
    )
    .option('--smp <n>', 'physical CPUs', (t) => parseInteger(t, '--smp', 1, MAX_CPUS), 1)
    .addOption(
      new Option('--cpu <model>', 'max or la464, with features: max,lvz=off')
        .argParser(parseCpu)
        .default(DEFAULT_MACHINE.cpu, 'max'),
    )
    .addOption(
      new Option(
        '--serial <backend>',
        'stdio, null, file:F, pipe:F, tcp:HOST:PORT[,server][,nowait] or unix:PATH[,server]',
      )
        .argParser((t) => parseCharacter(t, '--serial'))
        .default({ kind: 'stdio' as const }, 'stdio'),
    )
    .option('--wait', 'do not run until a debugger says so')
    .option(
      '--check-interval <n>',
      'instructions between the comparisons of --engine check (default: 10 million)',
      (t) => parseInteger(t, '--check-interval', 1, Number.MAX_SAFE_INTEGER),
    )
    .option(
      '--code-cache <file>',
      'where hot code is remembered from run to run (default: in the cache of your account)',
    )
    .option('--no-code-cache', 'remember nothing')
    .option('--dump-region <pc>', 'print code with this address as it is translated, and what becomes of it', parsePc)
    .option(
      '--clock <kind>',
      'virtual (instructions are time, and runs repeat) or host (the real time of your computer)',
      parseClock,
    )
    .option('--threads', 'a thread for each CPU; needs --clock host')
    .option('--max-instructions <n>', 'stop after so many instructions, exit code 124', (t) =>
      parseInteger(t, '--max-instructions', 1, Number.MAX_SAFE_INTEGER),
    )
    .option('--timeout <seconds>', 'stop after so many seconds, exit code 124', (t) => {
      const n = Number(t);
      if (!(n > 0)) throw new UsageError(`--timeout: '${t}' is not a positive number: correct it`);
      return n;
    })
    .option('--snapshot <file>', 'go on from a saved machine')
    .option(
      '--explore <seed>',
      `another run of the many that hardware may make: SEED[,DIAL=on|off]…, with the dials ${DIALS.join(', ')}`,
      parseExplore,
    )
    .option('--record <file>', 'write down what the run needs to happen again; loongscope replay repeats it')
    .option('--record-images', 'the recording brings the files that the machine boots')
    .option(
      '--record-snapshots <size>',
      'most bytes of the states in the recording that replay goes on from (default: 256M), or none',
      parseRecordSnapshots,
    )
    .option('--no-reboot', 'a reset by the guest ends the run')
    .option(
      '--seed <n>',
      'seed of the random choices of the model',
      (t) => parseInteger(t, '--seed', 0, 0xffffffff),
      1,
    );
  return declareDebugOptions(command);
}
