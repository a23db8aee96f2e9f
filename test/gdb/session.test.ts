/** One session without sockets and gdb: what packets leave behind in run control, and what stops look like. */
import { describe, expect, test, vi } from 'vitest';
import { RunControl } from '../../src/emu/debug/run-control.ts';
import type { SnapshotStore } from '../../src/emu/debug/stop.ts';
import { PageStore } from '../../src/emu/replay/page-store.ts';
import { encodePacket, fromLatin1, PacketParser, toHex } from '../../src/gdbstub/framing.ts';
import { dispatch } from '../../src/gdbstub/packets/index.ts';
import { Session } from '../../src/gdbstub/session.ts';
import { Driven } from '../support/driven.ts';
import { TestMachine } from '../support/test-machine.ts';
import { until } from '../support/wait.ts';

/** Text for the user's console, which is no answer. */
const CONSOLE = /^O([0-9a-f]{2})+$/;

/** A session, and a way to ask it. */
function connect(control: RunControl): {
  readonly session: Session;
  readonly ask: (payload: string) => Promise<string>;
  /** The next reply. */
  readonly next: () => Promise<string>;
} {
  const parser = new PacketParser();
  const replies: string[] = [];
  let wake: () => void = () => {};
  const session = new Session({
    control,
    view: { kind: 'machine' },
    dispatch,
    symbolize: () => undefined,
    send: (bytes) => {
      for (const f of parser.push(bytes)) if (f.kind === 'packet' && !CONSOLE.test(f.payload)) replies.push(f.payload);
      wake();
    },
    log: () => {},
  });
  const next = async (): Promise<string> => {
    while (replies.length === 0)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    return replies.shift()!;
  };
  const ask = (payload: string): Promise<string> => {
    session.receive(encodePacket(payload));
    return next();
  };
  return { session, ask, next };
}

const monitor = (command: string): string => `qRcmd,${toHex(fromLatin1(command))}`;

describe('a guest that is let go', () => {
  test('takes its breakpoints and watchpoints along, and leaves those of the machine', async () => {
    const driven = await Driven.boot(['hello']);
    await driven.to('handle_exit');
    const { comparators, machine } = driven.control;
    const cpu = machine.cpus[0]!;
    const { ask, session } = connect(driven.control);
    const attachAndSet = async (): Promise<void> => {
      expect(await ask('vAttach;11')).toMatch(/^T05/);
      expect(await ask('Hgp11.1')).toBe('OK');
      for (const packet of ['Z0,200000,4', 'Z1,200004,4', 'Z2,201000,8', 'Z3,202000,4', 'Z4,203000,1'])
        expect(await ask(packet)).toBe('OK');
    };
    await attachAndSet();
    expect(comparators.hasWatchpoints).toBe(true);
    expect(comparators.at(0x200000n, 1, cpu)).toHaveLength(1);
    expect(await ask('D;11')).toBe('OK');
    expect(comparators.hasWatchpoints).toBe(false);
    expect(comparators.at(0x200000n, 1, cpu)).toEqual([]);
    // The machine's own ones stay.
    expect(await ask('Z0,9000000001000000,4')).toBe('OK');
    expect(await ask('Z2,9000000001800000,8')).toBe('OK');
    await attachAndSet();
    expect(await ask('D;11')).toBe('OK');
    expect(comparators.at(0x9000000001000000n, -1, cpu)).toHaveLength(1);
    expect(comparators.watchHit(cpu, 0x1800000, 0x90000000, { size: 4, write: true })).toBeDefined();
    session.detach();
    driven.control.quit();
  });
});

describe('a client that has left its last process', () => {
  test('lists no thread and cannot resume, while the machine runs; it can attach again', async () => {
    const m = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const control = new RunControl(m.machine);
    const { ask, session } = connect(control);
    void control.run();
    const before = control.history.position;
    expect(await ask('D;1')).toBe('OK');
    expect(await ask('qfThreadInfo')).toBe('l');
    expect(await ask('qXfer:threads:read::0,1000')).toMatch(/<threads><\/threads>$/);
    expect(await ask('?')).toBe('W00');
    expect(await ask('vCont;c:p1.-1')).toMatch(/^E\.no process is attached/);
    await until(() => control.history.position > before);
    expect(await ask('vAttach;1')).toMatch(/^T05.*thread:p1\.1;/);
    const stopped = control.history.position;
    expect(await ask('qfThreadInfo')).toBe('mp1.1');
    expect(await ask('vCont;s:p1.1')).toMatch(/^T05/);
    expect(control.history.position).toBe(stopped + 1);
    session.detach();
    control.quit();
    expect(await ask('vCont;c')).toBe('W00');
  });

  test('leaves no catch behind that it has set since', async () => {
    const control = new RunControl(new TestMachine({ code: ['b 0'] }).machine);
    const { ask, session } = connect(control);
    void control.run();
    expect(await ask('D;1')).toBe('OK');
    await until(() => session.detached);
    expect(await ask(monitor('catch exception'))).toBe(toHex(fromLatin1('catch 1: exception\n')));
    session.detach();
    expect(control.catches.all()).toEqual([]);
    control.quit();
  });

  test('process 1 may go while a guest stays: the machine stops for the guest', async () => {
    const driven = await Driven.boot(['hello']);
    await driven.to('handle_exit');
    const { ask, session } = connect(driven.control);
    expect(await ask('vAttach;11')).toMatch(/^T05/);
    expect(await ask('D;1')).toBe('OK');
    expect(await ask('D;1')).toBe('E01');
    expect(await ask('qfThreadInfo')).toBe('mp11.1');
    expect(session.detached).toBe(false);
    expect(await ask('D;11')).toBe('OK');
    expect(await ask('qfThreadInfo')).toBe('l');
    await until(() => session.detached);
    driven.control.quit();
    for (const pid of ['1', '11']) expect(await ask(`vAttach;${pid}`)).toBe('E.the machine has ended');
    session.detach();
  });
});

