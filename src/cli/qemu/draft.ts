/** What the options of a QEMU command line have said, before anything that refers to something else is looked up. */
import type { Topology } from '../../emu/board/platform.ts';
import type { CpuFeatures } from '../../emu/cpu/features.ts';
import type { Address } from '../../gdbstub/server.ts';
import type { CharacterSpec } from '../character.ts';
import { UsageError } from '../errors.ts';
import type { ShareSpec } from '../share.ts';
import type { Properties } from './properties.ts';

/** A disk's content, before a device is found for it. */
export interface QemuDrive {
  readonly id: string;
  /** The option that has made it, for messages. */
  readonly option: string;
  readonly bus: 'virtio' | 'none' | 'pflash';
  readonly unit: number | undefined;
  /** A file, or `nbd:…`. */
  readonly file: string;
  /** The user says that its bytes are the disk's; otherwise an image of another format may have been given by mistake. */
  readonly raw: boolean;
  readonly readOnly: boolean;
  readonly copyOnWrite: boolean;
}

/** An IP address and a port. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** A port of this computer that leads to one of the guest's. */
export interface HostForward {
  readonly protocol: 'tcp' | 'udp';
  readonly from: HostPort;
  readonly to: number;
}

/** The other end of a network card; `name` is for messages. */
export type QemuNetwork =
  | {
      readonly kind: 'user';
      readonly name: string;
      readonly forwards: readonly HostForward[];
      readonly hostname: string | undefined;
    }
  /** A stream of frames: each with its length before it. */
  | {
      readonly kind: 'stream';
      readonly name: string;
      readonly role: 'connect' | 'listen';
      readonly address: HostPort | { readonly path: string };
    }
  /** A frame a datagram. */
  | { readonly kind: 'datagram'; readonly name: string; readonly local: HostPort; readonly remote: HostPort }
  /** The one network of -net. */
  | { readonly kind: 'hub' };

export interface QemuNetdev {
  readonly id: string;
  readonly option: string;
  readonly network: QemuNetwork;
}

/** A network card that an option asks for without -device. */
export interface QemuNic {
  readonly option: string;
  readonly mac: string | undefined;
  /** Id of its network; undefined: it has one of its own. */
  readonly netdev: string | undefined;
  readonly network: QemuNetwork | undefined;
}

/** A serial line, a monitor or a QMP server: a character device of its own, or one of -chardev. */
export type QemuCharacter =
  | CharacterSpec
  | { readonly kind: 'none' }
  | { readonly kind: 'chardev'; readonly id: string };

/** What kind of protocol a control connection speaks. */
export interface QemuControl {
  readonly protocol: 'qmp' | 'human';
  readonly option: string;
  readonly character: QemuCharacter;
}

/** When the guest's time of day begins. */
export type TimeBase = 'utc' | 'localtime' | { readonly milliseconds: number };

export interface Draft {
  kernel?: string;
  append?: string;
  initrd?: string;
  dtb?: string;
  bios?: string;
  dumpDtb?: string;
  memory?: number;
  /** Id of a memory-backend-ram whose size is the machine's. */
  memoryBackend?: string;
  cpus?: number;
  topology?: Topology;
  cpu?: CpuFeatures;
  gdb?: Address;
  /** Bytes of memory for the past. */
  history?: number;
  /** Where the run is recorded. */
  record?: string;
  /** The machine waits for somebody to start it. */
  stopped: boolean;
  noReboot: boolean;
  noShutdown: boolean;
  /** No serial line, network card or monitor unless an option asks for it. */
  noDefaults: boolean;
  sandbox: boolean;
  copyOnWrite: boolean;
  /** Instructions are time. */
  instructionClock: boolean;
  timeBase?: TimeBase;
  name?: string;
  uuid?: string;
  pidFile?: string;
  /** Folders where firmware is looked for. */
  readonly folders: string[];
  readonly drives: QemuDrive[];
  readonly devices: Properties[];
  readonly objects: Properties[];
  readonly netdevs: QemuNetdev[];
  readonly nics: QemuNic[];
  /** -net none or -nic none. */
  noNetwork: boolean;
  readonly folderDevices: Map<string, Omit<ShareSpec, 'tag'>>;
  readonly chardevs: Map<string, CharacterSpec>;
  readonly serials: QemuCharacter[];
  readonly controls: QemuControl[];
  /** Whether an option has said where the human monitor is. */
  monitorGiven: boolean;
  /** Items for the firmware configuration device. */
  readonly fwCfg: { readonly name: string; readonly source: { readonly text: string } | { readonly file: string } }[];
  /** Kinds of --log, and names of QEMU's logs that are not kept here. */
  readonly log: Set<string>;
  logFile?: string;
  /** What has been given once, by option, with its value. */
  readonly given: Map<string, string>;
  /** Ids of all objects, with the option that has made each. */
  readonly ids: Map<string, string>;
}

export const newDraft = (): Draft => ({
  stopped: false,
  noReboot: false,
  noShutdown: false,
  noDefaults: false,
  sandbox: true,
  copyOnWrite: false,
  instructionClock: false,
  folders: [],
  drives: [],
  devices: [],
  objects: [],
  netdevs: [],
  nics: [],
  noNetwork: false,
  folderDevices: new Map(),
  chardevs: new Map(),
  serials: [],
  controls: [],
  monitorGiven: false,
  fwCfg: [],
  log: new Set(),
  given: new Map(),
  ids: new Map(),
});

/** An option that has one meaning for the machine: it may be repeated only with the same value. @throws UsageError */
export function once(d: Draft, option: string, value: string): string {
  const before = d.given.get(option);
  if (before !== undefined && before !== value)
    throw new UsageError(`qemu: -${option} is given twice, as '${before}' and as '${value}': leave one of them out`);
  d.given.set(option, value);
  return value;
}

/** Takes an id. @throws UsageError when another object of the same kind has it */
export function takeId(d: Draft, kind: string, id: string, option: string): void {
  const key = `${kind} ${id}`;
  if (d.ids.has(key)) throw new UsageError(`qemu: two options give the id '${id}' to a ${kind}: rename one of them`);
  d.ids.set(key, option);
}
