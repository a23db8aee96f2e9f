/**
 * Measures how long gdb waits: for packets of all kinds, and for steps and leaps into the past, with KVM and with the reference
 * hypervisor. Run through scripts/measure --latency [--on kvm|reference] [--instructions N] [--packets N] [--history SIZE].
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_MACHINE, parseGuest, parseHistory, parseInteger } from '../src/cli/options.ts';
import { type Running, start } from '../src/cli/run.ts';
import { fromLatin1, toHex } from '../src/gdbstub/framing.ts';
import { LINUX } from '../test/linux/images.ts';
import { bootHost, startGuest } from '../test/linux/kvm-session.ts';
import { seeded } from '../test/support/random.ts';
import { GdbPackets } from './lib/gdb-packets.ts';
import { LatencyTable } from './lib/latency-table.ts';

/** What the guest does until there are enough instructions: processes, files, computing. */
const WORK =
  'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; ls -lR /bin /dev >/dev/null; md5sum /bin/busybox >/dev/null';
/** Running time that counts as "the last minute". */
const MINUTE_MS = 60_000;
/** Moments of the past that are gone to, of each kind. */
const MOMENTS = 100;

const { values } = parseArgs({
  options: {
    instructions: { type: 'string', default: '5000000000' },
    packets: { type: 'string', default: '1000' },
    history: { type: 'string', default: '512M' },
    on: { type: 'string' },
  },
});
const INSTRUCTIONS = parseInteger(values.instructions, '--instructions', 1, 1e12);
const PACKETS = parseInteger(values.packets, '--packets', 1, 1e6);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

const monitor = (command: string): string => `qRcmd,${toHex(fromLatin1(command))}`;
const read = (object: string, annex = ''): string => `qXfer:${object}:read:${annex}:0,ffb0`;

/** Packets that are no resumes, as gdb and its users send them. Monitor commands that replay the past are listed apart. */
const KINDS: readonly (readonly [kind: string, ...packets: string[]])[] = [
  ['stop reason, threads (`?`, `qfThreadInfo`, `qXfer:threads`)', '?', 'qfThreadInfo', read('threads')],
  ['registers (`g`, `p`)', 'g', 'p20', 'p1000'],
  ['memory (`m`)', 'm9000000000200000,40', 'm9000000000200000,1000', 'm6db0000000000000,40'],
  ['target description', read('features', 'target.xml')],
  ['`attach`, `detach` (`vAttach`, `D`)', 'vAttach;11', 'D;11'],
  [
    'breakpoints (`Z`, `z`)',
    'Z1,9000000000200000,4',
    'z1,9000000000200000,4',
    'Z2,9000000001800000,8',
    'z2,9000000001800000,8',
  ],
  ['`info os vms`, `vcpus`', read('osdata', 'vms'), read('osdata', 'vcpus')],
  ['`info os irq`, `exits`, `lastexits`', read('osdata', 'irq'), read('osdata', 'exits'), read('osdata', 'lastexits')],
  ['`info os tlb`, `gtlb`, `csrs`', read('osdata', 'tlb'), read('osdata', 'gtlb'), read('osdata', 'csrs')],
  ['`monitor info vms`, `vcpus`, `worlds`', monitor('info vms'), monitor('info vcpus'), monitor('info worlds')],
  ['`monitor info stage2`', monitor('info stage2 1')],
  ['`monitor info pagetable`', monitor('info pagetable host'), monitor('info pagetable 1')],
  ['`monitor explain`', monitor('explain')],
  ['`monitor explain` once more', monitor('explain')],
  ['`monitor context`', monitor('context')],
  ['`monitor translate`', monitor('translate 0x9000000000200000')],
  ['`monitor history`', monitor('history 20')],
  ['`monitor reverse`', monitor('reverse')],
  ['search in memory (`qSearch`)', 'qSearch:memory:9000000000200000;1000000;no such text'],
  ['`record btrace` (`qXfer:btrace`)', read('btrace', 'all')],
];
/** Monitor commands that replay. */
const REPLAYING: readonly (readonly [string, string])[] = [
  ['`monitor history 20 csr`', 'history 20 csr'],
  ['`monitor history 100 all`', 'history 100 all'],
  ['`monitor context learn`', 'context learn'],
];

/** A machine with a gdb that keeps its past. */
interface Debugged {
  readonly running: Running;
  readonly gdb: GdbPackets;
}

async function debugged(running: Running): Promise<Debugged> {
  const gdb = new GdbPackets(running.ports[0] as number);
  for (const packet of ['qSupported:QNonStop+;swbreak+;hwbreak+', '?', 'Qbtrace:bts']) await gdb.ask(packet);
  gdb.resume();
  return { running, gdb };
}

const PORT = { host: '127.0.0.1', port: 0 };
const HISTORY = parseHistory(values.history);

