/**
 * QMP, the control protocol of QEMU (docs/interop/qmp-spec.rst), with the commands that test frameworks use: JSON objects in both
 * directions, a greeting, `qmp_capabilities`, then commands, answers and events.
 */
import { topologyOf } from '../../emu/board/platform.ts';
import { QEMU_VERSION } from '../qemu-version.ts';
import { VERSION } from '../version.ts';
import type { Channel } from './channel.ts';
import type { ControlledMachine, MachineEvent } from './controlled-machine.ts';
import { humanCommand, NO_UUID } from './human-monitor.ts';
import { JsonStream } from './json-stream.ts';

/** An error by QEMU's class names. */
class QmpError extends Error {
  readonly class: 'GenericError' | 'CommandNotFound' | 'DeviceNotFound';

  constructor(text: string, kind: 'GenericError' | 'CommandNotFound' | 'DeviceNotFound' = 'GenericError') {
    super(text);
    this.class = kind;
  }
}

type Arguments = Readonly<Record<string, unknown>>;

interface QmpCommand {
  /** Arguments that it takes: `!` behind a name means that it must be there. */
  readonly takes?: readonly string[];
  readonly run: (m: ControlledMachine, args: Arguments) => unknown;
}

const version = { qemu: QEMU_VERSION, package: `loongscope ${VERSION}` };
const nothing = (body: (m: ControlledMachine) => void): QmpCommand => ({
  run: (m) => {
    body(m);
    return {};
  },
});
/** A command that QEMU has and this machine cannot serve. */
const impossible = (what: string): QmpCommand => ({
  run: () => {
    throw new QmpError(what);
  },
});

const HOTPLUG = 'devices cannot be added while the machine runs: give them on the command line';
const MIGRATION = 'the machine cannot be moved while it runs: use snapshots of a debugger (monitor savevm)';

function cpus(m: ControlledMachine): unknown {
  const { machine } = m.control;
  const { cores, threads } = topologyOf({
    cpus: machine.cpus.length,
    ramSize: machine.options.ramSize,
    topology: machine.bootFiles?.topology,
  });
  return machine.cpus.map((c) => ({
    'cpu-index': c.index,
    'thread-id': process.pid,
    'qom-path': `/machine/unattached/device[${c.index}]`,
    'qom-type': 'la464-loongarch-cpu',
    target: 'loongarch64',
    props: {
      'socket-id': Math.floor(c.index / (cores * threads)),
      'core-id': Math.floor(c.index / threads) % cores,
      'thread-id': c.index % threads,
    },
  }));
}

/** The commands, by name. */
const COMMANDS: Readonly<Record<string, QmpCommand>> = {
  'query-version': { run: () => version },
  'query-status': { run: (m) => ({ status: m.state, running: m.state === 'running' }) },
  'query-name': { run: ({ identity }) => (identity.name === undefined ? {} : { name: identity.name }) },
  'query-uuid': { run: (m) => ({ UUID: m.identity.uuid ?? NO_UUID }) },
  'query-kvm': { run: () => ({ enabled: false, present: false }) },
  'query-target': { run: () => ({ arch: 'loongarch64' }) },
  'query-cpus-fast': { run: cpus },
  'query-current-machine': { run: () => ({ 'wakeup-suspend-support': false }) },
  'query-memory-size-summary': {
    run: (m) => ({ 'base-memory': m.control.machine.options.ramSize, 'plugged-memory': 0 }),
  },
  'query-commands': { run: () => ['qmp_capabilities', ...Object.keys(COMMANDS)].map((name) => ({ name })) },
  stop: nothing((m) => m.pause()),
  cont: nothing((m) => m.resume()),
  system_reset: nothing((m) => m.reset('host-qmp-system-reset')),
  system_powerdown: nothing((m) => m.pressPowerButton()),
  quit: nothing((m) => m.quit('host-qmp-quit')),
  'human-monitor-command': {
    takes: ['command-line!', 'cpu-index'],
    run: (m, args) => {
      const line = args['command-line'];
      if (typeof line !== 'string') throw new QmpError("Invalid parameter type for 'command-line', expected: string");
      return humanCommand(m, line);
    },
  },
  ...Object.fromEntries(
    [
      'device_add',
      'device_del',
      'netdev_add',
      'netdev_del',
      'blockdev-add',
      'blockdev-del',
      'object-add',
      'object-del',
      'chardev-add',
    ].map((n) => [n, impossible(HOTPLUG)]),
  ),
  ...Object.fromEntries(
    ['migrate', 'migrate-incoming', 'snapshot-save', 'snapshot-load'].map((n) => [n, impossible(MIGRATION)]),
  ),
  screendump: impossible('there is no screen'),
};

