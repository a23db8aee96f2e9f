/** The devices of -device, by QEMU's names. */
import type { VirtioBus } from '../../emu/board/cards.ts';
import type { VirtioInterfaces } from '../../emu/devices/virtio/pci.ts';
import { parseNumber } from '../options.ts';
import type { Properties } from './properties.ts';
import { type CardPlace, macOf, type Resolver } from './resolver.ts';

export interface DeviceRow {
  readonly names: readonly string[];
  /** What it is, or why there is none and what to do instead. */
  readonly text: string;
  /** Undefined: it is refused. */
  readonly connect?: (r: Resolver, p: Properties) => void;
}

/** Properties of every device, and of virtio's transports, that a guest sees nothing of. */
const WITHOUT_EFFECT = [
  'id',
  'romfile',
  'rombar',
  'bootindex',
  'disable-legacy',
  'disable-modern',
  'iommu_platform',
  'vectors',
  'mq',
  'num-queues',
  'queues',
  'packed',
  'event_idx',
  'indirect_desc',
  'ioeventfd',
  'share-rw',
  'write-cache',
  'x-disable-pcie',
  'modern-pio-notify',
  'rng',
  'max-bytes',
  'period',
  'physical_block_size',
  'logical_block_size',
  'scsi',
  'config-wce',
] as const;

type Connect = (r: Resolver, p: Properties, place: CardPlace) => void;

/** The forms of a virtio device: on PCI with the old identity too (the default), on PCI without it, and memory-mapped. */
function virtio(name: string, text: string, connect: Connect): DeviceRow[] {
  const at =
    (bus: VirtioBus, interfaces: VirtioInterfaces) =>
    (r: Resolver, p: Properties): void => {
      connect(r, p, r.place(p, bus, interfaces));
      p.without(...WITHOUT_EFFECT).done();
    };
  return [
    { names: [`virtio-${name}-pci`, `virtio-${name}`], text, connect: at('pci', 'transitional') },
    {
      names: [`virtio-${name}-pci-transitional`],
      text: `${text}, with the registers of old drivers`,
      connect: at('pci', 'transitional'),
    },
    { names: [`virtio-${name}-pci-non-transitional`], text: `${text}, for new drivers`, connect: at('pci', 'modern') },
    { names: [`virtio-${name}-device`], text: `${text}, memory-mapped`, connect: at('mmio', 'modern') },
  ];
}

/** A file or a value for RAM (QEMU docs/system/generic-loader.rst). @throws UsageError */
function loader(r: Resolver, p: Properties): void {
  const address = p.get('addr');
  const cpu = p.integer('cpu-num', 0, 255);
  const file = p.get('file');
  const raw = p.flag('force-raw');
  if (p.get('data') !== undefined) throw p.error('data=: put the value into a file, and give file= and addr=');
  p.without('id', 'data-len', 'data-be').done();
  if (file === undefined) throw p.error('file= is missing: add the path of an image');
  if (raw && address === undefined) throw p.error('force-raw=on without addr=: add the address');
  r.loads.push({
    file,
    raw,
    address: address === undefined ? undefined : parseNumber(address, `qemu: ${p.option}: addr`),
    cpu,
  });
}

const refused = (text: string, ...names: readonly string[]): DeviceRow => ({ names, text });

