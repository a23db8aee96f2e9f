/** The parts of scripts/debian-disk that run on the emulator. Arguments: `configure` or `try`, and the disk. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initramfs } from '../test/linux/images.ts';
import { APPEND, LinuxSession } from '../test/linux/session.ts';

const MINUTE_MS = 60_000;
const [what, file] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'loongscope-debian-'));
const initrd = join(folder, 'initramfs');
writeFileSync(initrd, initramfs());
const drive = (copyOnWrite: boolean) => [{ file: file!, readOnly: false, copyOnWrite }];

/** Commands: the second stage of debootstrap, a root user without password, a host name. */
async function configure(): Promise<boolean> {
  const linux = await LinuxSession.boot({ initrd, memory: 2 ** 31, timeout: 3600, drive: drive(false) });
  const run = async (command: string, minutes = 1): Promise<boolean> => {
    const { status, output } = await linux.run(command, minutes * MINUTE_MS);
    if (status !== 0) console.error(output.slice(-2000));
    return status === 0;
  };
  const path = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive';
  const good =
    (await run('mount -t ext4 /dev/vda /mnt && mount -t devtmpfs dev /mnt/dev')) &&
    (await run(`chroot /mnt /usr/bin/env ${path} /debootstrap/debootstrap --second-stage`, 50)) &&
    (await run('chroot /mnt passwd -d root && echo debian >/mnt/etc/hostname')) &&
    (await run('sync; umount /mnt/dev; umount /mnt', 3));
  return (await linux.powerOff()) === 0 && good;
}

/** Boots to the login, and builds a program. */
async function tryIt(): Promise<boolean> {
  const append = `${APPEND} quiet root=/dev/vda`;
  const linux = await LinuxSession.boot({ initrd, append, timeout: 600, drive: drive(true) }, () => {}, /login: $/);
  console.log(`login after ${linux.secondsToShell.toFixed(1)} s`);
  linux.type('root\n');
  await linux.expect(/# $/);
  // No line editing, no colours, and no echo of what is typed.
  linux.type('exec env TERM=dumb sh\n');
  await linux.expect(/# $/);
  linux.type('stty -echo; PS1=\n');
  const source = '#include <stdio.h>\\nint main(void) { puts("built inside"); return 0; }\\n';
  linux.type(
    `printf '${source}' >/tmp/a.c && gcc -O2 -o /tmp/a /tmp/a.c && /tmp/a; systemctl is-system-running --wait; echo state\n`,
  );
  const m = await linux.expect(/built inside\r?\n(\w+)\r?\nstate/, 3 * MINUTE_MS);
  console.log(`built and ran a program; systemd says '${m[1]}'`);
  linux.type('systemctl poweroff\n');
  return (await linux.done) === 0 && m[1] === 'running';
}

const good = what === 'configure' ? await configure() : await tryIt();
rmSync(folder, { recursive: true });
process.exit(good ? 0 : 1);
