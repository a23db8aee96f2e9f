/**
 * The parts of the board: QEMU's `virt` (docs/board.md). Each device is declared once; the bus, the device tree, the ACPI
 * tables and reports are made from the declarations.
 */

import type { Device, DeviceTime } from '../devices/device.ts';
import { Flash, RomWindow } from '../devices/flash.ts';
import type { FwCfg } from '../devices/fw-cfg.ts';
import { Ged, type PowerRequest } from '../devices/ged.ts';
import type { Iocsr } from '../devices/iocsr.ts';
import { IocsrWindow } from '../devices/iocsr-window.ts';
import { Ls7aRtc } from '../devices/ls7a-rtc.ts';
import type { Omissions } from '../devices/omissions.ts';
import type { PchMsi } from '../devices/pch-msi.ts';
import type { PchPic } from '../devices/pch-pic.ts';
import type { PciRootComplex } from '../devices/pci/root-complex.ts';
import { UART_CLOCK, Uart16550 } from '../devices/uart16550.ts';
import * as aml from '../formats/aml.ts';
import { cells64, type FdtNode, type FdtValue } from '../formats/fdt.ts';
import { memoryRanges, PLATFORM } from '../memory/physical-map.ts';
import { xorshift } from '../runtime/xorshift.ts';

/** How the CPUs are told to programs: sockets of cores of threads. */
export interface Topology {
  readonly sockets: number;
  readonly cores: number;
  readonly threads: number;
}

/** The properties that differ between machines. */
export interface Platform {
  readonly cpus: number;
  /** Default: one socket of cores with one thread each. */
  readonly topology?: Topology | undefined;
  /** Bytes of RAM, below 256 MiB at 0 and the rest at 2 GiB. */
  readonly ramSize: number;
  /** Number of PCI slots in use, from the first one; default: all. */
  readonly pciSlots?: number | undefined;
  /** Number of virtio devices that are memory-mapped instead of on PCI. */
  readonly virtioMmio?: number | undefined;
  /** Seed of the random numbers that the device tree gives to an operating system; default: 1. */
  readonly seed?: number | undefined;
}

/**
 * `virt`: QEMU's board. `ls3a5000`: also the parts that programs for Loongson's 3A5000 boards need: the IOCSR space as memory, the second
 * UART behind the first, and an answer at every address.
 */
export const BOARD_MODELS = ['virt', 'ls3a5000'] as const;
export type BoardModel = (typeof BOARD_MODELS)[number];

/** The parts that devices are made from. */
export interface DeviceParts {
  readonly pic: PchPic;
  readonly msi: PchMsi;
  readonly pci: PciRootComplex;
  readonly iocsr: Iocsr;
  /** The CPU that makes the current access to the bus. */
  readonly master: () => number;
  readonly power: (request: PowerRequest) => void;
  readonly fwCfg: FwCfg;
  /** Content of the flash that firmware runs from. */
  readonly firmware: () => Uint8Array;
  /** Bytes that a UART sends. */
  readonly send: (uart: number, byte: number) => void;
  readonly time: DeviceTime;
  readonly omissions: Omissions;
}

/** A device of the board. */
export interface DeviceDeclaration {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly make: (parts: DeviceParts) => Device;
  readonly nodes?: (at: Phandles) => readonly FdtNode[];
  readonly acpi?: (p: Platform) => aml.Aml;
}

/** Phandles of nodes that other nodes refer to. */
export interface Phandles {
  /** Of CPU 0; the others follow. */
  readonly cpu: number;
  readonly cpuic: number;
  readonly eiointc: number;
  readonly pic: number;
  readonly msi: number;
  readonly power: number;
}
const FIRST_PHANDLE = 0x8000;
/** The phandles of a machine, with QEMU's numbers. */
export function phandles(cpus: number): Phandles {
  const next = FIRST_PHANDLE + cpus;
  return { cpu: FIRST_PHANDLE, cpuic: next, eiointc: next + 1, pic: next + 2, msi: next + 3, power: next + 4 };
}
const LEVEL_HIGH = 4;

