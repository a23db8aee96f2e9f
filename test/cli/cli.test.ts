/** The program as a user runs it: exit codes, messages, streams. */
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { HYPERVISOR, PROJECT_ROOT } from '../../src/cli/paths.ts';
import { TraceOutput } from '../../src/cli/trace.ts';
import { flatten } from '../board/qemu-tree.ts';
import { timer } from '../support/hostile.ts';
import { elfOf, IDLE, tinyElf } from '../support/images.ts';

const dir = mkdtempSync(join(tmpdir(), 'loongscope-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function loongscope(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const r = await execa(process.execPath, [join(PROJECT_ROOT, 'src', 'cli', 'main.ts'), ...args], {
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
    env: { XDG_CACHE_HOME: dir },
  });
  return { code: r.exitCode ?? -1, out: r.stdout, err: r.stderr };
}

describe('loongscope run', () => {
  test('ends with 0 at power-off; stdout holds the guest’s console alone', async () => {
    const { code, out, err } = await loongscope('run', '--guest', 'hello');
    expect(code).toBe(0);
    expect(out).toContain('[hello] Hello from a LoongArch guest');
    expect(err).toBe('');
  });

  test('--code-cache keeps notes; a damaged file does no harm; one that cannot be written is said', async () => {
    const file = join(dir, 'hot.json');
    writeFileSync(file, 'not JSON');
    for (let n = 0; n < 2; n++) {
      const { code, out, err } = await loongscope('run', '--code-cache', file, '--guest', 'paging');
      expect([code, err]).toEqual([0, '']);
      expect(out).toContain('[paging]');
    }
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ version: 1 });
    const { code, err } = await loongscope('run', '--code-cache', join(file, 'below'), '--guest', 'paging');
    expect(code).toBe(0);
    expect(err).toMatch(/warning: --code-cache .* could not be written/);
  });

  test('--engine check: interpreter and translator agree', async () => {
    const { code, err } = await loongscope(
      'run',
      '--engine',
      'check',
      '--check-interval',
      '100000',
      '--guest',
      'timer',
    );
    expect(code).toBe(0);
    expect(err).toMatch(/check: interpreter and translator agree, \d{2,} comparisons/);
  });

  test('--stats is one JSON line on stderr', async () => {
    const { err } = await loongscope('run', '--guest', 'hello', '--stats', '--serial', 'null');
    const stats = JSON.parse(err) as Record<string, unknown>;
    for (const key of ['instructions', 'guestInstructions', 'vmExits', 'exceptions', 'wallSeconds', 'mips'])
      expect(stats).toHaveProperty(key);
  });

  test('--serial file:F, --log exit,exception=F', async () => {
    const [serial, log] = [join(dir, 'serial'), join(dir, 'log')];
    const { code, out } = await loongscope(
      'run',
      '--guest',
      'crash',
      '--serial',
      `file:${serial}`,
      '--log',
      `exit,exception=${log}`,
    );
    expect([code, out]).toEqual([0, '']);
    expect(readFileSync(serial, 'latin1')).toContain('crash died');
    const lines = readFileSync(log, 'utf8');
    expect(lines).toMatch(/exception in VM 1: SYS \(Ecode 0xb\)/);
    expect(lines).toMatch(/VM exit from VM 1: PIF/);
    expect(lines).toMatch(/VM entry -> VM 1/);
  });

  // Manual: 7.4.1
  test('--log exception says once that software has set CRMD.DA and CRMD.PG alike', async () => {
    const program = join(dir, 'alike.elf');
    const both = [
      'addi.d $a0, $zero, 1',
      'csrwr $a0, 0x180',
      'addi.d $a0, $zero, 0x18',
      'csrwr $a0, 0',
      'addi.d $a0, $zero, 0x18',
      'csrwr $a0, 0',
    ];
    writeFileSync(program, elfOf([...both, 'b 0']));
    const { err } = await loongscope('run', program, '--log', 'exception', '--max-instructions', '50');
    expect(err.split('\n').filter((l) => l.includes('CRMD.DA'))).toEqual([
      'cpu0 pc 0x20000c: CRMD.DA and CRMD.PG are both 1, which is undefined: addresses are direct here',
    ]);
  });

  test('limits end with 124', async () => {
    const insns = await loongscope('run', '--guest', 'hello', '--max-instructions', '5000', '--stats');
    expect(insns.code).toBe(124);
    expect(insns.err).toMatch(/instruction limit reached/);
    expect(insns.err).toMatch(/"instructions":5000,/);
    const spin = join(dir, 'spin.elf');
    writeFileSync(spin, elfOf(['addi.d $a0, $a0, 1', 'b -4']));
    const time = await loongscope('run', spin, '--timeout', '0.3');
    expect([time.code, time.err]).toEqual([
      124,
      'loongscope: time limit reached (--timeout 0.3): the machine was still running',
    ]);
  });

  test('Ctrl-C ends with 130', async () => {
    // It says that it runs, and goes on for ever.
    const spin = join(dir, 'forever.elf');
    const say = ['lu12i.w $t0, 0x1fe00', 'ori $t0, $t0, 0x1e0', 'addi.w $a1, $zero, 0x72', 'st.b $a1, $t0, 0'];
    writeFileSync(spin, elfOf([...say, 'b 0']));
    const child = execa(process.execPath, [join(PROJECT_ROOT, 'src', 'cli', 'main.ts'), 'run', spin], {
      reject: false,
      stdin: 'ignore',
      timeout: 30_000,
    });
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect((await child).exitCode).toBe(130);
  });

  test('--gdb unix:PATH never removes a file that is no socket', async () => {
    const file = join(dir, 'precious');
    writeFileSync(file, 'keep me');
    const { code, err } = await loongscope('run', '--gdb', `unix:${file}`);
    expect([code, readFileSync(file, 'utf8')]).toEqual([2, 'keep me']);
    expect(err).toMatch(/cannot listen for gdb: .*precious exists, and is no socket: choose another path/);
  });

  test('a machine that waits for nothing dies with a reason', async () => {
    const idle = join(dir, 'idle.elf');
    writeFileSync(idle, tinyElf(IDLE));
    const { code, err } = await loongscope('run', idle, '--serial', 'null');
    expect(code).toBe(1);
    expect(err).toMatch(/the machine died: every CPU waits for an interrupt that cannot come/);
  });

  test('--memory 4G and --smp 2 boot', async () => {
    expect((await loongscope('run', '--memory', '4G', '--smp', '2')).code).toBe(0);
  });

  test('without LVZ the hypervisor says so', async () => {
    expect((await loongscope('run', '--cpu', 'max,lvz=off')).out).toContain('panic: this CPU has no LVZ');
  });

  test.each([
    [['run', '--memory', '3x'], /--memory: '3x' is not a size/],
    [['run', '--memory', '1M'], /out of range/],
    [['run', '--smp', '99'], /--smp: '99'/],
    [['run', '--cpu', 'z80'], /unknown model 'z80'/],
    [['run', '--cpu', 'max,lsx=off,lasx=on'], /lasx cannot be on while lsx is off/],
    [['run', '--cpu', 'max,bogus=on'], /unknown feature 'bogus'/],
    [['run', '--bogus'], /unknown option '--bogus': see/],
    [['run', '--gbd=1234'], /unknown option '--gbd=1234' \(did you mean --gdb\?\)/],
    [['explore', '--out', 'x'], /unknown option '--out' \(did you mean --output\?\)/],
    [['exlpore'], /unknown command 'exlpore' \(did you mean explore\?\)/],
    [['run', '--initrd', '/nonexistent'], /cannot read .*ENOENT/],
    [['run', '--drive', '/nonexistent'], /--drive: cannot open .*ENOENT/],
    [['run', '--drive', 'x,color=red'], /unknown part 'color=red'/],
    [['run', '--drive', 'x,format=qcow2'], /use format=raw/],
    [['run', '--share', '/nonexistent'], /--share: cannot read .*ENOENT/],
    [['run', '--share', '/etc/passwd'], /is no folder/],
    [['run', '--share', '/tmp,color=red'], /unknown part 'color=red'/],
    [['run', '--net', 'user,color=red'], /--net user: unknown part 'color': use hostfwd=, hostname=/],
    [
      ['run', '--net', 'stream,connect=127.0.0.1:1'],
      /nobody can be reached there \(ECONNREFUSED\): start the other end/,
    ],
    [['run', '--net', 'x'], /use none, isolated, loopback or dump:FILE/],
    [
      ['run', '--drive', 'nbd:unix:/nonexistent'],
      /\(.*ENOENT.*\): start it first, as qemu-nbd -t -k \/nonexistent FILE/,
    ],
    [['run', '--drive', 'nbds://h/x'], /wants encryption/],
    [['run', '--firmware', '/nonexistent'], /cannot read .*ENOENT/],
    [['run', '--firmware', '/etc/passwd', '--guest', 'hello'], /leave --firmware out/],
    [['run', '--firmware', '/etc/passwd', '/etc/passwd'], /is no program for UEFI/],
    [
      ['run', '--record', '/no/such/folder/x'],
      /--record: cannot write \/no\/such\/folder\/x \(ENOENT\): check the path/,
    ],
    [
      ['run', '--record', 'x', '--gdb', '0'],
      /--record: a debugger changes what happens: .*loongscope replay --gdb PORT/,
    ],
    [['run', '--record', 'x', '--clock', 'host'], /--record: runs in real time do not repeat: use --clock virtual/],
    [['run', '--record', 'x', '--threads', '--clock', 'host'], /--record: runs in real time do not repeat/],
    [['run', '--record', 'x', '--engine', 'check'], /--record: --engine check runs a second machine/],
    [['run', '--record-images'], /--record-images without a recording: add --record FILE/],
    [['replay', '/no/such/file'], /cannot read \/no\/such\/file \(ENOENT\): check the path/],
    [['replay', HYPERVISOR], /is no recording: give a file of run --record/],
    [
      ['replay', 'x', '--at', 'tomorrow'],
      /--at: 'tomorrow' is no moment: write an instruction number, end, bookmark:NAME, console:TEXT/,
    ],
    [['run', '--engine', 'fastest'], /unknown: use auto, jit, interpreter, check/],
    [['run', '--engine', 'check', '--gdb', '0'], /leave the debugger out/],
    [['run', '--check-interval', '5'], /add --engine check/],
    [['run', '--history', 'long'], /--history: 'long' is not a size/],
    [['run', '--history', '8M'], /--history: '8M' is out of range: use 16M to 256G/],
    [['run', '--history', '64M', '--clock', 'host'], /--history: runs in real time do not repeat: use --clock virtual/],
    [['run', '--clock', 'lunar'], /'lunar' is unknown: use virtual or host/],
    [['run', '--load', 'x@y'], /--load: 'y' is not an address/],
    [['run', '--load', '@0x1000'], /write FILE@ADDRESS, or the ADDRESS of the image/],
    [['run', '--load', '/nonexistent@0x1000'], /cannot read \/nonexistent/],
    [['run', '--load', '1', '--load', '2', HYPERVISOR], /two addresses for one image/],
    [['run', '--firmware', '/etc/passwd', '--load', '0x1000'], /leave it or --firmware out/],
    [['run', '--firmware', '/etc/passwd', '--boot', 'uhi'], /leave one of them out/],
    [['run', '--dump-dtb', '/nonexistent/x'], /cannot write \/nonexistent\/x \(ENOENT\)/],
    [['run', '--dump-dtb', '/nonexistent/x', '--boot', 'none'], /--boot none has no device tree/],
    [['run', '--threads'], /add --clock host/],
    [
      ['run', '--threads', '--clock', 'host', '--smp', '4', '--memory', '8G'],
      /--smp 4 leaves \d+ MiB for RAM: give --memory \d+M or less, or leave --threads out/,
    ],
    [['run', '--clock', 'host', '--threads', '--smp', '16'], /--threads is for up to 15 CPUs/],
    [['run', '--serial', 'tcp:1'], /'1' is no address: write HOST:PORT/],
    [['run', '--serial', 'wat'], /unknown: use stdio/],
    [['run', '--log', 'exit='], /a file is missing after =/],
    [['run', '--log', 'nope'], /unknown kind 'nope'/],
    [['run', '--gdb', '99999'], /not a whole number from 0 to 65535/],
    [['run', '--gdb-guest', 'x'], /write VM/],
    [['run', '--gdb-host', 'x'], /not a whole number/],
    [['run', '--on-loop', 'x'], /--on-loop: 'x' is unknown: use stop or report/],
    [['run', '--audit', 'x'], /--audit: 'x' is unknown: use worldswitch/],
    [['trace', '--from', '5', '--guest', 'hello'], /--from and --to are for a recorded run/],
    [['trace', '--format', 'x'], /--format: 'x' is unknown: use text, jsonl, chrome, html/],
    [['trace', '--detail', 'tlb,x'], /--detail: 'x' is unknown: use tlb, device, functions/],
    [['trace', '--detail', 'functions', '--guest', 'hello'], /--detail functions is for a recorded run/],
    [['trace', '--guest', 'hello', '--output', '/nonexistent/x'], /cannot write/],
    [['run', '--hypervisor', 'a.elf', 'b.elf'], /give either an image or these/],
    [['run', '--wait'], /add --gdb PORT/],
    [['run', '--max-instructions', '-1'], /--max-instructions/],
    [['run', '--timeout', 'soon'], /not a positive number/],
    [['run', '--guest', 'nope'], /cannot read nope \(ENOENT\)/],
    [['run', '--guest', 'hello,vcpus=5'], /--guest vcpus.*1.*4/],
    [['run', '--guest', 'hello,color=red'], /unknown part 'color=red'/],
    [['run', '--guest', 'hello,memory=900M'], /larger --memory/],
    [['run', '--guest', 'hello', 'x.elf'], /leave the image out/],
    [['run', 'a', '--kernel', 'b'], /two images/],
    [['run', '/'], /is a folder/],
    [['run', '/nonexistent'], /ENOENT/],
    [['run', '/etc/passwd'], /not an ELF file/],
    [['qemu', '-M', 'pc'], /'pc' is not known: use virt/],
    [['bench', '--kernel', 'nothing'], /'nothing' is unknown: use a \(integer\)/],
    [['bench', '--qemu', '/nonexistent', '--kernel', 'a'], /is no qemu-system-loongarch64/],
    [['bench', '--pairs', '0'], /from 1 to 99/],
    [['frobnicate'], /unknown command 'frobnicate'/],
    [['explain', 'zzz'], /'zzz' is not a number/],
    [['explain', 'nope=1'], /'nope' is no CSR/],
    [['explain'], /missing required argument/],
  ])('%j is refused with its reason and exit code 2', async (args, message) => {
    const { code, out, err } = await loongscope(...args);
    expect(err).toMatch(message);
    expect(err).toMatch(/^loongscope: /);
    expect(err.split('\n')).toHaveLength(1);
    expect([code, out]).toEqual([2, '']);
  });

  test('--dump-dtb writes the tree of the machine, and runs nothing', async () => {
    const file = join(dir, 'board.dtb');
    const { code, out, err } = await loongscope('run', '--memory', '1G', '--smp', '2', '--dump-dtb', file);
    expect([code, out, err]).toEqual([0, '', '']);
    const tree = flatten(readFileSync(file));
    expect(tree.nodes.filter((n) => /memory@|cpu@/.test(n))).toEqual([
      '/memory@80000000',
      '/memory@0',
      '/cpus/cpu@1',
      '/cpus/cpu@0',
    ]);
  });

  test('a truncated image is refused', async () => {
    const cut = join(dir, 'cut.elf');
    writeFileSync(cut, readFileSync(HYPERVISOR).subarray(0, 3000));
    const { code, err } = await loongscope('run', cut);
    expect(code).toBe(2);
    expect(err).toMatch(/truncated/);
  });
});

