import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { guestPath, HYPERVISOR } from '../../src/cli/paths.ts';
import { type ElfImage, parseElf } from '../../src/emu/boot/elf.ts';
import { CSR } from '../../src/emu/cpu/csr-table.ts';
import { ImageError } from '../../src/emu/formats/image-error.ts';
import { TestMachine } from '../support/test-machine.ts';

const UART = 0x1fe001e0;

/** Reads or writes an IOCSR of CPU 0. */
function iocsr(bench: TestMachine, address: number, size: number): bigint {
  bench.machine.iocsr.read(bench.cpu.index, address, size);
  return (BigInt(bench.machine.iocsr.hi >>> 0) << 32n) | BigInt(bench.machine.iocsr.lo >>> 0);
}
const setIocsr = (bench: TestMachine, address: number, size: number, lo: number, hi = 0): void =>
  bench.machine.iocsr.write(bench.cpu.index, address, size, lo, hi);

describe('devices', () => {
  test('UART: sends, reports an idle line, receives through the FIFO', () => {
    const bench = new TestMachine();
    const { bus } = bench.machine;
    for (const c of 'hi') bus.write(UART, 1, c.charCodeAt(0), 0);
    expect(String.fromCharCode(...bench.output)).toBe('hi');
    bus.read(UART + 5, 1);
    expect(bus.lo).toBe(0x60);
    bench.machine.consoleInput(Uint8Array.from([65, 66]));
    bus.read(UART + 5, 1);
    expect(bus.lo & 1).toBe(1);
    const got = [0, 0].map(() => {
      bus.read(UART, 1);
      return bus.lo;
    });
    expect(got).toEqual([65, 66]);
  });

  test('the power button: an event that a read takes, and a pulse of the interrupt line', () => {
    const bench = new TestMachine();
    const { machine } = bench;
    const { bus } = machine;
    bus.write(0x10000000 + 0x207, 1, 9, 0); // HTVEC[7] = vector 9
    bus.write(0x10000000 + 0x60, 4, 1 << 7, 0); // by edge, as the ACPI tables say
    bus.write(0x10000000 + 0x20, 4, ~(1 << 7), 0); // unmask input 7
    setIocsr(bench, 0x1600, 4, 1 << 9); // EIOINTC enable
    setIocsr(bench, 0x1c09, 1, 1); // COREMAP: core 0
    setIocsr(bench, 0x14c0, 1, 2); // IPMAP: HWI1
    machine.pressPowerButton();
    expect(bench.cpu.lines).toBe(1 << 3);
    bus.read(0x100e0000, 4);
    expect(bus.lo).toBe(2);
    bus.read(0x100e0000, 4);
    expect(bus.lo).toBe(0);
    machine.pressPowerButton();
    machine.reset();
    bus.read(0x100e0000, 4);
    expect(bus.lo).toBe(0);
  });

  test('UART interrupt reaches ESTAT through PCH-PIC and EIOINTC, and goes away again', () => {
    const bench = new TestMachine();
    const { bus } = bench.machine;
    bus.write(0x10000000 + 0x202, 1, 9, 0); // HTVEC[2] = vector 9
    bus.write(0x10000000 + 0x20, 4, ~4, 0); // unmask input 2
    setIocsr(bench, 0x14c0, 1, 2); // group 0 to pin 1
    setIocsr(bench, 0x1600, 4, 1 << 9);
    bus.write(UART + 1, 1, 1, 0); // receive interrupt
    expect(bench.host(CSR.ESTAT)).toBe(0n);
    bench.machine.consoleInput(Uint8Array.from([65]));
    expect(bench.host(CSR.ESTAT)).toBe(8n);
    expect(iocsr(bench, 0x1800, 4)).toBe(1n << 9n);
    bus.read(UART, 1);
    expect([bench.host(CSR.ESTAT), iocsr(bench, 0x1800, 4)]).toEqual([0n, 0n]);
  });

  test('EIOINTC: write 1 clears, a disabled vector waits, another core takes it', () => {
    const bench = new TestMachine({ cpus: 2 });
    const { bus } = bench.machine;
    bus.write(0x10000000 + 0x202, 1, 40, 0);
    bus.write(0x10000000 + 0x20, 4, ~4, 0);
    bus.write(UART + 1, 1, 2, 0); // transmit interrupt: the line rises at once
    expect(bench.host(CSR.ESTAT)).toBe(0n);
    setIocsr(bench, 0x1604, 4, 1 << 8);
    expect(bench.host(CSR.ESTAT)).toBe(4n);
    setIocsr(bench, 0x1c00 + 40, 1, 2);
    expect([bench.host(CSR.ESTAT), bench.machine.cpus[1]!.host.get(CSR.ESTAT)]).toEqual([0n, 4n]);
    bench.machine.iocsr.write(1, 0x1804, 4, 1 << 8, 0);
    expect(bench.machine.cpus[1]!.host.get(CSR.ESTAT)).toBe(0n);
  });

  test('IPI: set, enable, clear, send to another CPU, masked mail', () => {
    const bench = new TestMachine({ cpus: 2 });
    setIocsr(bench, 0x1008, 4, 1);
    expect(bench.host(CSR.ESTAT)).toBe(0n);
    setIocsr(bench, 0x1004, 4, 1);
    expect(bench.host(CSR.ESTAT)).toBe(0x1000n);
    setIocsr(bench, 0x100c, 4, 1);
    expect(bench.host(CSR.ESTAT)).toBe(0n);
    const other = bench.machine.cpus[1]!;
    bench.machine.iocsr.write(1, 0x1004, 4, -1, 0);
    setIocsr(bench, 0x1040, 4, (1 << 16) | 5);
    expect(other.host.get(CSR.ESTAT)).toBe(0x1000n);
    setIocsr(bench, 0x1020, 4, 0xdeadbeef | 0);
    setIocsr(bench, 0x1048, 8, 0b0101 << 27, 0xaabbccdd | 0);
    expect(iocsr(bench, 0x1020, 4)).toBe(0xaaadccefn);
  });

  test('identity registers, and 0 where nothing is', () => {
    const bench = new TestMachine();
    expect([iocsr(bench, 0, 8), iocsr(bench, 8, 8), iocsr(bench, 0x10, 8), iocsr(bench, 0x20, 8)]).toEqual([
      0x11n,
      0x1cn,
      0x6e6f73676e6f6f4cn,
      0x0000303030354133n,
    ]);
    expect(iocsr(bench, 0x5000, 8)).toBe(0n);
    setIocsr(bench, 0x420, 8, 0, 1 << 16);
    expect(iocsr(bench, 0x420, 8)).toBe(1n << 48n);
  });

  test('GED powers off on 0x34 and resets on 0x42', () => {
    const off = new TestMachine({ code: ['st.b $a0, $a1, 0', 'b 0'] }).set({ a0: 0x34, a1: 0x100e001c });
    expect(off.machine.run(100)).toBe('poweroff');
    const reset = new TestMachine({ code: ['addi.d $a2, $a2, 1', 'st.b $a0, $a1, 0', 'b 0'] }).set({
      a0: 0x42,
      a1: 0x100e001e,
    });
    expect(reset.machine.run(100)).toBe('slice');
    // a2 is the boot protocol's again: the EFI system table.
    expect(reset.get('a2')).toBe(0x200n);
  });

  test('reports name the device at each of its addresses, to the last', () => {
    const { bus } = new TestMachine().machine;
    const name = (pa: number): string | undefined => bus.at(pa)?.device.name;
    expect([name(UART - 1), name(UART), name(UART + 7), name(UART + 8)]).toEqual([
      undefined,
      'uart0',
      'uart0',
      undefined,
    ]);
  });

  test('a hole in the address space raises ADEM, not silence', () => {
    const bench = new TestMachine({ code: ['ld.w $a0, $a1, 0'] })
      .set({ a1: 0x18000000 })
      .setHost({ EENTRY: 0x40000 })
      .run(1);
    expect(bench.ecode()).toBe(8);
  });
});