const reg = (base: number, size: number): number[] => [...cells64(base), ...cells64(size)];
const node = (
  name: string,
  properties: Readonly<Record<string, FdtValue>>,
  children: readonly FdtNode[] = [],
): FdtNode => ({ name, properties, children });
/** An address behind the `@` of a node's name. */
const unitAddress = (n: number): string => n.toString(16);
const gsi = (input: number): number => PLATFORM.gsiBase + input;
const onPic = (at: Phandles, input: number): Readonly<Record<string, FdtValue>> => ({
  interrupts: [input, LEVEL_HIGH],
  'interrupt-parent': [at.pic],
});
/** Properties of an interrupt controller: the cells of an interrupt; no cells for a unit address (Devicetree Specification 0.4, section 2.4). */
const provider = (cells: number): Readonly<Record<string, FdtValue>> => ({
  'interrupt-controller': true,
  '#interrupt-cells': [cells],
  '#address-cells': [0],
});

const uart = ({ base, input }: { base: number; input: number }, n: number): DeviceDeclaration => ({
  name: `uart${n}`,
  base,
  size: 8,
  make: ({ pic, send, time, omissions }) =>
    new Uart16550(`uart${n}`, pic.input(input), { send: (byte) => send(n, byte) }, time, omissions),
  nodes: (at) => [
    node(`serial@${unitAddress(base)}`, {
      compatible: 'ns16550a',
      reg: reg(base, 0x100),
      'clock-frequency': [UART_CLOCK],
      ...onPic(at, input),
    }),
  ],
  acpi: () =>
    aml.device(
      `COM${n}`,
      aml.name('_HID', aml.hid('PNP0501')),
      aml.name('_UID', aml.integer(n)),
      aml.name('_CRS', aml.resources(aml.memory32(base, 8), aml.interrupts(false, gsi(input)))),
    ),
});

const { pchPic, rtc, ged, flash0, flash1, fwCfg, msi, ecam, pciIo, pciMemory, pciInput } = PLATFORM;

/** The number of the interrupt line, one of four, for a pin of a slot. */
const lineOf = (slot: number, pin: number): number => (slot + pin) & 3;
const SLOTS = 32;
const PINS = [0, 1, 2, 3];

/** The root bridge of PCI Express, for ACPI: its windows, and the routing of the interrupt pins of the slots. */
const pciBridge = ({ pciSlots = SLOTS }: Platform): aml.Aml =>
  aml.device(
    'PCI0',
    aml.name('_HID', aml.hid('PNP0A08')),
    aml.name('_CID', aml.hid('PNP0A03')),
    ...['_SEG', '_BBN', '_UID'].map((n) => aml.name(n, aml.integer(0))),
    aml.name('_CCA', aml.integer(1)),
    aml.name(
      '_PRT',
      aml.list(
        ...Array.from({ length: pciSlots }, (_, slot) =>
          PINS.map((pin) =>
            aml.list(
              aml.integer(slot * 0x10000 + 0xffff),
              aml.integer(pin),
              aml.integer(0),
              aml.integer(gsi(pciInput + lineOf(slot, pin))),
            ),
          ),
        ).flat(),
      ),
    ),
    aml.name(
      '_CRS',
      aml.resources(
        aml.busWindow({ min: 0, max: ecam.buses - 1 }),
        aml.ioWindow({ min: pciIo.first, max: pciIo.first + pciIo.size - 1, translation: pciIo.base - pciIo.first }),
        aml.memoryWindow({ min: pciMemory.base, max: pciMemory.base + pciMemory.size - 1 }),
      ),
    ),
    aml.device(
      'RES0',
      aml.name('_HID', aml.hid('PNP0C02')),
      aml.name('_CRS', aml.resources(aml.memory32(ecam.base, ecam.size))),
    ),
  );

/** The same for the device tree. */
const pciNode = (at: Phandles): FdtNode =>
  node(`pcie@${unitAddress(ecam.base)}`, {
    compatible: 'pci-host-ecam-generic',
    device_type: 'pci',
    '#address-cells': [3],
    '#size-cells': [2],
    '#interrupt-cells': [1],
    reg: reg(ecam.base, ecam.size),
    'bus-range': [0, ecam.buses - 1],
    'linux,pci-domain': [0],
    'dma-coherent': true,
    ranges: [
      ...[0x01000000, ...cells64(pciIo.first), ...reg(pciIo.base, pciIo.size)],
      ...[0x02000000, ...cells64(pciMemory.base), ...reg(pciMemory.base, pciMemory.size)],
    ],
    'msi-map': [0, at.msi, 0, 0x10000],
    'interrupt-map-mask': [0x1800, 0, 0, 7],
    'interrupt-map': PINS.flatMap((slot) =>
      PINS.flatMap((pin) => [slot << 11, 0, 0, pin + 1, at.pic, pciInput + lineOf(slot, pin), LEVEL_HIGH]),
    ),
  });

