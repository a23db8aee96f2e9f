/** A machine with a debugger session without a socket and without an event loop: it runs only as far as the test lets it. */
import { type Booted, boot } from '../../src/cli/boot.ts';
import { DEFAULT_MACHINE, parseGuest } from '../../src/cli/options.ts';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { SnapshotStore } from '../../src/emu/debug/stop.ts';
import { type Fields, restoreFields, saveFields } from '../../src/emu/state/fields.ts';
import { COMMANDS } from '../../src/gdbstub/monitor/commands.ts';
import { dispatch } from '../../src/gdbstub/packets/index.ts';
import { Session } from '../../src/gdbstub/session.ts';
import { Awareness } from '../../src/hv/awareness/awareness.ts';
import { Fault, isDefect } from './oracle.ts';

/** The hypervisor with one guest, behind so many exits of it. */
const EXITS = 4;
/** Instructions between looks for them. */
const LOOK_EVERY = 1000;
const MEMORY = 32 << 20;
const GUEST = 'build/guests/timer.elf,memory=4M';
/** Instructions in one turn of the loop, and turns behind one piece of input. */
const SLICE = 20_000;
const TURNS = 3;
const MOST_ANSWER = 4 << 20;

/** Errors that become text on their way to gdb: noted here, thrown at the end. */
const defects: unknown[] = [];
function watched<T>(body: () => T): T {
  try {
    const result = body();
    // What takes long is done in steps.
    const { next } = Object(result) as { next?: (...args: unknown[]) => unknown };
    if (typeof next === 'function')
      Object.assign(result as object, { next: (...args: unknown[]) => watched(() => next.apply(result, args)) });
    return result;
  } catch (error) {
    if (isDefect(error)) defects.push(error);
    throw error;
  }
}
for (const command of COMMANDS) {
  const { run } = command;
  Object.assign(command, { run: (...args: Parameters<typeof run>) => watched(() => run(...args)) });
}

/** What waits for its turn in the event loop. */
let turns: (() => void)[] = [];

/** Carries something out with an event loop of its own. */
function withoutLoop(body: () => void): void {
  const { setImmediate, setTimeout } = globalThis;
  Object.assign(globalThis, {
    setImmediate: (task: () => void) => void turns.push(task),
    setTimeout: () => ({ unref: () => {} }),
  });
  try {
    body();
  } finally {
    Object.assign(globalThis, { setImmediate, setTimeout });
  }
}

class Debugged {
  readonly booted: Booted;
  readonly control: RunControl;
  private readonly machine: ReturnType<Booted['machine']['save']>;
  private readonly snapshots: Fields;

  constructor() {
    const cli = { ...DEFAULT_MACHINE, memory: MEMORY, hypervisor: 'build/hv.elf', guest: [parseGuest(GUEST)] };
    this.booted = boot(undefined, { ...cli, engine: 'interpreter' }, () => {});
    const { machine, symbols, symbolize } = this.booted;
    const stored = new Map<string, ReturnType<typeof machine.save>>();
    // Files have no place here.
    const snapshotStore: SnapshotStore = {
      // biome-ignore lint/correctness/useYield: it has one piece
      *save(m, name) {
        stored.clear();
        return stored.set(name, m.save()).size;
      },
      // biome-ignore lint/correctness/useYield: it has one piece
      *load(m, name) {
        const state = stored.get(name);
        if (!state) throw new Error(`no snapshot ${name}`);
        m.restore(state);
      },
    };
    this.control = new RunControl(machine, { snapshotStore });
    this.control.contexts = new Awareness(this.control, symbols, symbolize);
    void this.booted.named;
    const exits = (): number => machine.cpus[0]!.events.exits.reduce((sum, n) => sum + n, 0);
    while (exits() < EXITS) {
      if (machine.poweredOff) throw new Error(`${GUEST} has come to its end`);
      machine.run(LOOK_EVERY, machine.instructions + LOOK_EVERY);
    }
    this.machine = machine.save();
    this.snapshots = saveFields(this.control.vcpuStates);
  }

  /** As it was when it was made. */
  reset(): void {
    const { control } = this;
    control.exits.end();
    const set = (part: string, fields: object): unknown => Object.assign(Reflect.get(control, part), fields);
    set('pending', { stop: undefined });
    set('stepping', { stepper: undefined, stepping: false });
    set('loop', { pumping: false, waiting: false, end: undefined });
    Object.assign(Reflect.get(Reflect.get(control, 'loop'), 'parts').loops, { died: undefined });
    Object.assign(Reflect.get(Reflect.get(control, 'loop'), 'budget'), { instructions: SLICE });
    for (const cpu of control.machine.cpus) cpu.frozen = false;
    control.machine.restore(this.machine);
    control.machine.clearStops();
    restoreFields(control.vcpuStates, this.snapshots);
  }

  /** Lets the event loop turn a few times. */
  turn(): void {
    for (let n = 0; n < TURNS && turns.length > 0; n++) {
      Object.assign(this.control, { budget: SLICE });
      turns.shift()!();
    }
  }
}

/** Made at once: what that takes is no input's. */
let debugged: Debugged | undefined = new Debugged();

export interface Client {
  readonly session: Session;
  /** Bytes arrive, and the machine gets some time. */
  receive(bytes: Uint8Array): void;
  /** Bytes sent since the last call. */
  sent(): Uint8Array;
}

/**
 * Connects a client to the machine as it was at first, and disconnects it afterwards.
 * @throws Fault, or what an error handler of the session has swallowed, when it is no message of ours
 */
export function connected(body: (client: Client) => void): void {
  withoutLoop(() => {
    debugged ??= new Debugged();
    const { control, booted } = debugged;
    debugged.reset();
    turns = [];
    defects.length = 0;
    let sent: Uint8Array[] = [];
    let total = 0;
    const session = new Session({
      control,
      view: { kind: 'machine' },
      dispatch: (s, payload) => watched(() => dispatch(s, payload)),
      symbolize: booted.symbolize,
      executable: (world) => booted.executable(world),
      send: (bytes) => {
        sent.push(bytes);
        total += bytes.length;
      },
      log: () => {},
    });
    try {
      body({
        session,
        receive: (bytes) => {
          session.receive(bytes);
          debugged!.turn();
          // Whatever runs is stopped again: gdb would do that by and by.
          if (session.running) session.receive(Uint8Array.of(3));
        },
        sent: () => {
          const all = Buffer.concat(sent);
          sent = [];
          return all;
        },
      });
    } catch (error) {
      debugged = undefined;
      throw error;
    }
    session.detach();
    if (defects.length > 0) throw defects[0];
    if (total > MOST_ANSWER) throw new Fault(`${total} bytes are sent`);
  });
}
