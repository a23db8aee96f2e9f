/** Interrupt controllers alone: what is latched, acknowledged, routed, and kept in a snapshot. */
import { describe, expect, test } from 'vitest';
import { Eiointc } from '../../src/emu/devices/eiointc.ts';
import { PchPic } from '../../src/emu/devices/pch-pic.ts';
import { PciFunction } from '../../src/emu/devices/pci/function.ts';
import { PciRootComplex } from '../../src/emu/devices/pci/root-complex.ts';
import { restoreFields, saveFields } from '../../src/emu/state/fields.ts';

const ENABLE = 0x1600;
const IPMAP = 0x14c0;
const BOUNCE = 0x1680;

/** An EIOINTC for one CPU, and the pins that it drives. */
function eiointc(): { readonly device: Eiointc; readonly pins: () => number } {
  let pins = 0;
  const device = new Eiointc(1, (_, line, level) => {
    pins = level ? pins | (1 << line) : pins & ~(1 << line);
  });
  return { device, pins: () => pins };
}

describe('PCH-PIC', () => {
  const VECTOR = 9;
  const CLEAR = 0x80;
  /** Input 2 unmasked, and sent to a vector that is enabled. */
  function pic(edge: boolean): { readonly device: PchPic; readonly raised: () => boolean; readonly irr: () => number } {
    const { device: target, pins } = eiointc();
    target.write(0, ENABLE, 1 << VECTOR, -1);
    const device = new PchPic(target);
    device.write(0x202, 1, VECTOR);
    device.write(0x60, 4, edge ? 4 : 0);
    device.write(0x20, 4, ~4);
    return { device, raised: () => pins() !== 0, irr: () => device.read(0x380, 4) };
  }

  test('an edge stays when its line falls, and goes when software clears it', () => {
    const { device, raised, irr } = pic(true);
    device.input(2)(true);
    device.input(2)(false);
    expect([raised(), irr()]).toEqual([true, 4]);
    device.write(CLEAR, 4, ~4);
    expect([raised(), irr()]).toEqual([true, 4]);
    device.write(CLEAR, 4, 4);
    expect([raised(), irr(), device.read(0x3a0, 4)]).toEqual([false, 0, 0]);
    device.input(2)(true);
    expect([raised(), irr()]).toEqual([true, 4]);
  });

  test('a level cannot be cleared while its line is high', () => {
    const { device, raised, irr } = pic(false);
    device.input(2)(true);
    device.write(CLEAR, 4, 4);
    expect([raised(), irr()]).toEqual([true, 4]);
    device.input(2)(false);
    expect([raised(), irr()]).toEqual([false, 0]);
  });
});