/** The board's memory-mapped devices. */
export const DEVICES: readonly DeviceDeclaration[] = [
  {
    name: 'pch-pic',
    ...pchPic,
    make: ({ pic }) => pic,
    nodes: (at) => [
      node(`platic@${unitAddress(pchPic.base)}`, {
        compatible: 'loongson,pch-pic-1.0',
        reg: reg(pchPic.base, pchPic.size),
        ...provider(2),
        'interrupt-parent': [at.eiointc],
        'loongson,pic-base-vec': [0],
        phandle: [at.pic],
      }),
    ],
  },
  {
    name: 'rtc',
    ...rtc,
    make: ({ time, pic, omissions }) => new Ls7aRtc(time, pic.input(rtc.input), omissions),
    nodes: (at) => [
      node(`rtc@${unitAddress(rtc.base)}`, {
        compatible: 'loongson,ls7a-rtc',
        reg: reg(rtc.base, rtc.size),
        ...onPic(at, rtc.input),
      }),
    ],
  },
  {
    name: 'ged',
    base: ged.base,
    size: ged.size,
    make: ({ power, pic, omissions }) => new Ged(power, pic.input(ged.input), omissions),
    nodes: (at) => [
      node(`ged@${unitAddress(ged.base + ged.sleepControl)}`, {
        compatible: 'syscon',
        reg: reg(ged.base + ged.sleepControl, 3),
        'reg-shift': [0],
        'reg-io-width': [1],
        phandle: [at.power],
      }),
      node('poweroff', {
        compatible: 'syscon-poweroff',
        regmap: [at.power],
        offset: [0],
        value: [ged.powerOffValue],
      }),
      node('reboot', {
        compatible: 'syscon-reboot',
        regmap: [at.power],
        offset: [ged.reset - ged.sleepControl],
        value: [ged.resetValue],
      }),
    ],
    acpi: () => [
      ...aml.device('PWRB', aml.name('_HID', aml.hid('PNP0C0C')), aml.name('_UID', aml.integer(0))),
      ...aml.device(
        'GED0',
        aml.name('_HID', aml.hid('ACPI0013')),
        aml.name('_UID', aml.integer(0)),
        aml.name('_CRS', aml.resources(aml.interrupts(true, gsi(ged.input)))),
        aml.region('EREG', ged.base, 4, [['ESEL', 4]]),
        aml.method('_EVT', 1, aml.notifyIf('ESEL', ged.powerButton, '\\_SB.PWRB', 0x80)),
      ),
    ],
  },
  ...PLATFORM.uarts.map(uart),
  {
    name: 'flash0',
    ...flash0,
    make: ({ firmware, omissions }) => new RomWindow(firmware, omissions),
    nodes: () => [
      node(`flash@${unitAddress(flash0.base)}`, {
        compatible: 'cfi-flash',
        reg: [...reg(flash0.base, flash0.size), ...reg(flash1.base, flash1.size)],
        'bank-width': [4],
      }),
    ],
  },
  { name: 'flash1', ...flash1, make: ({ omissions }) => new Flash(undefined, omissions) },
  {
    name: 'fw-cfg',
    ...fwCfg,
    make: (parts) => parts.fwCfg,
    nodes: () => [
      node(`fw_cfg@${unitAddress(fwCfg.base)}`, {
        compatible: 'qemu,fw-cfg-mmio',
        reg: reg(fwCfg.base, fwCfg.size),
        'dma-coherent': true,
      }),
    ],
  },
  {
    name: 'pch-msi',
    base: msi.base,
    size: msi.size,
    make: (parts) => parts.msi,
    nodes: (at) => [
      node(`msi@${unitAddress(msi.base)}`, {
        compatible: 'loongson,pch-msi-1.0',
        reg: reg(msi.base, msi.size),
        ...provider(1),
        'interrupt-parent': [at.eiointc],
        'msi-controller': true,
        'loongson,msi-base-vec': [msi.firstVector],
        'loongson,msi-num-vecs': [256 - msi.firstVector],
        phandle: [at.msi],
      }),
    ],
  },
  {
    name: 'pcie-ecam',
    base: ecam.base,
    size: ecam.size,
    make: ({ pci }) => pci.configuration,
    nodes: (at) => [pciNode(at)],
    acpi: pciBridge,
  },
  { name: 'pcie-io', base: pciIo.base, size: pciIo.size, make: ({ pci }) => pci.ports },
  { name: 'pcie-memory', base: pciMemory.base, size: pciMemory.size, make: ({ pci }) => pci.memory },
];

