/**
 * The benchmark of real work: programs that nobody tuned for, in Debian's kernel with busybox, here and on QEMU, in interleaved rounds.
 * Each round boots, and runs all rows in the one shell; the outputs of both engines must be equal. Prints a table of wall and CPU time.
 * Arguments: [--pairs N] [--row NAME]…
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { spread, text } from '../src/cli/bench/report.ts';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { MODE } from '../test/linux/cpio.ts';
import { initramfs, KERNEL } from '../test/linux/images.ts';
import { APPEND } from '../test/linux/session.ts';

/** The rows: name, what it does, and the shell command. Its output must be the same on every engine. */
const ROWS: readonly (readonly [name: string, what: string, command: string])[] = [
  ['sha256', 'sha256sum of 32 MiB', 'head -c 33554432 /dev/zero | sha256sum'],
  ['md5', 'md5sum of a file of 64 MiB', 'head -c 67108864 /dev/zero >/tmp/f; md5sum </tmp/f; rm /tmp/f'],
  ['gzip', 'gzip -6 of 9 MiB of numbers', 'seq 1 1300000 | gzip -6 | wc -c'],
  ['gunzip', 'the same, and back', 'seq 1 600000 | gzip -1 | gunzip | md5sum'],
  ['bzip2', 'bzip2 of 2 MiB of numbers', 'seq 1 300000 | bzip2 | md5sum'],
  ['awk', 'a loop in awk', "awk 'BEGIN { for (i = 0; i < 1000000; i++) s += i % 7 * 3; print s }'"],
  [
    'fields',
    'awk over lines',
    "seq 1 300000 | awk '{ n[$1 % 97] += length($1) } END { for (i = 0; i < 97; i++) print n[i] }' | md5sum",
  ],
  ['sort', 'seq | sed | sort | md5sum', "seq 1 200000 | sed 's/\\(.*\\)\\(.\\)/\\2\\1/' | sort | md5sum"],
  ['grep', 'a regular expression over lines', "seq 1 500000 | grep -c '[37].*4.*9'"],
  [
    'shell',
    'a loop of the shell',
    'i=0; s=0; while [ $i -lt 200000 ]; do s=$((s + i % 7)); i=$((i + 1)); done; echo $s',
  ],
  ['fork', '500 × fork and exec', 'i=0; while [ $i -lt 500 ]; do /bin/true; i=$((i + 1)); done; echo $i'],
  [
    'pipe',
    '200 pipes of three programs',
    'i=0; while [ $i -lt 200 ]; do echo $i | cat | wc -c; i=$((i + 1)); done | md5sum',
  ],
  [
    'files',
    '2000 files made, listed, removed',
    'mkdir /tmp/d; cd /tmp/d; i=0; while [ $i -lt 2000 ]; do echo $i >f$i; i=$((i + 1)); done; find . | wc -l; cat f* | md5sum; cd /; rm -r /tmp/d',
  ],
];
const BOOT = ['boot', 'start of the program to the prompt'] as const;

const { values } = parseArgs({
  options: { pairs: { type: 'string', default: '5' }, row: { type: 'string', multiple: true } },
});
const pairs = Number(values.pairs);
const unknown = values.row?.find((name) => !ROWS.some(([known]) => known === name));
if (!Number.isInteger(pairs) || pairs < 1 || unknown !== undefined) {
  const names = ROWS.map(([name]) => name).join(', ');
  console.error(
    `bench --real: ${unknown === undefined ? '--pairs: use a number from 1' : `--row: '${unknown}' is unknown: use ${names}`}`,
  );
  process.exit(1);
}
const rows = values.row ? ROWS.filter(([name]) => values.row!.includes(name)) : ROWS;

const PROMPT = /(^|\n)# [^\n]{0,4}$/;
/** Between the marks of a row its output stands. */
const BEGIN = '<begin>';
const END = '<end>';
/** Longest that a round may take, in milliseconds. */
const PATIENCE = 900_000;
const folder = mkdtempSync(join(tmpdir(), 'loongscope-real-'));
const initrd = join(folder, 'initramfs');
const script = rows.map(([, , command]) => `echo "<be""gin>"\n${command}\necho "<e""nd>"\n`).join('');
writeFileSync(
  initrd,
  initramfs([
    { path: 'tmp', mode: MODE.folder },
    { path: 'rows', mode: MODE.program, data: new TextEncoder().encode(`#!/bin/sh\n${script}poweroff -f\n`) },
  ]),
);

