/** Where a gdb comes from that knows LoongArch: one row a system, for `doctor`, `demo` and docs/troubleshooting.md. */

export interface GdbSource {
  /** As doctor knows the system: `debian`, another ID of /etc/os-release, or Node's name. */
  readonly ids: readonly string[];
  readonly system: string;
  /** The command, or what to do. */
  readonly get: string;
}

const BUILD =
  'build gdb (its own is made without LoongArch): ./configure --target=loongarch64-unknown-elf --with-python && make all-gdb && make install-gdb';

export const GDB_SOURCES: readonly GdbSource[] = [
  {
    ids: ['debian'],
    system: 'Debian 13, Ubuntu 25.04 and later',
    get: 'apt-get install gdb-multiarch',
  },
  {
    ids: ['debian'],
    system: 'Debian 12, Ubuntu 24.04',
    get: './scripts/demo in a checkout brings a newer one (their gdb-multiarch is too old)',
  },
  { ids: ['arch', 'manjaro', 'endeavouros'], system: 'Arch', get: 'the package gdb-multiarch of the AUR' },
  { ids: ['darwin'], system: 'Homebrew', get: 'brew install gdb' },
  { ids: ['win32'], system: 'MSYS2', get: 'pacman -S mingw-w64-ucrt-x86_64-gdb-multiarch' },
  { ids: ['fedora', 'rhel', 'centos'], system: 'Fedora, conda, others', get: BUILD },
];

const OTHERS = GDB_SOURCES.at(-1)!;

/** How a gdb comes to this system, in one line. */
export function gdbSourceOf(system: string): string {
  const rows = GDB_SOURCES.filter(({ ids }) => ids.includes(system));
  if (rows.length <= 1) return (rows[0] ?? OTHERS).get;
  return rows.map((row) => `${row.get} (${row.system})`).join('; ');
}

const WIDTH = Math.max(...GDB_SOURCES.map(({ system }) => system.length));

/** All rows as lines. */
export const gdbSourceLines = (): string[] => GDB_SOURCES.map(({ system, get }) => `${system.padEnd(WIDTH)}  ${get}`);
