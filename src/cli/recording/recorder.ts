/** `run --record FILE`: writes down what a run needs to happen again. */
import { createHash } from 'node:crypto';
import { isAbsolute, join, relative } from 'node:path';
import { registersDigest } from '../../emu/check/state-digest.ts';
import type { Description, Part, RecordedEntry, RecordedFile } from '../../emu/debug/recording-format.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { RecordedDisk } from '../../emu/replay/recorded-disk.ts';
import { RecordedShare } from '../../emu/replay/recorded-share.ts';
import { UsageError } from '../errors.ts';
import type { MachineCli } from '../options.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { COMPUTER, type Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import { RecordingWriter } from './file.ts';
import { machineOptions } from './machine-options.ts';
import { type Look, StateRecorder } from './state-recorder.ts';

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
    [cli.engine === 'check', '--engine check runs a second machine: choose another engine'],
    [cli.controls, 'clients that control the machine change what happens: leave them out'],
  ];
  for (const [given, why] of wrong) if (given) throw new UsageError(`--record: ${why}`);
}

export class Recorder {
  /** The options of the machine that is recorded. */
  readonly cli: MachineCli;
  private readonly image: string | undefined;
  private readonly prepare: MachineCli['prepare'];
  private readonly writer: RecordingWriter;
  private readonly files = new Map<string, RecordedFile>();
  private readonly disks: RecordedDisk[] = [];
  private readonly shares: RecordedShare[] = [];
  private control: RunControl | undefined;
  private states: StateRecorder | undefined;
  /** The state that is being packed. */
  private packing: Promise<void> | undefined;
  /** Inputs and checks that are in the file. */
  private entries = 0;
  private waiting: RecordedEntry[] = [];
  private bytes = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private looks = 0;

  /** @throws UsageError for runs that cannot be recorded, and when the file cannot be written */
  constructor(image: string | undefined, cli: MachineCli) {
    check(cli);
    this.image = image;
    this.prepare = cli.prepare;
    this.writer = new RecordingWriter(cli.record!);
    this.cli = {
      ...cli,
      surroundings: this.surroundings(cli),
      prepare: (control) => this.begin(control),
    };
  }

  private surroundings({ recordImages, surroundings: below = COMPUTER }: MachineCli): Surroundings {
    return {
      ...below,
      read: (path) => {
        const content = below.read(path);
        this.files.set(recordedName(path), { sha256: sha256(content), content: recordImages ? content : undefined });
        return content;
      },
      drive: (spec, inSandbox) => {
        const disk = new RecordedDisk(below.drive(spec, inSandbox), this.disks.length, {
          note: (entry) => this.note(entry, entry.bytes?.length),
          keepsWrites: () => this.states?.roomy === true,
        });
        this.disks.push(disk);
        return disk;
      },
      shares: (specs, inSandbox) =>
        below.shares(specs, inSandbox).map((server) => {
          const share = new RecordedShare(server, this.shares.length, (entry) => this.note(entry, entry.bytes.length));
          this.shares.push(share);
          return share;
        }),
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
    for (const part of [...this.disks, ...this.shares]) part.begin();
    this.states = new StateRecorder(control, this.cli);
    control.history.recorder = (entry) => this.note(entry, entry.bytes.length);
    control.machine.perturbation.listen(({ dial, cpu, icount, value }) =>
      this.note({ kind: 'decision', dial, cpu, icount, value }),
    );
    this.prepare?.(control);
    this.timer = setInterval(() => this.look(), Math.min(WRITE_MS, this.cli.recordEvery ?? WRITE_MS));
    this.timer.unref();
  }

  private note(entry: RecordedEntry, bytes = 0): void {
    this.waiting.push(entry);
    this.bytes += bytes;
    // Not at once: the machine may be in the middle of an instruction, and the part would say that it is over.
    if (this.bytes > MOST_WAITING && this.bytes - bytes <= MOST_WAITING) setImmediate(() => this.look());
  }

  private look(): void {
    // An explanation repeats the past.
    if (this.control!.history.enabled) return;
    this.looks++;
    if (this.waiting.length > 0 || this.looks % LOOK_EVERY === 0 || this.states!.due) this.write();
  }

  /** Writes what has come, between two slices of the machine. */
  private write(): void {
    const { machine } = this.control!;
    machine.settle();
    const look = this.lookAtAll();
    const at = machine.instructions;
    // Time goes by for a CPU that waits, without an instruction that it could be told by.
    const digest = machine.cpus.every((c) => !c.idle) ? registersDigest(machine) : undefined;
    if (digest !== undefined || look) this.waiting.push({ kind: 'check', at, digest, ram: look?.ram });
    this.entries += this.waiting.filter(({ kind }) => kind === 'input' || kind === 'check').length;
    this.writer.append({ entries: this.waiting, at } satisfies Part);
    this.waiting = [];
    this.bytes = 0;
    if (look?.pack) this.packing = this.keep(look.pack);
  }

  /** A look at all of the machine, where it is time for one. */
  private lookAtAll(): Look | undefined {
    const { states, disks } = this;
    if (!states?.due) return undefined;
    const before = this.bytes;
    for (const disk of disks) disk.noteWritten();
    states.noted(this.bytes - before);
    return states.look();
  }

  private keep(pack: NonNullable<Look['pack']>): Promise<void> {
    return new Promise((resolve) => {
      pack(this.entries, (content) => {
        this.writer.appendState(content);
        resolve();
      });
    });
  }

  /** The run has ended. */
  async finish(): Promise<void> {
    clearInterval(this.timer);
    await this.packing;
    this.write();
    await this.packing;
    this.writer.close();
  }
}
