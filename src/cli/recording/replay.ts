/** `loongscope replay FILE`: a recorded run happens again, and can be debugged at any moment. */
import { createHash } from 'node:crypto';
import { registersDigest } from '../../emu/check/state-digest.ts';
import { explainLast } from '../../emu/debug/explain.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import type { CheckEntry, InputEntry } from '../../emu/replay/journal.ts';
import { type DiskEntry, RepeatedDisk, RepeatedShare, type ShareEntry } from '../../emu/replay/outside-log.ts';
import { say } from '../ending.ts';
import { EXIT, UsageError } from '../errors.ts';
import { shadowOf } from '../network.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../options.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { type Running, start } from '../run.ts';
import { enterSandbox } from '../sandbox.ts';
import { COMPUTER, type Surroundings } from '../surroundings.ts';
import { VERSION } from '../version.ts';
import { readParts } from './file.ts';
import { type Description, isDescription, isPart, type Part, type RecordedEntry } from './format.ts';
import type { Moment } from './moment.ts';
import { MomentWatch } from './moment-watch.ts';
import { recordedName } from './recorder.ts';

/** Options of `replay`: what a person looks with, and at what. */
export interface ReplayCli extends Partial<MachineCli> {
  readonly at?: Moment;
}

/** A recording that fits this program. */
export interface Recording {
  readonly name: string;
  readonly description: Description;
  readonly entries: readonly RecordedEntry[];
  /** Instructions of the machine at its end. */
  readonly end: number;
  /** Bytes at its end that are no whole part. */
  readonly cut: number;
}

/** @throws UsageError when it cannot be repeated by this program */
export function readRecording(name: string): Recording {
  const { parts, cut } = readParts(name);
  const [description, ...rest] = parts;
  if (description === undefined)
    throw new UsageError(`${name} is empty: the run ended before its machine was there: record again`);
  if (!isDescription(description) || !rest.every(isPart))
    throw new UsageError(`${name} is no recording that this program understands: record again`);
  if (description.program !== VERSION)
    throw new UsageError(
      `${name} was recorded by version ${description.program} of the program, this is ${VERSION}: use that version`,
    );
  const list: readonly Part[] = rest;
  return { name, description, entries: list.flatMap((p) => p.entries), end: list.at(-1)?.at ?? 0, cut };
}

/** A recording up to an instruction. @throws UsageError when it does not come so far */
export function upTo(recording: Recording, end: number): Recording {
  if (end > recording.end)
    throw new UsageError(`--to: the recording ends at instruction ${recording.end}: give a smaller number`);
  const entries = recording.entries.filter((e) => !('at' in e) || e.at < end);
  return { ...recording, entries, end };
}

const isDisk = (e: RecordedEntry): e is DiskEntry => e.kind === 'disk';
const isShare = (e: RecordedEntry): e is ShareEntry => e.kind === 'share';
const isJournal = (e: RecordedEntry): e is InputEntry | CheckEntry => e.kind === 'input' || e.kind === 'check';

/** What the recorded machine found around it. */
function surroundingsOf({ name, description, entries }: Recording): Surroundings {
  const { files, disks } = description;
  let shares = 0;
  let drives = 0;
  const here = (path: string): string => path.replace(/^<loongscope>/, PROJECT_ROOT);
  return {
    exists: (path) => files.has(recordedName(path)),
    read: (path) => {
      const file = files.get(recordedName(path));
      if (!file) throw new UsageError(`${name} does not have ${path}: record again`);
      const content = file.content ?? missing(name, here(path));
      if (createHash('sha256').update(content).digest('hex') !== file.sha256)
        throw new UsageError(
          `${path} is not the file that was recorded: it has other content; get that file, or record with --record-images`,
        );
      return content;
    },
    drive: () => {
      const number = drives++;
      const disk = disks[number];
      if (!disk) throw new UsageError(`${name} does not have all disks of its machine: record again`);
      return new RepeatedDisk(
        disk,
        entries.filter(isDisk).filter((e) => e.disk === number),
      );
    },
    shares: (specs) =>
      specs.map(() => {
        const number = shares++;
        return new RepeatedShare(entries.filter(isShare).filter((e) => e.share === number));
      }),
    net: (spec) => COMPUTER.net(shadowOf(spec)),
  };
}

/** A file that the recording only names. @throws UsageError when it is not here */
function missing(name: string, path: string): Uint8Array {
  try {
    return COMPUTER.read(path);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${name} needs ${path}: ${error.message}; or record with --record-images`);
  }
}

/** A recorded run, as a machine to start. */
export interface Replayed {
  readonly image: string | undefined;
  readonly cli: MachineCli;
  /**
   * Goes to the moment that was asked for; to be called when the machine has been started, and is in its sandbox.
   * @throws UsageError when the moment does not come
   */
  readonly arrive: (control: RunControl) => Promise<void>;
}

/** The machine of a recording, with the options of the person who looks at it. */
export function replayed(recording: Recording, more: ReplayCli): Replayed {
  const { description, entries, end } = recording;
  const { at, ...own } = more;
  const watch = at && new MomentWatch(at);
  /** Keeps the machine from running by itself until it is there. */
  const gate = { running: false, stopped: () => {}, ended: () => {} };
  const prepare = (control: RunControl): void => {
    const { machine } = control;
    control.history.follow({ entries: entries.filter(isJournal), end, digest: () => registersDigest(machine) });
    if (watch) control.attach(gate);
  };
  const arrive = async (control: RunControl): Promise<void> => {
    await watch?.arrive(control);
    control.detach(gate);
  };
  const debugged = own.gdb ?? own.gdbGuest ?? own.gdbHost;
  const cli: MachineCli = {
    ...DEFAULT_MACHINE,
    ...(description.options as Partial<MachineCli>),
    // The terminal's keys are no input of a recorded run.
    serial: { kind: 'stdio' },
    ...own,
    ...(debugged && { wait: true }),
    surroundings: surroundingsOf(recording),
    prepare,
    ...(watch && { tap: (byte: number) => watch.put(byte), observed: true }),
  };
  return { image: description.image, cli, arrive };
}

/** What a person sees who has asked for a moment without a debugger. */
function tell({ control, symbolize }: Running): void {
  const { machine, history } = control;
  say(`instruction ${history.position} of ${history.end}`);
  for (const cpu of machine.cpus)
    for (const line of explainLast(control, cpu, symbolize)) process.stdout.write(`${line}\n`);
}

export async function replay(file: string, more: ReplayCli): Promise<number> {
  const recording = readRecording(file);
  if (recording.cut > 0)
    say(
      `warning: ${file} ends in the middle of a part (${recording.cut} bytes are left out): the run was killed there`,
    );
  const { image, cli, arrive } = replayed(recording, more);
  const running = await start(image, cli);
  const { booted, control, done } = running;
  enterSandbox(cli);
  if (more.at) {
    await booted.named;
    try {
      await arrive(control);
    } catch (error) {
      control.quit();
      await done;
      throw error;
    }
    if (cli.wait) say(`there: instruction ${control.history.position} of ${control.history.end}, connect gdb now`);
    else if (!control.over) {
      tell(running);
      control.quit(true);
      return done;
    }
  }
  const code = await done;
  if (!cli.wait && code === EXIT.ok) say(`${control.history.position} instructions, as recorded`);
  return code;
}
