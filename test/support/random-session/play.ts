/** One random session: gdb (or two of them) on a machine, with commands at random, and what must never happen. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HELPER } from '../../../src/cli/debug.ts';
import { seeded } from '../random.ts';
import { GdbConsole } from './gdb-console.ts';
import { type Debuggee, RunningMachine } from './machines.ts';
import { draw, type Effect, fill, MORE_WORDS, ROWS, WORDS, type Words } from './vocabulary.ts';

export interface Session {
  readonly seed: number;
  readonly debuggee: Debuggee;
  readonly gdb: string;
  /** Connections of gdb: 1 or 2. */
  readonly gdbs: number;
  readonly commands: number;
  /** Called with each line of the transcript. */
  readonly show?: (line: string) => void;
}

export interface Played {
  /** What went wrong; none in a good session. */
  readonly faults: readonly string[];
  readonly transcript: string;
  /** Milliseconds of the slowest command that only asks. */
  readonly slowest: number;
}

/** A user waits so long for a program that runs before pressing Ctrl-C. */
const RUN_MS = 400;
/** The longest time from Ctrl-C to gdb's prompt, on a busy computer. */
const GRACE_MS = 30_000;
/** The longest time to the answer of a command that only asks: gdb makes some of thousands of packets. */
const ASK_MS = 60_000;
/** The longest time from the end of a connection to the end of the emulator. */
const GONE_MS = 5_000;
/** The longest time to the end of the guests, when the debugger has left. */
const END_MS = 120_000;

/** gdb says so when answers are wrong, late, or not those to its questions; or when it is lost itself. */
const GDB_FAULTS =
  /internal-error|problem internal to GDB|Ignoring packet error|replied unexpectedly|[Bb]ogus|Invalid hex|[Mm]alformed (packet|response|reply)|Truncated|not hex digit|Remote connection closed|communication error|Protocol error|warning: (Invalid|[Uu]nrecogni[sz]ed item|Remote|Unknown)|too (short|long) packet|reply (is )?too (short|long)|Python Exception/;