describe('ELF images', () => {
  const good = new Uint8Array(readFileSync(HYPERVISOR));
  const change = (f: (b: Uint8Array) => Uint8Array | undefined): Uint8Array => {
    const copy = good.slice();
    return f(copy) ?? copy;
  };

  test('the hypervisor loads at its physical address', () => {
    const elf = parseElf(good, 'hv.elf');
    expect(elf.entry).toBe(0x1000000n);
    expect(elf.segments[0]!.paddr).toBe(0x1000000n);
    expect(elf.segments[0]!.vaddr).toBe(0x9000000001000000n);
  });

  test.each([
    ['an empty file', () => new Uint8Array(0), /0 bytes long/],
    ['text', () => new TextEncoder().encode('#!/bin/sh\n'.repeat(20)), /not an ELF file/],
    [
      'a 32-bit ELF',
      (b: Uint8Array) => {
        b.set([1], 4);
        return b;
      },
      /not a little-endian ELF64/,
    ],
    [
      'another machine',
      (b: Uint8Array) => {
        b.set([0x3e, 0], 18);
        return b;
      },
      /machine 62, not LoongArch/,
    ],
    ['a cut file', (b: Uint8Array) => b.slice(0, 5000), /truncated/],
    ['cut program headers', (b: Uint8Array) => b.slice(0, 80), /truncated inside its program headers/],
    [
      'no segments',
      (b: Uint8Array) => {
        b.set([0, 0], 56);
        return b;
      },
      /nothing to load/,
    ],
    [
      'an impossible size',
      (b: Uint8Array) => {
        b.fill(0xff, 64 + 40, 64 + 48);
        return b;
      },
      /impossible size/,
    ],
  ])('%s is refused with its reason', (_, make, message) => {
    const bytes = change(make as (b: Uint8Array) => Uint8Array | undefined);
    expect(() => parseElf(bytes, 'x.elf')).toThrow(ImageError);
    expect(() => parseElf(bytes, 'x.elf')).toThrow(message);
  });

  test('random damage never does more than an error', () => {
    for (let n = 0; n < 300; n++) {
      const bytes = change((b) => {
        for (let k = 0; k < 8; k++) b[(n * 7919 + k * 104729) % 4096] = (n * 31 + k) & 0xff;
      });
      try {
        parseElf(bytes, 'x.elf');
      } catch (error) {
        expect(error).toBeInstanceOf(ImageError);
      }
    }
  });

  test('segments and entries outside RAM are refused', () => {
    const bench = new TestMachine();
    const data = new Uint8Array(8);
    const segment = { paddr: 0x7000_0000n, vaddr: 0n, memsz: 8, data };
    const load = (image: ElfImage, commandLine = ''): void => bench.machine.load({ image, commandLine, extra: [] });
    expect(() => load({ entry: 0x10000n, segments: [segment] })).toThrow(/not in RAM/);
    expect(() => load({ entry: 0x7000_0000n, segments: [{ ...segment, paddr: 0x10000n }] })).toThrow(
      /entry 0x70000000/,
    );
    expect(() => load({ entry: 0x10000n, segments: [] }, 'x'.repeat(4600))).toThrow(/shorten/);
  });

  test('guests are ELF executables of their own', () => {
    for (const name of ['hello', 'paging', 'timer', 'privileged', 'crash', 'two'])
      expect(parseElf(new Uint8Array(readFileSync(guestPath(name))), name).entry).toBe(0x200000n);
  });
});