/** Members of a request. */
const MEMBERS = new Set(['execute', 'exec-oob', 'arguments', 'id']);

/** @throws QmpError */
function checkArguments(command: QmpCommand, args: Arguments): void {
  const takes = command.takes;
  // Commands that are always refused take anything.
  if (takes === undefined && command.run.length === 0) return;
  const names = (takes ?? []).map((n) => n.replace('!', ''));
  for (const name of Object.keys(args))
    if (!names.includes(name)) throw new QmpError(`Parameter '${name}' is unexpected`);
  for (const name of takes ?? [])
    if (name.endsWith('!') && !(name.slice(0, -1) in args))
      throw new QmpError(`Parameter '${name.slice(0, -1)}' is missing`);
}

/** Seconds and microseconds of now, as events have them. */
function timestamp(): { readonly seconds: number; readonly microseconds: number } {
  const now = Date.now();
  return { seconds: Math.floor(now / 1000), microseconds: (now % 1000) * 1000 };
}

const isObject = (v: unknown): v is Readonly<Record<string, unknown>> =>
  typeof v === 'object' && v !== null && !Array.isArray(v);

/** Serves QMP at a channel, to one peer after the other. */
export class QmpServer {
  private readonly machine: ControlledMachine;
  private readonly channel: Channel;
  private stream = new JsonStream();
  private negotiated = false;

  constructor(machine: ControlledMachine, channel: Channel) {
    this.machine = machine;
    this.channel = channel;
    channel.onPeer = (there) => {
      this.stream = new JsonStream();
      this.negotiated = false;
      if (there) this.send({ QMP: { version, capabilities: [] } });
    };
    channel.onData = (bytes) => {
      for (const item of this.stream.push(bytes))
        if ('error' in item) this.fail(new QmpError(item.error), undefined);
        else this.request(item.value);
    };
    machine.listen((event) => this.event(event));
  }

  private send(value: object): void {
    this.channel.write(`${JSON.stringify(value)}\r\n`);
  }

  private event(event: MachineEvent): void {
    if (!this.negotiated) return;
    this.send({ timestamp: timestamp(), event: event.name, ...('data' in event && { data: event.data }) });
  }

  private fail(error: QmpError, id: unknown): void {
    this.send({ error: { class: error.class, desc: error.message }, ...(id !== undefined && { id }) });
  }

  private request(value: unknown): void {
    const id = isObject(value) ? value.id : undefined;
    try {
      this.send({ return: this.carryOut(value), ...(id !== undefined && { id }) });
    } catch (error) {
      if (error instanceof QmpError) this.fail(error, id);
      else this.fail(new QmpError(error instanceof Error ? error.message : String(error)), id);
    }
  }

  /** @throws QmpError, or Error of the machine */
  private carryOut(value: unknown): unknown {
    if (!isObject(value)) throw new QmpError('QMP input must be a JSON object');
    for (const member of Object.keys(value))
      if (!MEMBERS.has(member)) throw new QmpError(`QMP input member '${member}' is unexpected`);
    const { execute, arguments: args = {} } = value;
    if (execute === undefined) throw new QmpError("QMP input lacks member 'execute'");
    if (typeof execute !== 'string') throw new QmpError("QMP input member 'execute' must be a string");
    if (!isObject(args)) throw new QmpError("QMP input member 'arguments' must be an object");
    if (execute === 'qmp_capabilities') return this.negotiate(args);
    if (!this.negotiated)
      throw new QmpError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    const command = Object.hasOwn(COMMANDS, execute) ? COMMANDS[execute] : undefined;
    if (!command) throw new QmpError(`The command ${execute} has not been found`, 'CommandNotFound');
    checkArguments(command, args);
    return command.run(this.machine, args);
  }

  private negotiate(args: Arguments): object {
    if (this.negotiated)
      throw new QmpError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    const wanted = args.enable;
    if (Array.isArray(wanted) && wanted.length > 0) throw new QmpError(`Capability ${String(wanted[0])} not available`);
    this.negotiated = true;
    return {};
  }
}