/** Clock ticks a second in /proc/PID/stat. */
const TICKS = 100;
interface Moment {
  readonly wall: number;
  readonly cpu: number;
}
/** User and system time of a process, in seconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

interface Cost extends Moment {
  readonly output: string;
}

/** Boots, runs the rows, and powers off. @returns the costs of the boot and of each row */
async function round(program: string, args: readonly string[]): Promise<readonly Cost[]> {
  const child = execa(program, args, { reject: false, buffer: false, stderr: 'ignore', timeout: PATIENCE });
  const now = (): Moment => ({ wall: performance.now() / 1000, cpu: cpuOf(child.pid!) });
  const costs: Cost[] = [];
  let since = now();
  let seen = '';
  let booted = false;
  const cut = (at: number, length: number): string => {
    const before = seen.slice(0, at);
    seen = seen.slice(at + length);
    return before;
  };
  const cost = (output: string): void => {
    const { wall, cpu } = now();
    costs.push({ wall: wall - since.wall, cpu: cpu - since.cpu, output });
  };
  child.stdout!.on('data', (data: Buffer) => {
    seen += data.toString('latin1');
    if (!booted && PROMPT.test(seen)) {
      booted = true;
      cost('');
      seen = '';
      child.stdin!.write('/rows\n');
    }
    for (;;) {
      const begin = seen.indexOf(BEGIN);
      const end = seen.indexOf(END);
      if (begin >= 0 && (end < 0 || begin < end)) {
        cut(begin, BEGIN.length);
        since = now();
      } else if (end >= 0) cost(cut(end, END.length).trim());
      else break;
    }
  });
  await child;
  if (costs.length !== rows.length + 1) throw new Error(`${program} has not run all rows: ${seen.slice(-500)}`);
  return costs;
}

const { LS_QEMU } = process.env;
const ours = (): Promise<readonly Cost[]> =>
  round(join(PROJECT_ROOT, 'scripts', 'loongscope'), [
    ...['run', '--memory', '1G', '--no-code-cache', '--initrd', initrd, '--append', APPEND, KERNEL],
  ]);
const qemu = (): Promise<readonly Cost[]> =>
  round(LS_QEMU!, [
    ...['-M', 'virt', '-cpu', 'max', '-nographic', '-nic', 'none', '-m', '1G', '-kernel', KERNEL, '-initrd', initrd],
    // With QEMU's device tree, Debian's kernel would access ports that do not exist.
    ...['-append', `${APPEND} initcall_blacklist=i8042_init`],
  ]);

const mine: (readonly Cost[])[] = [];
const others: (readonly Cost[])[] = [];
try {
  for (let n = 0; n < pairs; n++) {
    if (LS_QEMU) others.push(await qemu());
    mine.push(await ours());
    const differs = others[n]?.findIndex((c, k) => c.output !== mine[n]![k]!.output) ?? -1;
    if (differs >= 0)
      throw new Error(
        `${rows[differs - 1]![0]}: QEMU says '${others[n]![differs]!.output}', loongscope '${mine[n]![differs]!.output}'`,
      );
  }
} finally {
  rmSync(folder, { recursive: true });
}

const seconds = (rounds: readonly (readonly Cost[])[], k: number, of: keyof Moment): string =>
  rounds.length === 0 ? '–' : spread(rounds.map((r) => r[k]![of])).median.toFixed(2);
const ratio = (k: number, of: keyof Moment): string => {
  if (others.length === 0) return '–';
  const { median, least, most } = spread(others.map((other, n) => other[k]![of] / Math.max(0.01, mine[n]![k]![of])));
  return `${median.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`;
};
const table = [BOOT, ...rows].map(([name, what], k) => [
  name,
  what,
  ...(['wall', 'cpu'] as const).flatMap((of) => [seconds(mine, k, of), seconds(others, k, of), ratio(k, of)]),
]);
const HEAD = ['row', '', 'ours, s', 'QEMU, s', 'speed / QEMU', 'ours, CPU s', 'QEMU, CPU s', 'by CPU time'];
console.log(text([HEAD, ...table]));