/** A stack trace of the server, or a value that came from nowhere. */
const SERVER_FAULTS =
  /^\s+at .*:\d+:\d+|TypeError|RangeError|ReferenceError|Cannot read properties|is not a function|Invalid (typed )?array length|Maximum call stack|is not iterable|Cannot mix BigInt|Offset is outside the bounds|\[object |\bundefined\b|\bNaN\b/m;
const CLOSED = /Remote connection closed|communication error/;
const READS_SYMBOLS = /-exec|^(symbol-)?file\b/;
const STALE = /^gdb still has the registers from before: type 'maint flush register-cache'$/m;
/** gdb's word that the machine has ended. Its server goes soon after it. */
const EXITED = /\[Inferior \d+ \(process \d+\) exited/;

function faultsIn(output: string): string[] {
  const out: string[] = [];
  for (const line of output.split('\n')) {
    if (GDB_FAULTS.test(line)) out.push(line.trim());
    else if (SERVER_FAULTS.test(line) && !/^Undefined |[Uu]ndefined (item|command|info|set|show|maint)/.test(line))
      out.push(line.trim());
  }
  return out;
}

/** Plays a session. Errors of gdb are answers; {@link Played.faults} are none. */
export async function play({ seed, debuggee, gdb, gdbs, commands, show = () => {} }: Session): Promise<Played> {
  const random = seeded(seed * 2654435761);
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-random-'));
  const socket = join(folder, 'gdb');
  const connect = `target extended-remote ${socket}`;
  const words: Words = {
    ...WORDS,
    ...MORE_WORDS,
    ...debuggee.words,
    connect: [connect],
    hostFile: [debuggee.file ?? ''],
    helper: [HELPER],
  };
  const faults: string[] = [];
  const lines: string[] = [];
  const note = (line: string): void => {
    lines.push(line);
    show(line);
  };
  let slowest = 0;
  let changed = false;
  const machine = await RunningMachine.start(debuggee, folder, socket);
  const consoles: GdbConsole[] = [];
  /** Those whose machine runs while they are at their prompt. */
  const inBackground = new Set<GdbConsole>();
  try {
    for (let n = 0; n < gdbs; n++)
      consoles.push(
        await GdbConsole.start(gdb, folder, [...(debuggee.file ? [`file ${debuggee.file}`] : []), connect]),
      );
    const ask = async (at: GdbConsole, line: string, effect: Effect): Promise<string> => {
      const runs = effect.startsWith('run');
      const began = performance.now();
      const answered = await at.run(line, runs ? RUN_MS : ASK_MS, GRACE_MS);
      const ms = performance.now() - began;
      if (effect === 'ask') slowest = Math.max(slowest, ms);
      const who = gdbs > 1 ? `gdb ${consoles.indexOf(at) + 1}` : 'gdb';
      note(`(${who}) ${line}${answered.interrupted ? '   ^C' : ''}`);
      if (answered.output) note(answered.output.trimEnd());
      // A machine that nobody holds goes to its end, and its server with it.
      const gone = CLOSED.test(answered.output) && (await machine.until(() => machine.end !== undefined, GONE_MS));
      if (gone) return answered.output;
      for (const fault of faultsIn(answered.output)) faults.push(`${line}: ${fault}`);
      if (answered.outcome === 'ended') faults.push(`${line}: gdb has ended (${at.end})`);
      if (answered.outcome === 'hang') faults.push(`${line}: no prompt ${GRACE_MS} ms after Ctrl-C`);
      if (effect === 'ask' && answered.interrupted) faults.push(`${line}: no answer in ${ASK_MS} ms`);
      return answered.output;
    };
    const openings = debuggee.openings;
    for (const line of openings[random() % openings.length]!) {
      const runs = /^(continue|stepi)/.test(line);
      await ask(consoles[0]!, fill(random, line, words), runs ? 'run' : 'ask');
      // A Ctrl-C that comes after the stop reaches gdb's next command.
      if (runs) await ask(consoles[0]!, 'echo', 'ask');
    }
    for (let n = 0; n < commands && !faults.length && machine.end === undefined; n++) {
      const at = consoles[random() % gdbs]!;
      let { line, effect } = draw(random, ROWS, words);
      // gdb aborts when it reads symbols while the machine runs and a watchpoint is set.
      while (inBackground.has(at) && READS_SYMBOLS.test(line)) ({ line, effect } = draw(random, ROWS, words));
      if (/change$/.test(effect)) changed = true;
      const answer = await ask(at, line, effect);
      // The answer says what a user must type next.
      if (STALE.test(answer)) await ask(at, 'maint flush register-cache', 'ask');
      if (EXITED.test(answer) || faults.length || machine.end !== undefined) break;
      // gdb has given up in the middle of a question of its own after a stop. It takes the answer for that to its next question.
      if (effect.startsWith('run') && /^Quit$/m.test(answer)) break;
      // The answer to a question is the one to this question, not to an older one.
      const number = `0x${(random() % 0x1000_0000).toString(16)}0`;
      let probe = await ask(at, `monitor translate ${number}`, 'ask');
      // A Ctrl-C that comes after the stop reaches gdb's next command.
      if (probe.trim() === 'Quit') probe = await ask(at, `monitor translate ${number}`, 'ask');
      if (/while the target is running/.test(probe)) inBackground.add(at);
      else inBackground.delete(at);
      // gdb has repeated the last step of its own accord (restart_stepped_thread, which it calls after a detach), and may abort
      // at the next command that resumes.
      if (/^detach/.test(line) && inBackground.has(at)) break;
      // The machine that gdb has left has come to its end.
      if (CLOSED.test(probe) && (await machine.until(() => machine.end !== undefined, GONE_MS))) break;
      if (
        !probe.includes(number) &&
        !/can only be used|not support|while the target is running|The program is not/.test(probe)
      )
        faults.push(`monitor translate ${number}: the answer is another one: ${probe}`);
    }
    // What a gdb leaves behind when its terminal is closed.
    for (const at of consoles) await at.close();
    if (SERVER_FAULTS.test(machine.messages)) faults.push(`the server: ${machine.messages}`);
    if (!faults.length && !changed) faults.push(...(await ending(machine, debuggee)));
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error));
  } finally {
    for (const at of consoles) await at.close();
    await machine.kill();
    rmSync(folder, { recursive: true, force: true });
  }
  return { faults, transcript: lines.join('\n'), slowest };
}

/** The debugger has left: the guests must do what they do without one. @returns faults */
async function ending(machine: RunningMachine, debuggee: Debuggee): Promise<string[]> {
  if (debuggee.type !== undefined) machine.type(debuggee.type);
  const seen = (): boolean => debuggee.alive.test(machine.console);
  const good = await machine.until(() => (debuggee.status === undefined ? seen() : machine.end !== undefined), END_MS);
  const shown = `console: ${machine.console.slice(-1000)}\nmessages: ${machine.messages.slice(-1000)}`;
  if (!good) return [`the machine does not end as without a debugger (${machine.end ?? 'it runs'})\n${shown}`];
  if (!seen()) return [`the guests have not ended well\n${shown}`];
  if (debuggee.status !== undefined && machine.end !== `status ${debuggee.status}`)
    return [`the machine has ended with ${machine.end}\n${shown}`];
  return [];
}
