/**
 * The long test of the shared folder. Arguments: a folder with Debian's programs for loong64, then `--attack [MESSAGES]` or
 * `--linux` for only that half.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { initramfs } from '../test/linux/images.ts';
import { LinuxSession } from '../test/linux/session.ts';
import { attack, race } from '../test/share/attack.ts';

const MINUTE_MS = 60_000;
const MESSAGES = 1_000_000;
const MESSAGES_A_SEED = 100_000;
const ROUNDS = 20_000;
const SOURCES = 40;
const [root, half, count] = process.argv.slice(2);
let failed = 0;

async function tried(name: string, body: () => Promise<string> | string): Promise<void> {
  const began = performance.now();
  let result: string;
  try {
    result = `ok   ${name}: ${await body()}`;
  } catch (error) {
    failed++;
    result = `FAIL ${name}: ${(error as Error).message}`;
  }
  console.log(`${result} (${((performance.now() - began) / 1000).toFixed(0)} s)`);
}

/** Runs the hostile kernel with several seeds. */
async function attacks(messages: number): Promise<void> {
  for (let seed = 1001; messages > 0; seed += 2, messages -= MESSAGES_A_SEED)
    await tried(`a hostile kernel, seed ${seed}`, () => {
      const { done, mostDescriptors, messages: sent } = attack(seed, Math.min(messages, MESSAGES_A_SEED));
      const obeyed = Object.values(done).reduce((sum, n) => sum + n, 0);
      return `${obeyed} of ${sent} messages obeyed, ${mostDescriptors} descriptors`;
    });
  await tried('a name that another process changes', async () => {
    const { reached, refused } = await race(ROUNDS);
    return `${reached} requests obeyed, ${refused} refused`;
  });
}

/** A program of many files, and how to build it. */
function writeProgram(folder: string): void {
  mkdirSync(folder);
  const numbers = Array.from({ length: SOURCES }, (_, n) => n);
  for (const n of numbers)
    writeFileSync(join(folder, `f${n}.c`), `#include "all.h"\nint f${n}(void) { return ${n}; }\n`);
  writeFileSync(join(folder, 'all.h'), numbers.map((n) => `int f${n}(void);\n`).join(''));
  writeFileSync(
    join(folder, 'main.c'),
    `#include <stdio.h>\n#include "all.h"\nint main(void) { printf("sum %d\\n", ${numbers.map((n) => `f${n}()`).join(' + ')}); }\n`,
  );
  writeFileSync(
    join(folder, 'Makefile'),
    `all: program\nOBJECTS = main.o ${numbers.map((n) => `f${n}.o`).join(' ')}\n$(OBJECTS): all.h\nprogram: $(OBJECTS)\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n`,
  );
}

