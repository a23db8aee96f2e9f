/** `run --record FILE`: writes down what a run needs to happen again. */
import { createHash } from 'node:crypto';
import { isAbsolute, join, relative } from 'node:path';
import { registersDigest } from '../../emu/check/state-digest.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { Disk } from '../../emu/devices/virtio/block.ts';
import { RecordedDisk, RecordedShare } from '../../emu/replay/outside-log.ts';
import { UsageError } from '../errors.ts';
import type { MachineCli } from '../options.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { COMPUTER, type Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import { RecordingWriter } from './file.ts';
import { type Description, machineOptions, type Part, type RecordedEntry, type RecordedFile } from './format.ts';

/** How often input is written, in milliseconds, and how often a machine is looked at to which nothing comes. */
const WRITE_MS = 1000;
const LOOK_EVERY = 10;
/** Bytes of input that do not wait. */
const MOST_WAITING = 2 ** 18;

const sha256 = (data: Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A path as a recording has it: the program's own files are found wherever it is installed. */
export function recordedName(path: string): string {
  const inside = isAbsolute(path) ? relative(PROJECT_ROOT, path) : '..';
  return inside.startsWith('..') || isAbsolute(inside) ? path : join('<loongscope>', inside);
}

/** @throws UsageError for runs that cannot be recorded */
function check(cli: MachineCli): void {
  const wrong: readonly (readonly [unknown, string])[] = [
    [cli.clock === 'host' || cli.threads, 'runs in real time do not repeat: use --clock virtual'],
    [
      cli.gdb ?? cli.gdbGuest ?? cli.gdbHost,
      'a debugger changes what happens: leave its port out, and debug the recording with loongscope replay --gdb PORT',
    ],
    [cli.snapshot, 'a recording begins when the machine is switched on: leave --snapshot out'],
    [cli.engine === 'check', '--engine check runs a second machine: choose another engine'],
    [cli.controls, 'clients that control the machine change what happens: leave them out'],
  ];
  for (const [given, why] of wrong) if (given) throw new UsageError(`--record: ${why}`);
}

export class Recorder {
  /** The options of the machine that is recorded. */
  readonly cli: MachineCli;
  private readonly image: string | undefined;
  private readonly writer: RecordingWriter;
  private readonly files = new Map<string, RecordedFile>();
  private readonly disks: Disk[] = [];
  private control: RunControl | undefined;
  private waiting: RecordedEntry[] = [];
  private bytes = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private looks = 0;

  /** @throws UsageError for runs that cannot be recorded, and when the file cannot be written */
  constructor(image: string | undefined, cli: MachineCli) {
    check(cli);
    this.image = image;
    this.writer = new RecordingWriter(cli.record!);
    this.cli = {
      ...cli,
      surroundings: this.surroundings(cli.recordImages === true),
      prepare: (control) => this.begin(control),
    };
  }

  private surroundings(withImages: boolean): Surroundings {
    let shares = 0;
    return {
      ...COMPUTER,
      read: (path) => {
        const content = COMPUTER.read(path);
        this.files.set(recordedName(path), { sha256: sha256(content), content: withImages ? content : undefined });
        return content;
      },
      drive: (spec, inSandbox) => {
        const disk = COMPUTER.drive(spec, inSandbox);
        return new RecordedDisk(disk, this.disks.push(disk) - 1, (entry) => this.note(entry, entry.bytes?.length));
      },
      shares: (specs, inSandbox) =>
        COMPUTER.shares(specs, inSandbox).map(
          (share) => new RecordedShare(share, shares++, (entry) => this.note(entry, entry.bytes.length)),
        ),
    };
  }

  private begin(control: RunControl): void {
    this.control = control;
    const { image, files } = this;
    const disks = this.disks.map(({ size, readOnly }) => ({ size, readOnly }));
    this.writer.append({
      program: VERSION,
      image,
      options: machineOptions(this.cli),
      files,
      disks,
    } satisfies Description);
    control.history.recorder = (entry) => this.note(entry, entry.bytes.length);
    this.timer = setInterval(() => this.look(), WRITE_MS);
    this.timer.unref();
  }

  private note(entry: RecordedEntry, bytes = 0): void {
    this.waiting.push(entry);
    this.bytes += bytes;
    // Not at once: the machine may be in the middle of an instruction, and the part would say that it is over.
    if (this.bytes > MOST_WAITING && this.bytes - bytes <= MOST_WAITING) setImmediate(() => this.write());
  }

  private look(): void {
    this.looks++;
    if (this.waiting.length > 0 || this.looks % LOOK_EVERY === 0) this.write();
  }

  /** Writes what has come, between two slices of the machine. */
  private write(): void {
    const { machine } = this.control!;
    machine.settle();
    const at = machine.instructions;
    // Time goes by for a CPU that waits, without an instruction that it could be told by.
    if (machine.cpus.every((c) => !c.idle)) this.waiting.push({ kind: 'check', at, digest: registersDigest(machine) });
    this.writer.append({ entries: this.waiting, at } satisfies Part);
    this.waiting = [];
    this.bytes = 0;
  }

  /** The run has ended. */
  finish(): void {
    clearInterval(this.timer);
    this.write();
    this.writer.close();
  }
}