/** Debian's kernel as KVM host with two CPUs, and a guest of its QEMU that works. */
async function kvm(): Promise<Debugged> {
  const host = await bootHost({
    ...{ initrd: join(LINUX, 'kvm-initramfs'), smp: 2, timeout: 7200, history: HISTORY, gdb: PORT },
    append: 'console=ttyS0,115200 cryptomgr.notests swiotlb=noforce nokaslr quiet',
  });
  const both = await debugged(host.running!);
  await startGuest(host, { vcpus: 1 });
  while (host.machine!.instructions < INSTRUCTIONS) await host.run(WORK, 600_000);
  return both;
}

/** The reference hypervisor on two CPUs, and a guest with two vCPUs that take pages, locks and interrupts from each other. */
async function reference(): Promise<Debugged> {
  const guest = parseGuest('smp,vcpus=2,append=soak:100000000');
  const cli = { ...DEFAULT_MACHINE, guest: [guest], smp: 2, history: HISTORY, gdb: PORT, wait: true, quiet: true };
  const both = await debugged(await start(undefined, cli, () => {}));
  while (both.running.booted.machine.instructions < INSTRUCTIONS)
    await new Promise((resolve) => setTimeout(resolve, 100));
  return both;
}

const DEBUGGEES = { kvm, reference };

/** All kinds of packets in turn. @param round which of the packets of a kind is next: `detach` follows `attach` */
async function packets(gdb: GdbPackets, table: LatencyTable, count: number, round: { n: number }): Promise<void> {
  for (let sent = 0; sent < count; round.n++)
    for (const [kind, ...list] of KINDS) {
      sent++;
      table.add(kind, (await gdb.ask(list[round.n % list.length]!)).took);
    }
}

/** The position where the last minute of running begins, or the history. */
function minuteAgo({ control }: Running): number {
  const { positions, work } = control.history.copies;
  let age = 0;
  for (let n = positions.length - 1; n >= 0; n--) {
    age += work[n]!;
    if (age > MINUTE_MS) return positions[n]!;
  }
  return positions[0]!;
}

/** Goes to moments between two positions, and from each a step back, and to its histories. */
async function past(
  gdb: GdbPackets,
  table: LatencyTable,
  random: () => number,
  first: number,
  last: number,
): Promise<void> {
  for (let n = 0; n < MOMENTS; n++) {
    const at = first + Math.floor((random() / 2 ** 32) * (last - first));
    table.add('`monitor goto`', (await gdb.ask(monitor(`goto ${at}`))).took);
    table.add('`reverse-stepi` there', (await gdb.ask('bs')).took);
    table.add('`reverse-stepi` once more', (await gdb.ask('bs')).took);
    table.add('`record btrace` there', (await gdb.ask(read('btrace', 'all'))).took);
    const [kind, command] = REPLAYING[n % REPLAYING.length]!;
    table.add(`${kind} there`, (await gdb.ask(monitor(command))).took);
  }
  table.add('back to the end', (await gdb.ask(monitor(`goto ${last}`))).took);
}

async function measure(name: string, { running, gdb }: Debugged): Promise<void> {
  const { control } = running;
  await gdb.interrupt();
  const random = seeded(INSTRUCTIONS);
  const end = control.history.position;
  const show = (rows: readonly string[]): void => print(`\n${rows.join('\n')}`);
  const report = async (): Promise<string> => (await gdb.ask(monitor('reverse'))).text.trimEnd();
  print(`## ${name}: ${end} instructions\n${await report()}`);

  const atEnd = new LatencyTable();
  const round = { n: 0 };
  await packets(gdb, atEnd, Math.ceil(PACKETS / 2), round);
  const minute = minuteAgo(running);
  const recent = new LatencyTable();
  await past(gdb, recent, random, minute, end);
  const any = new LatencyTable();
  await past(gdb, any, random, control.history.beginning, end);
  for (let left = Math.floor(PACKETS / 2); left > 0; left -= 100) {
    const { beginning } = control.history;
    await gdb.ask(monitor(`goto ${beginning + Math.floor((random() / 2 ** 32) * (end - beginning))}`));
    await packets(gdb, atEnd, Math.min(left, 100), round);
  }
  await gdb.ask(monitor(`goto ${end}`));
  show(atEnd.rows('packet, half of them at the end, half at moments of the past', true));
  show(recent.rows('the past: the last minute of running', false));
  show(any.rows('the past: anywhere', false));

  const stops = new LatencyTable();
  for (let n = 0; n < 50; n++) {
    gdb.resume();
    await new Promise((resolve) => setTimeout(resolve, 50 + (random() % 100)));
    stops.add('Ctrl-C while the machine runs', await gdb.interrupt());
  }
  show(stops.rows('from Ctrl-C to the stop', false));
  print(`\n${await report()}\n`);
  gdb.close();
  control.quit();
  await running.done;
}

for (const [name, run] of Object.entries(DEBUGGEES))
  if (values.on === undefined || values.on === name) await measure(name, await run());
