/** -netdev, -nic and -net: what is at the other end of a network card. */
import { UsageError } from '../errors.ts';
import { type Draft, type HostForward, type QemuNetwork, takeId } from './draft.ts';
import { Properties } from './properties.ts';

/** `[tcp|udp]:[HOST]:PORT-[GUEST]:PORT`. @throws UsageError */
function forward(p: Properties, text: string): HostForward {
  const m = /^(tcp|udp)?:([^:]*):(\d+)-([^:]*):(\d+)$/.exec(text);
  if (!m) throw p.error(`hostfwd=${text} is malformed: write hostfwd=tcp::5555-:22`);
  const [, protocol, host, hostPort, guest, guestPort] = m;
  const [from, to] = [Number(hostPort), Number(guestPort)];
  if (from > 65535 || to > 65535 || to === 0) throw p.error(`hostfwd=${text}: a port is from 1 to 65535: correct it`);
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', host: host!, hostPort: from, guest: guest!, guestPort: to };
}

/** What QEMU's own user network would serve inside, and no such network here does. */
const USER_REFUSED = ['tftp', 'bootfile', 'smb', 'guestfwd'] as const;
/** Addresses that the guest gets anyway, and limits. */
const USER_WITHOUT_EFFECT = ['ipv4', 'ipv6', 'hostname', 'dnssearch', 'domainname', 'tftp-server-name'] as const;

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
      return { kind: 'user', forwards };
    }
    case 'stream':
    case 'dgram':
    case 'socket':
      return { kind, properties: p };
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
  if (end.kind === 'user') p.done();
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
  if (end.kind === 'user') p.done();
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
    if (end.kind !== 'user') {
      d.netdevs.push({ id, option: '-net', network: end });
      return;
    }
    if (d.netdevs.some((n) => n.option === '-net'))
      throw new UsageError('qemu: -net: two networks on one hub: use -netdev and -device for each');
    d.netdevs.push({ id, option: '-net', network: end });
  }
  p.done();
}
