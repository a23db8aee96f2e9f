/** Any access to any device of the boards, with RAM for those that read it. */
import { BOARD_MODELS } from '../../../src/emu/board/platform.ts';
import { type Input, Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import { type Side, Twin } from '../twin.ts';

const SIZES = [1, 2, 4, 8] as const;
const CPUS = 2;
const OPERATION = { read: 0, write: 1, poke: 2, time: 3, input: 4, flag: 5 } as const;
const OPERATIONS = Object.keys(OPERATION).length;
const TICKS = 100_000;

const twins = new Map(BOARD_MODELS.map((model) => [model, new Twin(() => ({ model, cpus: CPUS }))]));

/** A place in a device: small devices anywhere in them, large ones near their beginning or anywhere. */
function place(side: Side, input: Input): number {
  const { mappings } = side.machine.bus;
  const { base, device } = mappings[input.u8() % mappings.length]!;
  const offset = device.size > 0x10000 ? input.u32() : input.u16();
  return base + (offset % device.size);
}

function operation(side: Side, input: Input): void {
  const code = input.u8();
  const { machine } = side;
  machine.bus.master = (code >> 6) % CPUS;
  switch ((code & 0x3f) % OPERATIONS) {
    case OPERATION.read:
      side.read(place(side, input), SIZES[input.u8() & 3]!);
      return;
    case OPERATION.write:
      side.write(place(side, input), SIZES[input.u8() & 3]!, input.i32(), input.i32());
      return;
    case OPERATION.poke:
      side.poke(input.u32() & 0x1fffff, input.bytes(input.u8() & 31));
      return;
    case OPERATION.time:
      machine.time += (input.u8() + 1) * TICKS;
      return;
    case OPERATION.input:
      machine.consoleInput(input.bytes(input.u8() & 31));
      return;
    case OPERATION.flag:
      // A debugger looks, and changes nothing.
      side.seen.push(Number(machine.bus.read(place(side, input), 4, true)));
      return;
  }
}

export const fuzz: Target = guarded({
  run: (data) => twins.get(BOARD_MODELS[data[0] === 0 ? 0 : 1])!.run(data.subarray(1), operation),
});

/** Each device: a read and a write of each width at its first registers. */
export const seeds = (): Uint8Array[] =>
  Array.from({ length: 24 }, (_, n) => {
    const out = new Output().u8(n & 1);
    for (let at = 0; at < 0x40; at += 8)
      for (const size of [0, 1, 2, 3])
        out
          .u8(OPERATION.write, n)
          .u16(at)
          .u8(size)
          .u32(0x20 + at, at)
          .u8(0, n)
          .u16(at)
          .u8(size);
    return out.finish();
  });

export const dictionary: readonly Uint8Array[] = [];
