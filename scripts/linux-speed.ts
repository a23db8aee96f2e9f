/**
 * Measures how long Debian's kernel takes from the start of the program to its shell, compared with QEMU, in interleaved rounds: a first boot
 * with an empty code cache, a second one with the filled code cache, and a start from a snapshot. Medians of wall time.
 * Argument: rounds (default 5).
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { packSnapshot } from '../src/cli/snapshots.ts';
import { initramfs, KERNEL } from '../test/linux/images.ts';
import { APPEND, LinuxSession } from '../test/linux/session.ts';

const ROUNDS = Number(process.argv[2] ?? 5);
const PROMPT = /(^|\n)# [^\n]{0,4}$/;
const LOONGSCOPE = join(PROJECT_ROOT, 'scripts', 'loongscope');
const { LS_QEMU } = process.env;
const folder = mkdtempSync(join(tmpdir(), 'loongscope-speed-'));
const initrd = join(folder, 'initramfs');
writeFileSync(initrd, initramfs());

/** Runs a program until its console shows the prompt, and powers the machine off. @returns seconds to the prompt */
async function toPrompt(program: string, args: readonly string[], wake = false): Promise<number> {
  const began = performance.now();
  const child = execa(program, args, { reject: false, buffer: false, stderr: 'ignore' });
  let text = '';
  let seconds: number | undefined;
  child.stdout!.on('data', (data: Buffer) => {
    text += data.toString('latin1');
    if (seconds !== undefined || !PROMPT.test(text)) return;
    seconds = (performance.now() - began) / 1000;
    child.stdin!.write('poweroff -f\n');
  });
  // After a snapshot, the shell shows its prompt again on an empty line.
  if (wake) child.stdin!.write('\n');
  await child;
  if (seconds === undefined) throw new Error(`${program} has not come to a prompt: ${text.slice(-500)}`);
  return seconds;
}

const common = ['-m', '1G', '-kernel', KERNEL, '-initrd', initrd];
const ours = (cache: string): Promise<number> =>
  toPrompt(LOONGSCOPE, [
    'run',
    '--memory',
    '1G',
    '--code-cache',
    cache,
    '--initrd',
    initrd,
    '--append',
    APPEND,
    KERNEL,
  ]);
const qemu = (): Promise<number> =>
  toPrompt(LS_QEMU!, [
    ...['-M', 'virt', '-cpu', 'max', '-nographic', '-nic', 'none', ...common],
    // With QEMU's device tree, Debian's kernel would access ports that do not exist.
    ...['-append', `${APPEND} initcall_blacklist=i8042_init`],
  ]);

const snapshot = join(folder, 'snapshot');
{
  const linux = await LinuxSession.boot({ initrd });
  writeFileSync(snapshot, packSnapshot(linux.machine!));
  await linux.powerOff();
}
const times = { qemu: [] as number[], first: [] as number[], second: [] as number[], snapshot: [] as number[] };
for (let n = 0; n < ROUNDS; n++) {
  const cache = join(folder, `cache-${n}`);
  if (LS_QEMU) times.qemu.push(await qemu());
  times.first.push(await ours(cache));
  times.second.push(await ours(cache));
  times.snapshot.push(await toPrompt(LOONGSCOPE, ['run', '--snapshot', snapshot], true));
}
rmSync(folder, { recursive: true });
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1]!;
const base = LS_QEMU ? median(times.qemu) : undefined;
const NAMES = {
  qemu: 'QEMU',
  first: 'first boot',
  second: 'with the code cache',
  snapshot: 'from a snapshot',
} as const;
for (const [key, list] of Object.entries(times) as [keyof typeof times, number[]][]) {
  if (list.length === 0) continue;
  const ratio = base === undefined || key === 'qemu' ? '' : `, ${(median(list) / base).toFixed(2)} × QEMU's time`;
  const range = `${Math.min(...list).toFixed(2)}–${Math.max(...list).toFixed(2)}`;
  console.log(`${NAMES[key].padEnd(22)} ${median(list).toFixed(2)} s (${range})${ratio}`);
}