/** Runs Debian's programs on a shared folder. */
async function programs(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'loongscope-share-check-'));
  const work = join(folder, 'work');
  const initrd = join(folder, 'initramfs');
  const again = join(folder, 'again');
  for (const path of [work, again, join(again, 'empty')]) mkdirSync(path);
  writeFileSync(initrd, initramfs());
  writeFileSync(join(again, 'share.sh'), readFileSync(join(PROJECT_ROOT, 'test', 'linux', 'share.sh')));
  writeProgram(join(work, 'program'));
  execFileSync('git', ['clone', '-q', '--bare', PROJECT_ROOT, join(work, 'project.git')]);
  const linux = await LinuxSession.boot({
    initrd,
    memory: 2 ** 31,
    timeout: 7200,
    share: [
      { folder: work, tag: 'work', readOnly: false },
      { folder: again, tag: 'again', readOnly: false },
      { folder: root!, tag: 'root', readOnly: true },
    ],
  });
  const run = async (command: string, minutes = 10): Promise<string> => {
    const { output, status } = await linux.run(command, minutes * MINUTE_MS);
    if (status !== 0) throw new Error(`'${command}' ended with ${status}: ${output.slice(-1500)}`);
    return output;
  };
  const inside = (command: string): Promise<string> =>
    run(
      `chroot /mnt /usr/bin/env -i HOME=/tmp PATH=/usr/bin:/bin GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a /bin/sh -ec '${command}'`,
    );
  const mount = 'mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144';
  await tried('mounts', async () => {
    // The clock of the board begins in 1970, and make complains about files from the future.
    await run(`date -s @${Math.floor(Date.now() / 1000)}`);
    await run(`${mount},cache=loose,ro root /mnt && mount -t devtmpfs dev /mnt/dev && mount -t proc proc /mnt/proc`);
    return run(`mount -t tmpfs tmp /mnt/tmp && ${mount} work /mnt/work && ls /mnt/work | xargs`);
  });
  for (const cache of ['none', 'mmap', 'loose'])
    await tried(`share.sh with cache=${cache}`, async () => {
      await run(`mkdir -p /again && ${mount},cache=${cache} again /again`);
      const lines = (await run('sh /again/share.sh /again/empty')).split('\n');
      await run('umount /again');
      const wrong = lines.filter((line) => !line.startsWith('ok '));
      if (wrong.join() !== 'done') throw new Error(wrong.join('; '));
      return `${lines.length - 1} checks`;
    });
  await tried('git clone', async () => {
    await inside(
      'cd /work && git clone -q project.git clone && cd clone && git fsck --full 2>&1 && git status --porcelain',
    );
    return `${
      execFileSync('git', ['-C', join(work, 'clone'), 'ls-files'])
        .toString()
        .split('\n').length
    } files`;
  });
  await tried('git commit, branch, merge, gc', async () => {
    await inside(
      'cd /work/clone && git checkout -q -b other && echo x >new && git add new && git commit -q -m one && git mv new newer && git commit -q -m two && git checkout -q - && echo y >>README.md && git commit -q -a -m three && git merge -q --no-edit other && git gc -q && git fsck --full 2>&1 && test -z "$(git status --porcelain)"',
    );
    return (
      execFileSync('git', ['-c', 'safe.directory=*', '-C', join(work, 'clone'), 'fsck', '--full']).toString() ||
      'the host agrees'
    );
  });
  await tried('make and gcc', async () => {
    // The clock of the machine is behind that of the folder by now: make says so on stderr.
    const output = await inside(
      'cd /work/program && make -s -j2 2>/tmp/said && ./program && make -s 2>/tmp/said && touch f3.c && make >/tmp/steps 2>/tmp/said; wc -l </tmp/steps',
    );
    const sum = (SOURCES * (SOURCES - 1)) / 2;
    if (output !== `sum ${sum}\n2`) throw new Error(output);
    return `${SOURCES + 1} files, and again only what had changed`;
  });
  for (const stressor of [
    'dentry',
    'dir',
    'rename',
    'link',
    'symlink',
    'utime',
    'chmod',
    'hdd',
    'seek',
    'filename',
    'dirmany',
  ])
    await tried(`stress-ng ${stressor}`, async () => {
      const output = await inside(
        `mkdir -p /work/stress && cd /work/stress && stress-ng --temp-path . --${stressor} 2 --timeout 5 --verify --metrics-brief 2>&1`,
      );
      if (/fail:|unsuccessful|skipped: [1-9]/.test(output)) throw new Error(output.slice(-1500));
      const left = readdirSync(join(work, 'stress'));
      if (left.length > 0) throw new Error(`it has left ${left.join(' ')}`);
      return new RegExp(`\\] ${stressor} +(\\d+)`).exec(output)?.[1]?.concat(' operations') ?? output.slice(-200);
    });
  await tried('power off', async () => {
    const code = await linux.powerOff();
    if (code !== 0) throw new Error(`exit code ${code}`);
    return 'exit code 0';
  });
  rmSync(folder, { recursive: true });
}

if (half !== '--linux') await attacks(count === undefined ? MESSAGES : Number(count));
if (half !== '--attack') await programs();
console.log(failed === 0 ? 'all passed' : `${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
