/** -netdev, -nic and -net: what is at the other end of a network card. */
import { UsageError } from '../errors.ts';
import { type Draft, type HostForward, type HostPort, type QemuNetwork, takeId } from './draft.ts';
import { Properties } from './properties.ts';

/** The address of the guest in QEMU's user network. */
const GUEST = '10.0.2.15';
const LOOPBACK = '127.0.0.1';

/** @throws UsageError for a port that is none */
function hostPort(p: Properties, key: string, host: string | undefined, port: string | undefined): HostPort {
  const n = /^\d{1,5}$/.test(port ?? '') ? Number(port) : Number.NaN;
  if (!(n >= 1 && n <= 65535)) throw p.error(`${key}: '${port ?? ''}' is no port: use 1 to 65535`);
  return { host: !host || host === 'localhost' ? LOOPBACK : host.replace(/^\[(.*)\]$/, '$1'), port: n };
}

/** `[tcp|udp]:[HOST]:PORT-[GUEST]:PORT`. @throws UsageError */
function forward(p: Properties, text: string): HostForward {
  const m = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/.exec(text);
  if (!m) throw p.error(`hostfwd=${text} is malformed: write hostfwd=tcp::5555-:22`);
  const [, protocol, host, port, guest, to] = m;
  if (guest && guest !== GUEST)
    throw p.error(`hostfwd=${text}: the guest has the address ${GUEST}: leave ${guest} out`);
  return {
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
    from: hostPort(p, `hostfwd=${text}`, host, port),
    to: hostPort(p, `hostfwd=${text}`, undefined, to).port,
  };
}

/** `[HOST]:PORT`, or PORT alone. @throws UsageError */
function address(p: Properties, key: string, text: string): HostPort {
  const colon = text.lastIndexOf(':');
  return hostPort(p, `${key}=${text}`, text.slice(0, Math.max(0, colon)), text.slice(colon + 1));
}

/** An address in parts: `addr.type=inet,addr.host=…,addr.port=…`, or `addr.type=unix,addr.path=…`. @throws UsageError */
function parts(p: Properties, key: string): HostPort | { readonly path: string } {
  const type = p.get(`${key}.type`);
  p.without(`${key}.ipv4`, `${key}.ipv6`, `${key}.to`);
  if (type === 'unix') return { path: p.need(`${key}.path`, `${key}.path=FILE`) };
  if (type !== 'inet') throw p.error(`${key}.type=${type ?? ''}: use inet or unix`);
  return hostPort(p, `${key}.port`, p.get(`${key}.host`), p.get(`${key}.port`));
}

/** The three forms of frames over sockets. @throws UsageError */
function sockets(p: Properties, kind: 'stream' | 'dgram' | 'socket'): QemuNetwork {
  if (kind === 'stream') {
    const role = p.flag('server') ? 'listen' : 'connect';
    const at = parts(p, 'addr');
    p.without('reconnect', 'reconnect-ms');
    return { kind: 'stream', name: p.option, role, address: at };
  }
  if (kind === 'dgram') {
    const [local, remote] = [parts(p, 'local'), parts(p, 'remote')];
    if ('path' in local || 'path' in remote)
      throw p.error('dgram is over UDP here: use local.type=inet and remote.type=inet');
    return { kind: 'datagram', name: p.option, local, remote };
  }
  const [listen, connect, udp, near] = ['listen', 'connect', 'udp', 'localaddr'].map((key) => p.get(key));
  if (listen !== undefined)
    return { kind: 'stream', name: p.option, role: 'listen', address: address(p, 'listen', listen) };
  if (connect !== undefined)
    return { kind: 'stream', name: p.option, role: 'connect', address: address(p, 'connect', connect) };
  if (udp !== undefined && near !== undefined)
    return { kind: 'datagram', name: p.option, local: address(p, 'localaddr', near), remote: address(p, 'udp', udp) };
  throw p.error('socket: use listen=, connect=, or udp= with localaddr=');
}

