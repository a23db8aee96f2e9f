/** `loongscope replay FILE`: a recorded run happens again, and can be debugged at any moment. */
import { registersDigest } from '../../emu/check/state-digest.ts';
import { explainLast } from '../../emu/debug/explain.ts';
import { decisionsOf, inputsAndChecks, type Recording } from '../../emu/debug/recording.ts';
import type { Bookmark } from '../../emu/debug/recording-format.ts';
import type { RunControl } from '../../emu/debug/run-control.ts';
import { ramDigest } from '../../emu/replay/page-digests.ts';
import { say } from '../ending.ts';
import { EXIT } from '../errors.ts';
import { DEFAULT_MACHINE, type MachineCli } from '../options.ts';
import { type Running, start } from '../run.ts';
import { enterSandbox } from '../sandbox.ts';
import { NoteWriter, readRecording } from './file.ts';
import type { Moment } from './moment.ts';
import { MomentWatch } from './moment-watch.ts';
import { recordedSurroundings } from './recorded-surroundings.ts';

/** Options of `replay`: what a person looks with, and at what. */
export interface ReplayCli extends Partial<MachineCli> {
  readonly at?: Moment;
  /** What comes before this instruction is of no interest. */
  readonly from?: number | undefined;
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

/** Do options ask for all that happens on the way? Then nothing of the run may be left out. */
const looksAtAll = ({ log, audit, stats }: ReplayCli): boolean => [log, audit, stats].some(Boolean);

/** The machine of a recording, with the options of the person who looks at it. */
export function replayed(recording: Recording, more: ReplayCli): Replayed {
  const { description, entries, states, end } = recording;
  const { at, from, ...own } = more;
  const surroundings = recordedSurroundings(recording);
  const decisions = decisionsOf(entries);
  const watch = at && new MomentWatch(at, looksAtAll(own));
  /** Keeps the machine from running by itself until it is there. */
  const gate = { running: false, stopped: () => {}, ended: () => {} };
  const prepare = (control: RunControl): void => {
    const { machine } = control;
    surroundings.begin();
    const digests = { registers: () => registersDigest(machine), ram: () => ramDigest(machine.ram) };
    control.history.follow({ entries: inputsAndChecks(entries), states, end, digests });
    for (const { bookmark, at: position } of recording.bookmarks) control.bookmarks.load(bookmark, position);
    for (const finding of recording.findings) control.findings.load(finding);
    if (from !== undefined) control.history.leap(from);
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
    surroundings: surroundings.found,
    ...(decisions.length > 0 && { decisions }),
    prepare,
    ...(watch && { observed: true }),
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

/** From now on bookmarks, and moments that are found, are kept in the recording, where that is possible. @returns a function for the end */
export function keepNotes({ name, cut }: Recording, { bookmarks, findings }: RunControl): () => void {
  let why = cut > 0 ? 'it is cut off' : undefined;
  let notes: NoteWriter | undefined;
  try {
    if (!why) notes = new NoteWriter(name);
  } catch (error) {
    why = (error as NodeJS.ErrnoException).code;
  }
  bookmarks.onChange = (bookmark, at) => {
    try {
      notes?.add({ bookmark, at } satisfies Bookmark);
    } catch (error) {
      why = (error as NodeJS.ErrnoException).code;
      notes = undefined;
    }
    if (!notes) throw new Error(`the bookmark is forgotten at the end: ${name} cannot be written (${why})`);
  };
  findings.onFound = (finding) => {
    try {
      notes?.add(finding);
    } catch {
      // It can be found again.
      notes = undefined;
    }
  };
  return () => notes?.close();
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
  const closeNotes = keepNotes(recording, control);
  void done.then(closeNotes);
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