describe('loongscope trace, audits and loops', () => {
  test('a trace says what the machine forgives', async () => {
    const quirk = /quirk-host-refill-gid is on: refills of the host ignore GTLBC\.TGID/;
    for (const format of ['text', 'jsonl', 'chrome']) {
      const file = join(dir, `quirk.${format}`);
      const cpu = ['--cpu', 'max,quirk-host-refill-gid=on'];
      const args = ['trace', '--guest', 'hello', '--serial', 'null', '--format', format, '--output', file];
      await loongscope(...args, ...cpu);
      const [first, second] = readFileSync(file, 'utf8').split('\n');
      expect(format === 'chrome' ? second : first).toMatch(quirk);
      if (format === 'chrome') expect(JSON.parse(readFileSync(file, 'utf8')).traceEvents[0].name).toMatch(quirk);
      await loongscope(...args);
      expect(readFileSync(file, 'utf8')).not.toMatch(quirk);
    }
  });

  test('trace of a recorded run is that of the run; a window is a part of it', async () => {
    const [recording, first, second, third] = ['r', '1', '2', '3'].map((n) => join(dir, `window.${n}`)) as [
      string,
      string,
      string,
      string,
    ];
    expect((await loongscope('run', '--guest', 'hello', '--record', recording)).code).toBe(0);
    const direct = await loongscope('trace', '--guest', 'hello', '--output', first);
    const later = await loongscope('trace', recording, '--output', second);
    expect([later.code, later.out, later.err.replace(second, first)]).toEqual([direct.code, direct.out, direct.err]);
    const whole = readFileSync(first, 'utf8');
    expect(readFileSync(second, 'utf8')).toBe(whole);
    expect((await loongscope('trace', recording, '--from', '2590000', '--to', '2598000', '--output', third)).code).toBe(
      0,
    );
    const part = readFileSync(third, 'utf8');
    expect(whole).toContain(part);
    expect(part.split('\n').length).toBeLessThan(whole.split('\n').length);
    expect(part).not.toBe('');
    const wrong = await loongscope('trace', recording, '--to', '99999999', '--output', third);
    expect([wrong.code, wrong.err]).toEqual([2, expect.stringMatching(/--to: the recording ends at instruction \d+/)]);
  });

  test('a trace has the details that are asked for, and a page shows it', async () => {
    const [recording, json, page] = ['r', 'json', 'html'].map((n) => join(dir, `detail.${n}`)) as [
      string,
      string,
      string,
    ];
    expect((await loongscope('run', '--guest', 'hello', '--record', recording)).code).toBe(0);
    const window = ['trace', recording, '--from', '2500000', '--to', '2600000', '--detail', 'tlb,device,functions'];
    expect((await loongscope(...window, '--format', 'chrome', '--output', json)).code).toBe(0);
    type Event = { ph: string; name: string; cat?: string; tid: number; ts: number; dur?: number };
    const { traceEvents } = JSON.parse(readFileSync(json, 'utf8')) as { traceEvents: Event[] };
    const of = (cat: string): Event[] => traceEvents.filter((e) => e.cat === cat && e.ph === 'i');
    expect(of('tlb').length).toBeGreaterThan(0);
    for (const e of of('tlb')) expect(e.name).toMatch(/^[\w ]+: (VA|stage [12]) of (the host|VM 1|all guests)/);
    expect(of('device').some((e) => /^uart0\+0x0 <- 0x48$/.test(e.name))).toBe(true);
    // The functions of a CPU fill its time without a gap.
    const stays = traceEvents.filter((e) => e.ph === 'X' && e.tid === 100);
    expect(stays.map((e) => e.name)).toContain('handle_exit');
    expect(stays.some((e) => e.cat === 'VM 1')).toBe(true);
    stays.slice(1).forEach((e, n) => {
      expect(e.ts).toBeCloseTo(stays[n]!.ts + stays[n]!.dur!, 6);
    });
    expect((await loongscope(...window, '--format', 'html', '--output', page)).code).toBe(0);
    const shown = /<script type="application\/json" id="trace">([^<]*)<\/script>/.exec(readFileSync(page, 'utf8'))!;
    expect(JSON.parse(shown[1]!)).toEqual(JSON.parse(readFileSync(json, 'utf8')));
    const long = await loongscope('trace', recording, '--detail', 'functions', '--to', '1', '--output', json);
    expect(long.code).toBe(0);
  });

  test('a trace that reaches the limit of its file is whole JSON', () => {
    const file = join(dir, 'full.json');
    const output = new TraceOutput(file, 2 ** 16 + 2000);
    const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    output.put('{"traceEvents":[');
    for (let n = 0; n < 1000; n++) output.event(`${n ? ',' : ''}\n{"n":${n}}`);
    output.put(']}');
    output.close();
    expect(said).toHaveBeenCalledTimes(1);
    said.mockRestore();
    const { traceEvents } = JSON.parse(readFileSync(file, 'utf8')) as { traceEvents: unknown[] };
    expect(traceEvents.length).toBe(output.events);
    expect(output.events).toBeGreaterThan(50);
    expect(output.events).toBeLessThan(1000);
  });

  test.each(['text', 'jsonl', 'chrome'])('trace as %s', async (format) => {
    const file = join(dir, `trace.${format}`);
    const { code, out, err } = await loongscope('trace', '--guest', 'timer', '--format', format, '--output', file);
    expect(code).toBe(0);
    expect(out).toContain('[timer]');
    expect(err).toMatch(/first write of GSTAT on cpu0: 0x[0-9a-f]+ <cpu_enter_host_mode/);
    expect(err).toMatch(/first instruction of VM 1 vcpu 0: 0x200000 <_start>/);
    expect(err).toMatch(/ {2}PIS +\d+ +\d+ +\d+ +\d+/);
    expect(err).toMatch(/loongscope: trace: \d+ events in /);
    const text = readFileSync(file, 'utf8');
    if (format === 'text') expect(text).toMatch(/VM entry -> VM 1 .* after \d+ instructions in the host/);
    if (format === 'jsonl') {
      const events = text
        .trim()
        .split('\n')
        .map((l) => JSON.parse(l) as { event: string; latency?: number; tick: number });
      expect(new Set(events.map((e) => e.event))).toEqual(new Set(['entry', 'exit', 'exception', 'inject']));
      expect(events.every((e, n) => n === 0 || e.tick >= events[n - 1]!.tick)).toBe(true);
      expect(events.some((e) => (e.latency ?? 0) > 100)).toBe(true);
    }
    if (format === 'chrome') {
      const { traceEvents } = JSON.parse(text) as { traceEvents: { ph: string; name: string; dur?: number }[] };
      for (const name of ['host', 'VM 1 vcpu 0', 'on cpu0', 'exit PIS', 'interrupt 11', 'entry'])
        expect(
          traceEvents.some((e) => e.name === name),
          name,
        ).toBe(true);
      expect(traceEvents.every((e) => e.ph !== 'X' || (e.dur ?? -1) >= 0)).toBe(true);
    }
  });

  test('--stats tells exits by vCPU, with latencies and hot places', async () => {
    const { err } = await loongscope('run', '--guest', 'hello', '--stats', '--serial', 'null');
    const { vcpus, first } = JSON.parse(err) as {
      vcpus: {
        gid: number;
        exits: Record<string, { count: number; meanLatency: number }>;
        hotPcs: { symbol: string }[];
        hotGpas: { gpa: string }[];
      }[];
      first: { what: string }[];
    };
    expect(vcpus[0]!.exits.PIS!.count).toBeGreaterThan(20);
    expect(vcpus[0]!.exits.PIS!.meanLatency).toBeGreaterThan(100);
    expect(vcpus[0]!.hotPcs[0]!.symbol).toBe('hello_mmio');
    expect(vcpus[0]!.hotGpas[0]!.gpa).toBe('0x1fe00000');
    expect(first[0]!.what).toMatch(/GSTAT/);
  });

  test('--audit worldswitch ends with a verdict', async () => {
    const { code, err } = await loongscope('run', '--guest', 'hello', '--serial', 'null', '--audit', 'worldswitch');
    expect([code, err]).toEqual([0, 'loongscope: audit: 33 guest entries, nothing found']);
  });

  test('a host that loops in exceptions ends with 1 and an explanation', async () => {
    const image = join(dir, 'loop.elf');
    writeFileSync(image, elfOf(['lu12i.w $t0, 0x300', 'csrwr $t0, 0xc', 'syscall 0', 'b 0']));
    const { code, err } = await loongscope('run', image, '--serial', 'null', '--timeout', '20');
    expect(code).toBe(1);
    expect(err).toMatch(/cause +the handler of the host at 0x300000 faults on its own first instruction, by INE/);
    expect(err).toMatch(
      /loongscope: the machine died: the host loops in exceptions on cpu0: its own vector 0x300000 raises INE/,
    );
  });

  test('a timer that is faster than its handler is not blamed on the handler', async () => {
    const image = join(dir, 'timer.elf');
    writeFileSync(image, timer(0, 'idle 0'));
    const { code, err } = await loongscope('run', image, '--serial', 'null', '--timeout', '20');
    expect(code).toBe(1);
    expect(err).toMatch(
      /cause +interrupt line 11 \(TI\) is taken again at .* clears it, and the timer has expired again/,
    );
    expect(err).not.toMatch(/must write 1 to TICLR/);
  });

  test('a guest that never gets on ends with 1, and the reason is found', async () => {
    const broken = join(PROJECT_ROOT, 'build', 'variants', 'wrong-tgid.elf');
    const { code, err } = await loongscope('run', '--hypervisor', broken, '--guest', 'hello', '--serial', 'null');
    expect(code).toBe(1);
    expect(err).toMatch(
      /warning: guest gid 1 makes no progress on cpu0: 2000 times in a row it was entered at 0x200000/,
    );
    expect(err).toMatch(
      /GTLBC\.TGID is 0 and the guest's GID 1: the refill fills an entry that this guest never finds/,
    );
    expect(err).toMatch(/the machine died: guest gid 1 makes no progress/);
  });

  test('a port that others can reach comes with a warning', async () => {
    const { err } = await loongscope(
      'run',
      '--guest',
      'hello',
      '--serial',
      'null',
      '--gdb',
      '0.0.0.0:0',
      '--gdb-host',
      '0',
      '--timeout',
      '5',
    );
    expect(err).toMatch(/gdb: the host world on 127\.0\.0\.1:\d+/);
    expect(err).toMatch(/warning: 0\.0\.0\.0 is not loopback, and this port has no password/);
    expect(err.match(/warning/g)).toHaveLength(1);
  });
});

