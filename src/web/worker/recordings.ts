/** Recordings (docs/recordings.md) that the page makes and opens. They are the same as those of the command line. */
import { registersDigest } from '../../emu/check/state-digest.ts';
import type { CpuFeatures } from '../../emu/cpu/features.ts';
import { inputsAndChecks, type Recording, recordingOf } from '../../emu/debug/recording.ts';
import type { Description, Part, RecordedEntry, RecordedFile } from '../../emu/debug/recording-format.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { ImageError } from '../../emu/formats/image-error.ts';
import { sha256 } from '../../emu/formats/sha256.ts';
import type { Machine } from '../../emu/machine/machine.ts';
import { ramDigest } from '../../emu/replay/page-digests.ts';
import { fileHeader, PartMaker, RecordingError } from '../../emu/replay/recording-file.ts';
import type { OwnProgram } from '../protocol.ts';
import { pageCodec } from './codec.ts';
import { type GuestFile, type Loaded, loadProgram, type Program, type Shelf } from './program.ts';
import { MOST_RAM } from './snapshots.ts';

const MIB = 2 ** 20;
/** Options of a machine that a page has. `snapshot` and the others need what it has not. */
const OPTIONS = new Set(['memory', 'smp', 'cpu', 'seed', 'guest', 'hypervisor', 'append', 'kernel']);
/** What the others are for a machine like the page's. */
const USUAL: Readonly<Record<string, unknown>> = { reboot: true, console: 'uart', virtio: 'pci', machine: 'virt' };
/** Where the command line finds its own programs. */
const OWN_HYPERVISOR = '<loongscope>/build/hv.elf';
const ownGuest = (name: string): string => `<loongscope>/build/guests/${name}.elf`;

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
const digestsOf = (machine: Machine): { registers: () => string; ram: () => string } => ({
  registers: () => registersDigest(machine),
  ram: () => ramDigest(machine.ram),
});

function descriptionOf(program: Program, version: string): Description {
  const { name, image, guests, memory, features, seed, append } = program;
  const own = name.endsWith('.elf') ? name : `${name}.elf`;
  const files = new Map<string, RecordedFile>();
  const put = (path: string, content: Uint8Array): string => {
    files.set(path, { sha256: hexOf(sha256(content)), content });
    return path;
  };
  const machine = { memory, smp: 1, cpu: features, seed, ...(append && { append }) };
  const boots =
    guests.length === 0
      ? { image: put(own, image), options: machine }
      : {
          image: undefined,
          options: {
            ...machine,
            hypervisor: put('hv.elf', image),
            guest: guests.map(({ data, ...guest }) => ({ ...guest, file: put(`guest-${guest.name}.elf`, data) })),
          },
        };
  return { program: version, ...boots, files, disks: [] };
}

/**
 * A recording of a run up to the present moment.
 * @throws ImageError when it cannot be repeated
 */
export function saveRecording(
  program: Program | undefined,
  { machine, history }: RunControl,
  version: string,
): Uint8Array<ArrayBuffer> {
  if (!program) throw new ImageError('a machine from a snapshot cannot be recorded here: save a snapshot of it');
  if (history.beginning > 0)
    throw new ImageError(
      'the beginning of the run is no longer kept, so it cannot be recorded: Restart, and save it sooner',
    );
  const inputs = history.inputs();
  if (!inputs)
    throw new ImageError('gdb has changed registers or memory, and a recording has no such changes: save a snapshot');
  machine.settle();
  const at = machine.instructions;
  const digests = digestsOf(machine);
  // Time goes by for a CPU that waits, without an instruction that it could be told by.
  const digest = machine.cpus.some((c) => c.idle) ? undefined : digests.registers();
  const entries: readonly RecordedEntry[] = [...inputs, { kind: 'check', at, digest, ram: digests.ram() }];
  const parts = new PartMaker(pageCodec);
  const all = [fileHeader(), parts.value(descriptionOf(program, version)), parts.value({ entries, at } satisfies Part)];
  const out = new Uint8Array(all.reduce((sum, { length }) => sum + length, 0));
  let place = 0;
  for (const part of all) {
    out.set(part, place);
    place += part.length;
  }
  return out;
}

/** Lets a machine repeat a recorded run. */
export function follow(control: RunControl, { entries, states, end, bookmarks, findings }: Recording): void {
  const { machine } = control;
  control.history.follow({ entries: inputsAndChecks(entries), states, end, digests: digestsOf(machine) });
  for (const { bookmark, at } of bookmarks) control.bookmarks.load(bookmark, at);
  for (const finding of findings) control.findings.load(finding);
}

/** @throws ImageError when the page cannot have its machine */
function programOf({ name, description, entries }: Recording): Program {
  const { image, options, files, disks } = description;
  const beyond = [
    ...Object.keys(options).filter((o) => !OPTIONS.has(o) && options[o] !== undefined && options[o] !== USUAL[o]),
    ...(disks.length > 0 ? ['disks'] : []),
    ...(entries.some((e) => e.kind === 'decision') ? ['decisions'] : []),
  ];
  const { memory, smp, cpu, seed, append } = options as {
    readonly [key: string]: unknown;
    readonly memory: number;
    readonly smp: number;
    readonly cpu: CpuFeatures;
    readonly seed: number;
    readonly append?: string;
  };
  if (smp !== 1 || memory > MOST_RAM)
    throw new ImageError(
      `${name} has ${smp} CPUs and ${memory / MIB} MiB of RAM, and a page one CPU and at most ${MOST_RAM / MIB}: loongscope replay opens it`,
    );
  if (beyond.length > 0)
    throw new ImageError(`${name} has what a page cannot have, ${beyond.join(', ')}: loongscope replay opens it`);
  const read = (...paths: readonly string[]): Uint8Array => {
    const path = paths.find((p) => files.has(p));
    const content = path === undefined ? undefined : files.get(path)!.content;
    if (!content)
      throw new ImageError(
        `${name} does not bring ${path ?? paths[0]!}, which a page cannot read: record it with --record-images`,
      );
    return content;
  };
  const own = image ?? (options.kernel as string | undefined);
  const guests = (options.guest ?? []) as readonly (Omit<GuestFile, 'data'> & { readonly file: string })[];
  const wanted = own === undefined && guests.length === 0 ? [{ ...HELLO, file: 'hello' }] : guests;
  return {
    ...{ name, memory, features: cpu, seed, append: append ?? '', descriptor: undefined },
    image: read(...(own === undefined ? [(options.hypervisor as string | undefined) ?? OWN_HYPERVISOR] : [own])),
    guests: wanted.map(({ file, ...guest }) => ({ ...guest, data: read(file, ownGuest(file)) })),
  };
}

/** What `run` boots when nothing is asked for. */
const HELLO = { name: 'hello', memory: 16 * MIB, vcpus: 1, append: '' };

/** @throws ImageError when it cannot be repeated here */
export function openRecording({ name, bytes }: OwnProgram, shelf: Shelf, console: (byte: number) => void): Loaded {
  let recording: Recording;
  try {
    recording = recordingOf(bytes, name, { codec: pageCodec, version: shelf.content.version });
  } catch (error) {
    throw error instanceof RecordingError ? new ImageError(error.message) : error;
  }
  const loaded = loadProgram(programOf(recording), shelf, console);
  return { ...loaded, recording, prepare: (control) => follow(control, recording) };
}