describe('Ctrl-C', () => {
  test('that comes between two resumes of a long step stops the second one', async () => {
    const m = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] });
    const control = new RunControl(m.machine);
    const { ask, session } = connect(control);
    void control.run();
    expect(await ask('vCont;s:p1.1')).toMatch(/^T05/);
    session.receive(fromLatin1('\x03'));
    expect(await ask('g')).toMatch(/^[0-9a-f]+$/);
    expect(await ask('vCont;c:p1.-1')).toMatch(/^T02/);
    session.receive(fromLatin1('\x03'));
    expect(await ask('bs')).toMatch(/^T02/);
    // It has stopped one resume, and no more.
    expect(await ask('bs')).toMatch(/^T05/);
    const stop = ask('vCont;c:p1.-1');
    const at = control.history.position;
    await until(() => control.history.position > at + 1000);
    session.receive(fromLatin1('\x03'));
    expect(await stop).toMatch(/^T02/);
    session.detach();
    control.quit();
  });
});

test('the host world is not hidden while gdb stands in it, or has attached it', async () => {
  const control = new RunControl(new TestMachine({ code: ['b 0'] }).machine);
  const { ask, session } = connect(control);
  const heard = async (): Promise<string> => Buffer.from(await ask(monitor('host-view off')), 'hex').toString();
  expect(await ask('vAttach;2')).toMatch(/^T05/);
  expect(await heard()).toMatch(/^gdb has attached process 2: 'detach' gives it up\n/);
  expect(await ask('qfThreadInfo')).toBe('mp1.1,p2.1');
  expect(await ask('D;2')).toBe('OK');
  expect(await ask(monitor('host-view on'))).toBe(toHex(fromLatin1('host-view is on\n')));
  expect(await ask('Hgp2.1')).toBe('OK');
  expect(await heard()).toMatch(/^process 2 is gdb's current one: select another one first, as 'inferior 1'\n/);
  expect(await ask('Hgp1.1')).toBe('OK');
  expect(await heard()).toBe('host-view is off\n');
  expect(await ask('qfThreadInfo')).toBe('mp1.1');
  session.detach();
  control.quit();
});

describe('Ctrl-C in a step that another client holds up', () => {
  test('is told, also where gdb has not gone on in its first process yet', async () => {
    const control = new RunControl(new TestMachine({ code: ['b 0'] }).machine);
    const holder = connect(control);
    const { ask, next, session } = connect(control);
    expect(await ask('?')).toMatch(/^T05/);
    expect(await ask(monitor('host-view on'))).toBe(toHex(fromLatin1('host-view is on\n')));
    session.receive(encodePacket('vCont;c:p1.1'));
    session.receive(fromLatin1('\x03'));
    expect(await next()).toMatch(/^T02.*thread:p1\.1;/);
    for (const one of [session, holder.session]) one.detach();
    control.quit();
  });
});

describe('a step backwards', () => {
  test('with two CPUs goes over one instruction, also over one that a debugger has stepped', async () => {
    const m = new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'], cpus: 2 });
    m.machine.cpus[1]!.parked = false;
    m.machine.cpus[1]!.pc = m.machine.cpus[0]!.pc;
    const control = new RunControl(m.machine);
    const { ask, session } = connect(control);
    void control.run();
    const stop = ask('vCont;c:p1.-1');
    await until(() => control.history.position > 1000);
    session.receive(fromLatin1('\x03'));
    await stop;
    for (const [n, cpu] of m.machine.cpus.entries()) {
      const thread = `p1.${n + 1}`;
      const places: bigint[] = [];
      for (let k = 0; k < 3; k++) {
        places.push(cpu.pc);
        expect(await ask(`vCont;s:${thread}`)).toMatch(/^T05/);
      }
      expect(await ask(`Hc${thread}`)).toBe('OK');
      for (const pc of places.reverse()) {
        expect(await ask('bs')).toMatch(/^T05/);
        expect(cpu.pc, thread).toBe(pc);
      }
    }
    session.detach();
    control.quit();
  });
});

describe('a client that leaves in the middle of a step', () => {
  test('lets the machine run', async () => {
    const control = new RunControl(new TestMachine({ code: ['addi.d $a0, $a0, 1', 'b -4'] }).machine);
    const [stepping, waiting] = [connect(control), connect(control)];
    void control.run();
    // The other one keeps the machine stopped.
    void stepping.ask('vCont;s:p1.1');
    await until(() => stepping.session.running);
    stepping.session.close();
    const at = control.history.position;
    waiting.session.close();
    await until(() => control.history.position > at + 1000);
    control.quit();
  });
});

test('a reset keeps nothing of the memory that it clears', async () => {
  const driven = await Driven.boot(['hello']);
  const { control } = driven;
  control.history.enable(true);
  await driven.to('handle_exit');
  const { ask, session } = connect(control);
  expect(control.history.copies.positions.length).toBeGreaterThan(0);
  const keep = vi.spyOn(PageStore.prototype, 'keep');
  const answer = Buffer.from(await ask(monitor('reset')), 'hex').toString();
  expect(answer).toBe("machine reset\ngdb still has the registers from before: type 'maint flush register-cache'\n");
  expect(keep).not.toHaveBeenCalled();
  keep.mockRestore();
  expect(control.history.enabled).toBe(true);
  session.detach();
  control.quit();
});

describe('a monitor command that takes long', () => {
  let over = false;
  let ended = 0;
  const snapshotStore: SnapshotStore = {
    *save() {
      try {
        while (!over) yield;
        return 2 ** 20;
      } finally {
        ended++;
      }
    },
    *load() {},
  };
  const begin = (): ReturnType<typeof connect> & { control: RunControl } => {
    over = false;
    ended = 0;
    const control = new RunControl(new TestMachine({ code: ['b 0'] }).machine, { snapshotStore });
    return { ...connect(control), control };
  };

  test('keeps gdb waiting, and then has its answer, in one packet', async () => {
    const { ask, next, session, control } = begin();
    // gdb shows nothing of an empty text.
    expect(await ask(monitor('snapshot save x'))).toBe('O');
    over = true;
    let answer = 'O';
    while (answer === 'O') answer = await next();
    expect(Buffer.from(answer, 'hex').toString()).toBe('x: 1.0 MiB, at instruction 0\n');
    session.detach();
    control.quit();
  });

  test('has the machine for itself: the packets of another client wait', async () => {
    const { ask, next, session, control } = begin();
    const other = connect(control);
    expect(await ask(monitor('snapshot save x'))).toBe('O');
    let answered = false;
    const registers = other.ask('g').then(() => {
      answered = true;
    });
    expect(await next()).toBe('O');
    expect(answered).toBe(false);
    over = true;
    await registers;
    for (const one of [session, other.session]) one.detach();
    control.quit();
  });

  test('ends without an answer when gdb asks something else, because Ctrl-C has ended its waiting', async () => {
    const { ask, session, control } = begin();
    expect(await ask(monitor('snapshot save x'))).toBe('O');
    expect(await ask('qC')).toBe('QCp1.1');
    expect(ended).toBe(1);
    expect(await ask('qAttached')).toBe('1');
    session.detach();
    control.quit();
  });
});

describe('explain', () => {
  test('is about an event that is older than the past that is kept, too', async () => {
    const m = new TestMachine({ code: ['syscall 0'] }).setHost({ EENTRY: 0x40000 });
    m.code(0x40000, ['b 0']);
    const control = new RunControl(m.machine);
    m.machine.run(100_000, 100_000);
    const { ask, session } = connect(control);
    const explanation = Buffer.from(await ask(monitor('explain')), 'hex').toString();
    expect(explanation).toMatch(/^exception in the host on cpu0: SYS/);
    session.detach();
    control.quit();
  });
});

describe('exceptions as signals', () => {
  const SIGILL = 4;
  /** A machine that raises INE over and over, stopped at the first one. */
  async function caught(pass: string): Promise<string> {
    const m = new TestMachine({ code: ['amadd.d $a1, $a0, $a1', 'b 0'] }).setHost({ EENTRY: 0x40000 });
    m.code(0x40000, ['b 0']);
    const control = new RunControl(m.machine);
    const { ask, session } = connect(control);
    void control.run();
    await ask(monitor('signals on'));
    await ask(monitor('catch exception INE'));
    expect(await ask(`QPassSignals:${pass}`)).toBe('OK');
    const stop = await ask('vCont;c');
    session.detach();
    control.quit();
    return stop;
  }

  test('an undefined instruction is SIGILL, unless gdb does not want to see that', async () => {
    const signal = (stop: string): number => Number.parseInt(stop.slice(1, 3), 16);
    expect(signal(await caught(''))).toBe(SIGILL);
    expect(signal(await caught('8;b'))).toBe(SIGILL);
    expect(signal(await caught('4'))).toBe(0);
    expect(signal(await caught('e;4'))).toBe(0);
  });
});
