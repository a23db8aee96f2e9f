/** Runs the programs of test/board/programs, on the emulator and on QEMU, with the same cards. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { nodeRuntime } from '../../src/cli/node-runtime.ts';
import type { Card } from '../../src/emu/board/cards.ts';
import { parseElf } from '../../src/emu/boot/elf.ts';
import { featuresOf } from '../../src/emu/cpu/features.ts';
import type { Disk } from '../../src/emu/devices/virtio/block.ts';
import { Machine } from '../../src/emu/machine/machine.ts';
import { watchIfAsked } from './observers.ts';

export const boardProgram = (name: string): string =>
  fileURLToPath(new URL(`../../build/board/${name}.elf`, import.meta.url));

/** A disk in memory. */
export class MemoryDisk implements Disk {
  readonly bytes: Uint8Array;
  readonly readOnly: boolean;
  flushes = 0;

  constructor(sectors: number, readOnly = false) {
    this.bytes = new Uint8Array(512 * sectors);
    this.readOnly = readOnly;
  }

  get size(): number {
    return this.bytes.length;
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset, offset + length);
  }

  write(offset: number, data: Uint8Array): void {
    this.bytes.set(data, offset);
  }

  flush(): void {
    this.flushes++;
  }
}

/** A disk with random content, and the same disk with calls that fail while `switched.broken` is true. */
export function failingDisk(
  sectors: number,
  random: () => number,
): { readonly below: MemoryDisk; readonly failing: MemoryDisk; readonly switched: { broken: boolean } } {
  const below = new MemoryDisk(sectors);
  below.bytes.forEach((_, n) => {
    below.bytes[n] = random() & 0xff;
  });
  const switched = { broken: false };
  const failing = new Proxy(below, {
    get: (target, name) => {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        if (switched.broken) throw new Error('EIO');
        return Reflect.apply(value, target, args);
      };
    },
  });
  return { below, failing, switched };
}

/** A machine that has a program loaded, and what it prints. */
export function machineWith(
  name: string,
  cards: readonly Card[],
): { readonly machine: Machine; readonly text: () => string } {
  const output: number[] = [];
  const machine = new Machine({
    runtime: nodeRuntime,
    ramSize: 64 << 20,
    cpus: 1,
    features: featuresOf('max'),
    seed: 1,
    console: (b) => output.push(b),
    cards,
  });
  watchIfAsked(machine);
  const file = boardProgram(name);
  machine.load({ image: parseElf(readFileSync(file), file), commandLine: '', extra: [] });
  return { machine, text: () => Buffer.from(output).toString('latin1') };
}

/** What a program prints. @throws Error when it does not come to its end */
export function runHere(name: string, cards: readonly Card[]): string {
  const { machine, text } = machineWith(name, cards);
  for (let slices = 0; slices < 50 && machine.run(2_000_000) === 'slice'; slices++);
  if (!machine.poweredOff) throw new Error(`${name} does not come to its end; it printed:\n${text()}`);
  return text();
}

/** The same on QEMU. @param cards its options */
export async function runOnQemu(qemu: string, name: string, cards: readonly string[]): Promise<string> {
  const [command, ...args] = qemu.split(' ');
  const { stdout } = await execa(
    command!,
    // biome-ignore format: options and their values
    [
      ...args, '-M', 'virt', '-cpu', 'max', '-m', '256M', '-display', 'none', '-serial', 'stdio', '-monitor', 'none', '-no-reboot',
      '-kernel', boardProgram(name), ...cards,
    ],
    { timeout: 60_000 },
  );
  return stdout;
}