/** Cores of a node of Loongson's chips, and the distance of two nodes in the address space. */
const CORES_PER_NODE = 4;
const NODE_STRIDE = 2 ** 44;

/** The devices that the `ls3a5000` board has in addition to {@link DEVICES}. The UARTs are inside the first window, and answer first. */
export const ls3a5000Devices = (cpus: number): readonly DeviceDeclaration[] => [
  uart({ base: 0x1fe001e8, input: PLATFORM.uarts[1]!.input }, 4),
  ...Array.from({ length: Math.ceil(cpus / CORES_PER_NODE) }, (_, n) => ({
    name: `chip${n}`,
    base: n * NODE_STRIDE + 0x1fe00000,
    size: 0x10000,
    make: ({ iocsr, master, omissions }: DeviceParts) => new IocsrWindow(iocsr, master, n, omissions),
  })),
];

/** Address and interrupt of memory-mapped virtio device `n`, and its descriptions in the device tree and in ACPI. */
export function virtioMmioSlot(n: number): {
  readonly base: number;
  readonly input: number;
  readonly node: (at: Phandles) => FdtNode;
  readonly acpi: aml.Aml;
} {
  const { virtioMmio } = PLATFORM;
  const base = virtioMmio.base + n * virtioMmio.size;
  const input = virtioMmio.input + n;
  return {
    base,
    input,
    node: (at) =>
      node(`virtio_mmio@${unitAddress(base)}`, {
        compatible: 'virtio,mmio',
        reg: reg(base, virtioMmio.size),
        'dma-coherent': true,
        ...onPic(at, input),
      }),
    acpi: aml.device(
      `VR0${n}`,
      aml.name('_HID', aml.hid('LNRO0005')),
      aml.name('_UID', aml.integer(n)),
      aml.name('_CCA', aml.integer(1)),
      aml.name('_CRS', aml.resources(aml.memory32(base, virtioMmio.size), aml.interrupts(false, gsi(input)))),
    ),
  };
}
/** Numbers below `count`. */
const below = (count: number): number[] => Array.from({ length: count }, (_, n) => n);

const slots = (count = 0): number[] => below(count);

/** The ACPI descriptions of all devices of a machine. */
export const acpiDevices = (p: Platform): aml.Aml[] => [
  ...DEVICES.map((d) => d.acpi?.(p) ?? []),
  ...slots(p.virtioMmio).map((n) => virtioMmioSlot(n).acpi),
];

/** The nodes of the device tree that do not describe hardware, for programs that get no other information. */
export interface ChosenValues {
  readonly commandLine?: string | undefined;
  readonly initrd?: { readonly base: number; readonly size: number } | undefined;
}

/** The topology of a machine; CPUs have their numbers in its order. */
export const topologyOf = ({ cpus, topology }: Platform): Topology =>
  topology ?? { sockets: 1, cores: cpus, threads: 1 };

/** The CPUs by socket, core and thread. A level of threads is only there if a core has several. */
function cpuMap(p: Platform, at: Phandles): FdtNode {
  const { sockets, cores, threads } = topologyOf(p);
  const cpu = (n: number): Readonly<Record<string, FdtValue>> => ({ cpu: [at.cpu + n] });
  const core = (k: number, first: number): FdtNode =>
    threads === 1
      ? node(`core${k}`, cpu(first))
      : node(
          `core${k}`,
          {},
          below(threads)
            .reverse()
            .map((t) => node(`thread${t}`, cpu(first + t))),
        );
  return node(
    'cpu-map',
    {},
    below(sockets)
      .reverse()
      .map((s) =>
        node(
          `socket${s}`,
          {},
          below(cores)
            .reverse()
            .map((k) => core(k, (s * cores + k) * threads)),
        ),
      ),
  );
}