/** Every device that is known; QEMU's other devices are refused as unknown. */
export const DEVICE_ROWS: readonly DeviceRow[] = [
  ...virtio('blk', 'a disk (drive=ID)', (r, p, place) => {
    r.cards.push({ kind: 'block', drive: r.drive(p), ...place });
    p.only('serial', [], 'the name of a disk is fixed: leave it out');
  }),
  ...virtio('net', 'a network card (netdev=ID)', (r, p, place) => {
    const [mac, netdev] = [macOf(p.option, p.get('mac')), p.get('netdev')];
    const network = r.network(p.option, netdev);
    r.cards.push({ kind: 'net', network, mac, capture: r.capture(netdev), ...place });
  }),
  ...virtio('9p', 'a folder of your computer (fsdev=ID,mount_tag=NAME)', (r, p, place) => {
    const share = { ...r.folder(p), tag: p.need('mount_tag', 'mount_tag=NAME') };
    r.cards.push({ kind: 'share', share, ...place });
  }),
  ...virtio('rng', 'random numbers', (r, _, place) => {
    r.cards.push({ kind: 'entropy', ...place });
  }),
  ...virtio('serial', 'the bus of a virtconsole', (r, _, place) => {
    r.cards.push({ kind: 'console', ...place });
  }),
  {
    names: ['virtconsole'],
    text: 'a virtio console as the terminal (chardev=ID)',
    connect: (r, p) => {
      const id = p.need('chardev', 'chardev=ID of a -chardev');
      if (r.virtioConsole) throw p.error('there is one virtio console: leave the second one out');
      if (!r.cards.some((c) => c.kind === 'console'))
        throw p.error('there is no bus for it: add -device virtio-serial-pci before it');
      r.virtioConsole = r.character(p.option, { kind: 'chardev', id });
      p.without('id', 'name', 'nr', 'bus').done();
    },
  },
  {
    names: ['ahci', 'ich9-ahci'],
    text: 'a Serial ATA controller (id=ID) with six ports',
    connect: (r, p) => {
      r.controller(p);
      p.without(...WITHOUT_EFFECT).done();
    },
  },
  {
    names: ['ide-hd'],
    text: 'a Serial ATA disk (drive=ID,bus=ID.PORT)',
    connect: (r, p) => {
      r.sataDisk(p);
      p.without(...WITHOUT_EFFECT).done();
    },
  },
  { names: ['loader'], text: 'a file in RAM (file=F,addr=A), and where CPU 0 starts (cpu-num=0)', connect: loader },
  refused('RAM that the guest does not touch costs nothing here: leave it out', 'virtio-balloon-pci', 'virtio-balloon'),
  refused('there is no screen: leave it out', 'virtio-gpu-pci', 'virtio-vga', 'VGA', 'bochs-display', 'ramfb', 'qxl'),
  refused(
    'there is no keyboard and no mouse: the terminal is the serial line',
    ...['virtio-keyboard-pci', 'virtio-mouse-pci', 'virtio-tablet-pci', 'usb-kbd', 'usb-mouse', 'usb-tablet'],
  ),
  refused('there is no USB: use virtio devices', 'nec-usb-xhci', 'qemu-xhci', 'usb-ehci', 'usb-storage', 'usb-net'),
  refused('there is no NVMe disk: use virtio-blk-pci', 'nvme', 'nvme-ns'),
  refused('there is no SCSI: use virtio-blk-pci', 'virtio-scsi-pci', 'scsi-hd', 'scsi-cd', 'megasas', 'lsi53c895a'),
  refused('there is no CD drive: use ide-hd, or virtio-blk-pci', 'ide-cd', 'ide-cf'),
  refused('there is no such network card: use virtio-net-pci', 'e1000', 'e1000e', 'igb', 'rtl8139', 'vmxnet3'),
  refused('a virtio console has one port: use virtconsole', 'virtserialport'),
  refused(
    'there are no PCI bridges: use bus=pcie.0',
    'pcie-root-port',
    'pci-bridge',
    'pcie-pci-bridge',
    'x3130-upstream',
  ),
  refused('devices of your computer are not passed through: use virtio devices', 'vfio-pci', 'vhost-vsock-pci'),
  refused(
    'memory cannot be added while the machine runs: give all of it with -m',
    'pc-dimm',
    'virtio-mem-pci',
    'nvdimm',
  ),
  refused(
    'CPUs cannot be added while the machine runs: give all of them with -smp',
    'la464-loongarch-cpu',
    'max-loongarch-cpu',
  ),
];

const BY_NAME: ReadonlyMap<string, DeviceRow> = new Map(DEVICE_ROWS.flatMap((row) => row.names.map((n) => [n, row])));

/** Connects what a -device describes. @throws UsageError that names what is not there */
export function connectDevice(r: Resolver, p: Properties, name: string): void {
  const row = BY_NAME.get(name);
  if (!row) throw p.error('it is not known: use virtio-blk-pci, virtio-net-pci, virtio-9p-pci or loader');
  if (!row.connect) throw p.error(row.text);
  row.connect(r, p);
}
