/** What a Linux must answer to, whatever it runs on. */
import type { LinuxSession } from './session.ts';

/** What the machine was started with. */
export interface LinuxSetup {
  readonly cpus: number;
  /** A blank disk of 16 MiB or more stands in the first slot that is not the bridge. */
  readonly disk: boolean;
  readonly network: boolean;
  /** A folder of the host with tag `host` has a file `hello` that says so. */
  readonly share: boolean;
  /** False in a guest of KVM: it has no virtualization itself. */
  readonly lvz?: boolean;
  /** False: Debian's kernel uses no PCI if a device tree describes it. */
  readonly pci?: boolean;
}

export interface LinuxCheck {
  readonly name: string;
  readonly needs?: (setup: LinuxSetup) => boolean;
  readonly command: string;
  /** What the output must be like. */
  readonly expect: (setup: LinuxSetup) => RegExp;
}

/** In an order in which each may rely on those before. */
export const CHECKS: readonly LinuxCheck[] = [
  { name: 'kernel', command: 'uname -srm', expect: () => /^Linux \d+\.\d+\.\d+\S* loongarch64$/ },
  { name: 'all CPUs are up', command: 'nproc', expect: ({ cpus }) => new RegExp(`^${cpus}$`) },
  {
    name: 'CPU features',
    command: 'grep Features /proc/cpuinfo',
    expect: ({ lvz }) => (lvz === false ? /fpu lsx lasx (?!.*lvz)/ : /fpu lsx lasx .*lvz/),
  },
  {
    name: 'no warnings',
    command: 'dmesg | grep -ciE "warning|bug:|oops|call trace|rcu.*stall"',
    expect: () => /^0$/,
  },
  {
    name: 'the clock goes on',
    command: 'a=$(date +%s); sleep 2; b=$(date +%s); echo $((b - a))',
    expect: () => /^[23]$/,
  },
  {
    name: 'floating point and vectors in user space',
    command: `awk 'BEGIN { x = 1; for (i = 0; i < 50; i++) x = x / 2 + 1 / x; printf "%.12f %.6e\\n", x, 1e300 * 1e-10 / 3 }'`,
    expect: () => /^1\.414213562373 3\.333333e\+289$/,
  },
  {
    name: 'compression',
    command: 'dd if=/bin/busybox bs=64k 2>/dev/null | gzip -9 | gunzip | cmp - /bin/busybox && echo same',
    expect: () => /^same$/,
  },
  {
    name: 'checksums',
    command: 'printf abc | sha256sum',
    expect: () => /^ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad/,
  },
  {
    name: 'many processes',
    command: '(for i in $(seq 40); do (exit $i) & done; wait); seq 200 | xargs -n 10 -P 4 echo | wc -l',
    expect: () => /^20$/,
  },
  {
    name: 'processes on every CPU',
    needs: ({ cpus }) => cpus > 1,
    command:
      "for c in $(seq 0 $(($(nproc) - 1))); do taskset -c $c sh -c 'read -r a </proc/self/stat; set -- $a; shift 38; echo $1'; done | xargs",
    expect: ({ cpus }) => new RegExp(`^${Array.from({ length: cpus }, (_, n) => n).join(' ')}$`),
  },
  {
    name: 'PCI',
    needs: ({ pci }) => pci !== false,
    command: 'cat /sys/bus/pci/devices/0000:00:00.0/vendor',
    expect: () => /^0x1b36$/,
  },
  {
    name: 'random numbers',
    needs: ({ pci }) => pci !== false,
    command: 'cat /sys/class/misc/hw_random/rng_current; dd if=/dev/hwrng bs=32 count=1 2>/dev/null | wc -c',
    expect: () => /^virtio_rng\.0\n32$/,
  },
  {
    name: 'interrupts by message',
    needs: ({ disk }) => disk,
    command: 'grep -c PCH-PCI-MSIX /proc/interrupts',
    expect: () => /^[2-9]$/,
  },
  {
    name: 'a disk: file system, data, unmount and mount again',
    needs: ({ disk }) => disk,
    command:
      'mke2fs /dev/vda >/dev/null && mount -t ext4 /dev/vda /mnt && cp /bin/busybox /mnt/copy && umount /mnt && mount -t ext4 -o ro /dev/vda /mnt && cmp /mnt/copy /bin/busybox && umount /mnt && echo kept',
    expect: () => /^kept$/,
  },
  {
    name: 'a network card',
    needs: ({ network }) => network,
    command: 'ifconfig eth0 10.0.0.2 up && cat /sys/class/net/eth0/address && cat /sys/class/net/eth0/carrier',
    expect: () => /^52:54:00:12:34:56\n1$/,
  },
  {
    name: 'a folder of the host',
    needs: ({ share }) => share,
    command:
      'mount -t 9p -o trans=virtio,version=9p2000.L,msize=131072 host /mnt && cat /mnt/hello && mkdir -p /mnt/sub && cp /bin/busybox /mnt/sub/copy && cmp /mnt/sub/copy /bin/busybox && mv /mnt/sub/copy /mnt/moved && ls -1 /mnt && rm -r /mnt/sub && umount /mnt',
    expect: () => /^hello from the host\nhello\nmoved\nsub$/,
  },
  { name: 'a program that dies', command: 'sh -c "kill -SEGV \\$\\$"; echo $?', expect: () => /139$/ },
];

export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly output: string;
}

/** Runs the checks that the setup allows, one after the other. */
export async function runChecks(
  linux: LinuxSession,
  setup: LinuxSetup,
  done: (result: CheckResult) => void = () => {},
  checks: readonly LinuxCheck[] = CHECKS,
): Promise<CheckResult[]> {
  const out: CheckResult[] = [];
  for (const check of checks) {
    if (check.needs && !check.needs(setup)) continue;
    const { output } = await linux.run(check.command);
    const result = { name: check.name, ok: check.expect(setup).test(output), output };
    out.push(result);
    done(result);
  }
  return out;
}