/** What QEMU's own user network would serve inside, and no such network here does. */
const USER_REFUSED = ['tftp', 'bootfile', 'smb', 'guestfwd'] as const;
/** Addresses that the guest gets anyway, and limits. */
const USER_WITHOUT_EFFECT = ['ipv4', 'ipv6', 'dnssearch', 'domainname', 'tftp-server-name'] as const;

/** The network behind `kind,key=value…`. @throws UsageError */
function network(p: Properties): QemuNetwork {
  const kind = p.get('type');
  switch (kind) {
    case 'user': {
      const forwards = p.all('hostfwd').map((text) => forward(p, text));
      for (const key of USER_REFUSED)
        if (p.get(key) !== undefined) throw p.error(`${key}=: the network has no such server: leave it out`);
      for (const key of ['net', 'host', 'dns', 'dhcpstart', 'restrict'])
        if (p.get(key) !== undefined) throw p.error(`${key}=: the addresses of the network are fixed: leave it out`);
      p.without(...USER_WITHOUT_EFFECT);
      return { kind: 'user', name: p.option, forwards, hostname: p.get('hostname') };
    }
    case 'stream':
    case 'dgram':
    case 'socket':
      return sockets(p, kind);
    case 'hubport':
      throw p.error('hubport joins networks, which is not possible: give each card a network of its own');
    case 'tap':
    case 'bridge':
    case 'vde':
    case 'l2tpv3':
    case 'vhost-user':
    case 'vhost-vdpa':
    case 'passt':
    case 'af-xdp':
    case 'netmap':
      throw p.error(
        `${kind} needs rights or programs that the emulator does not use: use user, stream, dgram or socket`,
      );
    default:
      throw p.error(`'${kind ?? ''}' is not known: use user, stream, dgram or socket`);
  }
}

/** @throws UsageError */
export function netdev(d: Draft, text: string): void {
  const p = new Properties('-netdev', text, 'type');
  const id = p.need('id', 'id=NAME, by which a -device takes it');
  const end = network(p);
  p.done();
  takeId(d, 'network', id, '-netdev');
  d.netdevs.push({ id, option: '-netdev', network: end });
}

/** Card models that QEMU's names ask for; every card is a virtio-net one. @throws UsageError */
function model(p: Properties): void {
  p.only('model', ['virtio', 'virtio-net', 'virtio-net-pci'], 'there is no such network card: use virtio-net-pci');
}

/** A card with its network. @throws UsageError */
export function nic(d: Draft, text: string): void {
  const p = new Properties('-nic', text, 'type');
  if (p.get('type') === 'none') {
    d.noNetwork = true;
    p.done();
    return;
  }
  model(p);
  const card = { option: '-nic', mac: p.get('mac') ?? p.get('macaddr'), netdev: undefined };
  const id = p.get('id');
  if (id !== undefined) takeId(d, 'network', id, '-nic');
  const end = network(p);
  p.done();
  d.nics.push({ ...card, network: end });
}

/** The old form: cards (`nic`) and networks on one hub. @throws UsageError */
export function net(d: Draft, text: string): void {
  const p = new Properties('-net', text, 'type');
  const kind = p.get('type');
  if (kind === 'none') d.noNetwork = true;
  else if (kind === 'nic') {
    model(p);
    d.nics.push({ option: '-net nic', mac: p.get('macaddr'), netdev: p.get('netdev'), network: { kind: 'hub' } });
    p.without('name', 'id', 'vectors', 'vlan', 'addr');
  } else {
    const id = p.get('id') ?? p.get('name') ?? `hub${d.netdevs.length}`;
    p.without('vlan');
    const end = network(p);
    if (d.netdevs.some((n) => n.option === '-net'))
      throw new UsageError('qemu: -net: two networks on one hub: use -netdev and -device for each');
    d.netdevs.push({ id, option: '-net', network: end });
  }
  p.done();
}
