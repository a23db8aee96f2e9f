/** Any access to the IOCSR space, by each of four CPUs. */
import { type Input, Output } from '../input.ts';
import { guarded, type Target } from '../oracle.ts';
import { type Side, Twin } from '../twin.ts';

const SIZES = [1, 2, 4, 8] as const;
const CPUS = 4;
const OPERATION = { read: 0, write: 1, look: 2 } as const;
const OPERATIONS = Object.keys(OPERATION).length;
/** The virt extension of the interrupt controller is far above the rest. */
const FAR = 0x40000000;

const twin = new Twin(() => ({ cpus: CPUS }));

function operation(side: Side, input: Input): void {
  const code = input.u8();
  const cpu = (code >> 2) % CPUS;
  const size = SIZES[(code >> 4) & 3]!;
  const wide = code >> 6;
  const address =
    wide === 0
      ? input.u16()
      : wide === 1
        ? 0x1000 + (input.u16() & 0xfff)
        : wide === 2
          ? FAR + input.u8()
          : input.i32();
  const { iocsr } = side.machine;
  switch ((code & 3) % OPERATIONS) {
    case OPERATION.read:
      iocsr.read(cpu, address, size);
      side.seen.push(iocsr.lo, iocsr.hi);
      return;
    case OPERATION.write:
      iocsr.write(cpu, address, size, input.i32(), input.i32());
      return;
    case OPERATION.look:
      // A debugger looks, and changes nothing.
      iocsr.read(cpu, address, size, true);
      side.seen.push(iocsr.lo, iocsr.hi);
      return;
  }
}

export const fuzz: Target = guarded({ run: (data) => twin.run(data, operation) });

/** IPI, mail, interrupt routing and enabling, by each width. */
export const seeds = (): Uint8Array[] =>
  [0x1000, 0x1004, 0x1008, 0x100c, 0x1020, 0x1040, 0x1048, 0x1158, 0x14c0, 0x1600, 0x1800, 0x1c00].map((at) => {
    const out = new Output();
    for (const size of [0, 1, 2, 3])
      for (let cpu = 0; cpu < CPUS; cpu++)
        out
          .u8(OPERATION.write | (cpu << 2) | (size << 4))
          .u16(at)
          .u32(0x80010000 | (at & 0xffff), 1)
          .u8(OPERATION.read | (cpu << 2) | (size << 4))
          .u16(at);
    return out.finish();
  });

export const dictionary: readonly Uint8Array[] = [];