/** The bus of devices that QEMU can add while it starts: it has none. */
const platformBusNode = (at: Phandles): FdtNode => {
  const { base, size } = PLATFORM.platformBus;
  return node(`platform-bus@${unitAddress(base)}`, {
    compatible: ['qemu,platform', 'simple-bus'],
    '#address-cells': [1],
    '#size-cells': [1],
    ranges: [0, ...cells64(base), size],
    'interrupt-parent': [at.pic],
  });
};

/** Bytes of the random numbers for an operating system. */
const RNG_SEED_BYTES = 32;
/** Runs must repeat, so they follow from the machine's seed and are not secret. */
function rngSeed(seed: number): Uint8Array {
  let x = seed ^ 0x9e3779b9 || 1;
  return Uint8Array.from({ length: RNG_SEED_BYTES }, () => {
    x = xorshift(x);
    return x >>> 11;
  });
}

/**
 * Names of the nodes in the order of QEMU's tree, where what was added last comes first: the second part of RAM before the first
 * one, the last CPU before the others.
 */
const TREE_ORDER = [
  ...[
    'platform-bus',
    'virtio_mmio',
    'poweroff',
    'reboot',
    'ged',
    'rtc',
    'serial',
    'pcie',
    'msi',
    'platic',
    'eiointc',
    'cpuic',
  ],
  ...['flash', 'fw_cfg', 'memory', 'cpus', 'chosen'],
];
const place = ({ name }: FdtNode): number => TREE_ORDER.indexOf(name.replace(/@.*/, ''));

/**
 * The device tree of a machine: QEMU's, node by node and in its order, because small kernels take the first node of a kind
 * (test/board/qemu-tree.test.ts lists each difference, with its reason).
 */
export function deviceTree(platform: Platform, { commandLine, initrd }: ChosenValues = {}): FdtNode {
  const { cpus, ramSize, virtioMmio, seed = 1 } = platform;
  const at = phandles(cpus);
  const all = below(cpus).reverse();
  const nodes = [
    node('chosen', {
      'stdout-path': `/serial@${unitAddress(PLATFORM.uarts[0]!.base)}`,
      'rng-seed': rngSeed(seed),
      ...(commandLine !== undefined && { bootargs: commandLine }),
      ...(initrd && {
        'linux,initrd-start': cells64(initrd.base),
        'linux,initrd-end': cells64(initrd.base + initrd.size),
      }),
    }),
    node('cpus', { '#address-cells': [1], '#size-cells': [0] }, [
      cpuMap(platform, at),
      ...all.map((n) =>
        node(`cpu@${unitAddress(n)}`, {
          device_type: 'cpu',
          compatible: 'loongarch,Loongson-3A5000',
          reg: [n],
          phandle: [at.cpu + n],
        }),
      ),
    ]),
    ...[...memoryRanges(ramSize)]
      .reverse()
      .map(({ base, size }) => node(`memory@${unitAddress(base)}`, { device_type: 'memory', reg: reg(base, size) })),
    node('cpuic', {
      compatible: 'loongson,cpu-interrupt-controller',
      ...provider(1),
      phandle: [at.cpuic],
    }),
    node('eiointc@1400', {
      compatible: 'loongson,ls2k2000-eiointc',
      reg: reg(0x1400, 0x800),
      ...provider(1),
      'interrupt-parent': [at.cpuic],
      interrupts: [PLATFORM.eiointcPin],
      phandle: [at.eiointc],
    }),
    ...DEVICES.flatMap((d) => d.nodes?.(at) ?? []),
    // Devices in the space of the bus have nodes of their own: kernels do not look below a bus for virtio_mmio.
    ...(virtioMmio ? slots(virtioMmio).map((n) => virtioMmioSlot(n).node(at)) : [platformBusNode(at)]),
  ];
  return node(
    '',
    { '#address-cells': [2], '#size-cells': [2], compatible: 'linux,dummy-loongson3' },
    nodes.sort((a, b) => place(a) - place(b)),
  );
}
