/** Random sessions of real gdbs. Run through scripts/gdb-sessions. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { LINUX } from '../test/linux/images.ts';
import { makeKvmSnapshot } from '../test/linux/kvm-session.ts';
import { GDBS } from '../test/support/gdb-session.ts';
import { linuxMachine, referenceMachine } from '../test/support/random-session/machines.ts';
import { play } from '../test/support/random-session/play.ts';

const USAGE = `usage: gdb-sessions [--runs N] [--seed N] [--commands N] [--at-once N] [--kvm FILE] [--show]
  --runs N      sessions (100), with all gdbs, on 1 and 2 CPUs, every sixth with two gdbs on one machine
  --seed N      the first session's number (1); a number is the same session each time
  --commands N  commands of a session (30)
  --at-once N   sessions at the same time (2)
  --kvm FILE    on Linux with two VMs of KVM, otherwise on the reference hypervisor. FILE is a snapshot of it; it is
                made when it is missing, which takes some minutes
  --show        prints the transcripts
`;
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    commands: { type: 'string', default: '30' },
    'at-once': { type: 'string', default: '2' },
    kvm: { type: 'string' },
    show: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(USAGE);
  process.exit(0);
}
const [runs, first, commands, atOnce] = [values.runs, values.seed, values.commands, values['at-once']].map(Number) as [
  number,
  number,
  number,
  number,
];
if (![runs, first, commands, atOnce].every((n) => Number.isSafeInteger(n) && n > 0)) {
  process.stderr.write(USAGE);
  process.exit(2);
}
const { kvm } = values;
const print = (text: string): void => void process.stdout.write(`${text}\n`);

/** Symbols without lines: gdb reads them in a second. */
const symbols = join(LINUX, 'vmlinux-names');
if (kvm && !existsSync(kvm)) {
  print(`making ${kvm}`);
  await makeKvmSnapshot(kvm);
}

let bad = 0;
let done = 0;
let next = first;
const slow: number[] = [];
async function worker(): Promise<void> {
  while (next < first + runs) {
    const seed = next++;
    const [name, gdb] = GDBS[seed % GDBS.length]!;
    const cpus = 1 + ((seed >> 1) & 1);
    const debuggee = kvm ? linuxMachine(resolve(kvm), symbols) : referenceMachine(seed >> 2, cpus);
    const gdbs = seed % 6 === 5 ? 2 : 1;
    const { faults, transcript, slowest } = await play({ seed, debuggee, gdb, gdbs, commands });
    done++;
    slow.push(slowest);
    if (faults.length) bad++;
    if (faults.length || values.show) {
      print(`--- session ${seed}: ${name}${gdbs > 1 ? ', twice' : ''}; ${debuggee.name}`);
      print(transcript);
    }
    for (const fault of faults) print(`FAULT in session ${seed}: ${fault}`);
    if (done % 20 === 0) print(`${done} sessions, ${bad} with a fault`);
  }
}
await Promise.all(Array.from({ length: atOnce }, worker));
slow.sort((a, b) => a - b);
print(
  `${runs} sessions of ${commands} commands, ${bad} with a fault; the slowest question of a session: median ` +
    `${slow[slow.length >> 1]!.toFixed(0)} ms, longest ${slow.at(-1)!.toFixed(0)} ms`,
);
process.exitCode = bad ? 1 : 0;