describe('PCH-PIC, what becomes of requests', () => {
  const [MASK, EDGE, CLEAR, ROUTE, VECTORS, ISR0, ISR1, IRR, ISR] = [
    0x20, 0x60, 0x80, 0x100, 0x200, 0x300, 0x320, 0x380, 0x3a0,
  ];
  /** The PIC alone: what it says to the EIOINTC. */
  function pic(): { readonly device: PchPic; readonly said: () => string[] } {
    const lines: string[] = [];
    const target = { set: (vector: number, level: boolean) => void lines.push(`${level ? '+' : '-'}${vector}`) };
    return { device: new PchPic(target as unknown as Eiointc), said: () => lines.splice(0) };
  }

  test('after a reset every input is masked and has a vector of its own (7A1000 manual, HTMSI_VECTOR)', () => {
    const { device } = pic();
    expect([device.read(MASK, 4), device.read(MASK + 4, 4)]).toEqual([0xffffffff, 0xffffffff]);
    expect([device.read(VECTORS + 4, 4), device.read(VECTORS + 0x20, 4)]).toEqual([0x07060504, 0x43424140]);
  });

  test.each(['level', 'edge'])(
    'a raise of a line that is high is looked at again, with mask and vector as they are now: %s',
    (kind) => {
      const { device, said } = pic();
      const line = device.input(2);
      line(true);
      if (kind === 'edge') device.write(EDGE, 4, 4);
      line(true);
      expect(said()).toEqual([]);
      device.write(VECTORS + 2, 1, 9);
      device.write(MASK, 4, ~4);
      expect(said()).toEqual(['+9']);
      device.write(VECTORS + 2, 1, 12);
      line(true);
      // The old vector is not left high.
      expect(said()).toEqual(['-9', '+12']);
      line(true);
      expect(said()).toEqual(['+12']);
      line(false);
      expect(said()).toEqual(kind === 'edge' ? [] : ['-12']);
    },
  );

  test('masking takes a request back, unmasking sends it again', () => {
    const { device, said } = pic();
    device.write(MASK, 4, ~4);
    device.input(2)(true);
    device.write(MASK, 4, -1);
    expect([said(), device.read(ISR, 4), device.read(IRR, 4)]).toEqual([['+2', '-2'], 0, 4]);
    device.write(MASK, 4, ~4);
    expect([said(), device.read(ISR, 4)]).toEqual([['+2'], 4]);
  });

  test('a vector that two inputs share stays high until both have let go', () => {
    const { device, said } = pic();
    device.write(VECTORS + 3, 1, 2);
    device.write(MASK, 4, ~0xc);
    device.input(2)(true);
    device.input(3)(true);
    device.input(2)(false);
    expect(said()).toEqual(['+2', '+2']);
    device.input(3)(false);
    expect(said()).toEqual(['-2']);
  });

  test('an edge that becomes a level is what its line is', () => {
    const { device, said } = pic();
    device.write(EDGE, 4, 4);
    device.write(MASK, 4, ~4);
    device.input(2)(true);
    device.input(2)(false);
    expect([said(), device.read(IRR, 4)]).toEqual([['+2'], 4]);
    device.write(EDGE, 4, 0);
    expect([said(), device.read(IRR, 4)]).toEqual([['-2'], 0]);
  });

  test('ROUTE_ENTRY selects the status register of an output; one byte of a register changes one byte', () => {
    const { device } = pic();
    device.write(ROUTE + 2, 1, 2);
    device.write(MASK, 1, 0xf3);
    device.input(2)(true);
    device.input(3)(true);
    expect([ISR0, ISR1, ISR].map((at) => device.read(at, 4))).toEqual([8, 4, 0xc]);
    expect(device.read(MASK, 4)).toBe(0xfffffff3);
    device.write(CLEAR, 4, -1);
    expect(device.read(ISR, 4)).toBe(0xc);
  });
});

