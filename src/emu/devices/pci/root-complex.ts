/** The PCI Express root complex: configuration space by ECAM, windows for memory and I/O ports, four interrupt lines. */
import type { Stateful, Wiring } from '../../state/fields.ts';
import type { Device, Line, Width } from '../device.ts';
import { PciFunction } from './function.ts';

const SLOTS = 32;
const LINES = 4;
const ALL_ONES: Readonly<Record<Width, number>> = { 1: 0xff, 2: 0xffff, 4: 0xffffffff };

/** The host bridge function, as in QEMU's generic PCI Express bridge. */
class HostBridge extends PciFunction {
  constructor() {
    super('pci-host', {
      vendor: 0x1b36,
      device: 0x0008,
      revision: 0,
      classCode: 0x060000,
      subVendor: 0x1af4,
      subDevice: 0x1100,
    });
    this.seal();
  }
}

export interface PciRootComplexPorts {
  /** The four interrupt lines. The pins of the slots share them. */
  readonly lines: readonly Line[];
  /** A message-signalled interrupt of a function. */
  readonly message: (address: number, data: number) => void;
  /** Address of the memory window: addresses on the PCI bus are the same as those of the CPU. */
  readonly memoryBase: number;
  /** The first I/O port of the window for ports. */
  readonly firstPort: number;
}

export class PciRootComplex implements Stateful {
  readonly stateFields = ['pulls'];
  static readonly wiring: Wiring = {
    functions: 'each a part of its own',
    ports_: 'the board',
  };
  private readonly functions: (PciFunction | undefined)[] = new Array(SLOTS).fill(undefined);
  private readonly ports_: PciRootComplexPorts;
  /** The slots that raise each line. */
  private readonly pulls = new Uint32Array(LINES);
  readonly configuration: Device;
  readonly memory: Device;
  readonly ports: Device;

  constructor(ports: PciRootComplexPorts) {
    this.ports_ = ports;
    this.configuration = this.device('pcie-ecam', 0x8000000, {
      read: (offset, width) => this.at(offset)?.readConfig(offset & 0xfff, width) ?? ALL_ONES[width],
      peek: (offset, width) => this.at(offset)?.peekConfig(offset & 0xfff, width) ?? ALL_ONES[width],
      write: (offset, width, value) => this.at(offset)?.writeConfig(offset & 0xfff, width, value),
    });
    this.memory = this.window('pcie-memory', 0x40000000, (offset) => this.find(offset + ports.memoryBase, false));
    this.ports = this.window('pcie-io', 0xc000, (offset) => this.find(offset + ports.firstPort, true));
    this.add(new HostBridge());
  }

  private device(name: string, size: number, access: Pick<Device, 'read' | 'write' | 'peek'>): Device {
    return { name, size, reset: () => {}, ...access };
  }

  /** A window in which base address registers place spaces. */
  private window(name: string, size: number, find: (offset: number) => ReturnType<PciFunction['find']>): Device {
    return this.device(name, size, {
      read: (offset, width) => {
        const hit = find(offset);
        return hit ? hit.space.read(hit.offset, width) : ALL_ONES[width];
      },
      peek: (offset, width) => {
        const hit = find(offset);
        return hit ? (hit.space.peek ?? hit.space.read)(hit.offset, width) : ALL_ONES[width];
      },
      write: (offset, width, value) => {
        const hit = find(offset);
        hit?.space.write(hit.offset, width, value);
      },
    });
  }

  /** Puts a function into a slot; default: the first that is free. @returns its slot @throws Error when it is taken */
  add(f: PciFunction, slot = this.functions.indexOf(undefined)): number {
    if (slot < 0 || slot >= SLOTS || this.functions[slot]) throw new Error('PCI: no slot is left');
    this.functions[slot] = f;
    const line = slot & (LINES - 1);
    f.connect({
      intx: (level) => {
        const bit = 1 << slot;
        this.pulls[line] = level ? this.pulls[line]! | bit : this.pulls[line]! & ~bit;
        this.ports_.lines[line]!(this.pulls[line] !== 0);
      },
      message: this.ports_.message,
    });
    return slot;
  }

  /** The function at an offset of the ECAM window: bus 0, function 0 of a slot. */
  private at(offset: number): PciFunction | undefined {
    const slot = offset >>> 15;
    return (offset & 0x7000) === 0 && slot < SLOTS ? this.functions[slot] : undefined;
  }

  private find(address: number, io: boolean): ReturnType<PciFunction['find']> {
    for (const f of this.functions) {
      const hit = f?.find(address, io);
      if (hit) return hit;
    }
    return undefined;
  }

  /** All functions, by slot. */
  get list(): readonly { readonly slot: number; readonly function: PciFunction }[] {
    return this.functions.flatMap((f, slot) => (f ? [{ slot, function: f }] : []));
  }

  reset(): void {
    for (const f of this.functions) f?.reset();
  }

  /** The lines, and the functions with what belongs to them. */
  parts(): Stateful[] {
    return [this, ...this.list.flatMap((l) => l.function.parts())];
  }
}
