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
    target.writeByte(0, ENABLE + 1, 1 << (VECTOR & 7));
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

describe('snapshots of interrupt controllers', () => {
  test('EIOINTC: the pins of vectors, and what software has left in BOUNCE', () => {
    const { device } = eiointc();
    device.writeByte(0, IPMAP, 4); // vectors 0 to 31 to pin 2
    device.writeByte(0, BOUNCE + 3, 0x5a);
    device.writeByte(0, ENABLE, 2);
    const other = eiointc();
    restoreFields(other.device, saveFields(device));
    other.device.set(1, true);
    expect([other.pins(), other.device.readByte(0, BOUNCE + 3)]).toEqual([1 << (2 + 2), 0x5a]);
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