describe('EIOINTC, register by register', () => {
  const [SEND, NODES, MAP, ISR, OWN, CORES] = [0x1140, 0x14a0, 0x14c0, 0x1700, 0x1800, 0x1c00];
  function several(cpus: number): { readonly device: Eiointc; readonly pins: number[] } {
    const pins = new Array<number>(cpus).fill(0);
    const device = new Eiointc(cpus, (cpu, line, level) => {
      pins[cpu] = level ? pins[cpu]! | (1 << line) : pins[cpu]! & ~(1 << line);
    });
    return { device, pins };
  }

  test('a message for a disabled vector waits, is delivered once, and not again', () => {
    const { device, pins } = several(1);
    device.message(33);
    expect([pins, device.read(0, ISR + 4)]).toEqual([[0], 2]);
    device.write(0, ENABLE + 4, 2, -1);
    expect([pins, device.read(0, OWN + 4)]).toEqual([[4], 2]);
    device.write(0, OWN + 4, 2, -1);
    device.write(0, ENABLE + 4, 0, -1);
    device.write(0, ENABLE + 4, 2, -1);
    expect([pins, device.read(0, ISR + 4)]).toEqual([[0], 0]);
  });

  test('a latched vector that is disabled waits until it is enabled', () => {
    const { device, pins } = several(1);
    device.write(0, ENABLE, 1, -1);
    device.message(0);
    device.write(0, ENABLE, 0, -1);
    expect(pins).toEqual([0]);
    device.write(0, ENABLE, 1, -1);
    expect(pins).toEqual([4]);
  });

  test('EXT_IOI_send latches a vector', () => {
    const { device, pins } = several(1);
    device.write(0, ENABLE, 1 << 7, -1);
    device.write(0, SEND, 7, -1);
    expect([pins, device.read(0, OWN)]).toEqual([[4], 1 << 7]);
  });

  test('the node of EXT_IOImap_Core is one of EXT_IOI_node_type; none is node 0', () => {
    const { device, pins } = several(8);
    device.write(0, ENABLE, 1, -1);
    device.write(0, CORES, 0x32, 0xff);
    device.message(0);
    expect(pins).toEqual([0, 4, 0, 0, 0, 0, 0, 0]);
    // Type 3 is node 1: the vector moves.
    device.write(0, NODES + 4, 2 << 16, -65536);
    device.write(0, CORES, 0x32, 0xff);
    expect(pins).toEqual([0, 0, 0, 0, 0, 4, 0, 0]);
  });

  test('EXT_IOIbounce: the cores of a vector take it in turns; without it the first takes it', () => {
    const { device } = several(8);
    device.write(0, ENABLE, 1, -1);
    device.write(0, NODES, 3, 0xffff);
    device.write(0, CORES, 0x05, 0xff);
    const takes = (): number => {
      device.message(0);
      const cpu = Array.from({ length: 8 }, (_, n) => device.read(n, OWN)).indexOf(1);
      device.write(cpu, OWN, 1, -1);
      return cpu;
    };
    expect([takes(), takes()]).toEqual([0, 0]);
    device.write(0, BOUNCE, 1, -1);
    expect([takes(), takes(), takes(), takes()]).toEqual([2, 4, 6, 0]);
  });

  test('INT_encode: EXT_IOImap has the number of a pin', () => {
    const { device, pins } = several(1);
    device.write(0, ENABLE, 1, -1);
    device.write(0, MAP, 5, 0xff);
    device.message(0);
    expect(pins).toEqual([1 << 2]);
    device.setPinEncode(true);
    expect(pins).toEqual([1 << (2 + 5)]);
  });
});

describe('snapshots of interrupt controllers', () => {
  test('EIOINTC: the pins of vectors, and what software has left in BOUNCE', () => {
    const { device } = eiointc();
    device.write(0, IPMAP, 4, -1); // vectors 0 to 31 to pin 2
    device.write(0, BOUNCE, 0x5a000000, -1);
    device.write(0, ENABLE, 2, -1);
    const other = eiointc();
    restoreFields(other.device, saveFields(device));
    other.device.set(1, true);
    expect([other.pins(), other.device.read(0, BOUNCE)]).toEqual([1 << (2 + 2), 0x5a000000]);
  });

  test('PCI: a line that two slots share stays high until both have let go', () => {
    class Puller extends PciFunction {
      pull(level: boolean): void {
        this.setIntx(level);
      }
    }
    const make = (): { readonly host: PciRootComplex; readonly pullers: Puller[]; readonly high: () => boolean } => {
      let high = false;
      const host = new PciRootComplex({
        lines: [0, 1, 2, 3].map((n) => (level) => {
          if (n === 1) high = level;
        }),
        message: () => {},
        firstPort: 0x4000,
        memoryBase: 0,
      });
      const id = { vendor: 1, device: 1, revision: 0, classCode: 0, subVendor: 0, subDevice: 0 };
      // Slots 1 to 5; 1 and 5 share a line.
      const pullers = Array.from({ length: 5 }, (_, n) => new Puller(`f${n}`, id));
      for (const f of pullers) host.add(f);
      return { host, pullers, high: () => high };
    };
    const first = make();
    first.pullers[0]!.pull(true);
    first.pullers[4]!.pull(true);
    const saved = first.host.parts().map(saveFields);
    const second = make();
    second.host.parts().forEach((part, n) => {
      restoreFields(part, saved[n]!);
    });
    second.pullers[0]!.pull(false);
    expect(second.high()).toBe(true);
    second.pullers[4]!.pull(false);
    expect(second.high()).toBe(false);
  });
});