describe('loongscope explain and help', () => {
  test('decodes what a user meets', async () => {
    const { code, out } = await loongscope(
      'explain',
      'estat=0x170800',
      '0x06483800',
      'gstat',
      'crmd=0x18',
      'pte=0x1200013',
      '0x800000000013',
      'insn=0xffffffff',
    );
    expect(code).toBe(0);
    for (const line of [
      /cause: HVC, hypercall; pending: TI/,
      /instruction word 0x6483800: ertn/,
      /CSR 0x50 GSTAT: guest status/,
      /GIDBIT +\[9:4\] constant/,
      /CRMD .* = 0x18/,
      /as a VM exit: A hypercall/,
      /page 0x1200000, V D \(writable\)/,
      // The page number goes up to bit 47.
      /page 0x800000000000, V D \(writable\)/,
      /no instruction \(raises INE\)/,
    ])
      expect(out).toMatch(line);
  });

  test('--version, --help', async () => {
    expect((await loongscope('--version')).out).toBe(
      (JSON.parse(readFileSync(join(PROJECT_ROOT, 'package.json'), 'utf8')) as { version: string }).version,
    );
    for (const command of ['run', 'debug', 'trace', 'demo', 'explain', 'doctor']) {
      const { code, out } = await loongscope(command, '--help');
      expect(code).toBe(0);
      expect(out).toMatch(/Example:/);
    }
  });
});
