/** Hostile guests, each a small endless program, and their effect on the process that runs them. */
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { elfOf } from './images.ts';
import { assemble } from './test-machine.ts';

const CODE = 0x200000;
const DESC = 0x400000;
const DRIVER = 0x401000;
const USED = 0x402000;
const TABLE = 0x404000;
const HEADER = 0x408000;
const STATUS = 0x409000;
const BUFFER = 0x800000;
/** Most of the 64 MiB of RAM. */
const LARGE = 0x3000000;
const SLOT = 0x16000000;
const UART = 0x1fe001e0;
const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;

/** Builds a program. Its stores use $t0 and $t1. */
class Program {
  private readonly lines: string[] = [];

  constructor() {
    // Prints a byte to show that it runs.
    this.store('b', UART, 0x52);
  }

  get here(): number {
    return this.lines.length;
  }

  add(...lines: readonly string[]): this {
    this.lines.push(...lines);
    return this;
  }

  /** Loads a constant. */
  li(register: string, value: number): this {
    const v = BigInt.asUintN(64, BigInt(value));
    const part = (low: number, bits: number): number => Number(BigInt.asIntN(bits, v >> BigInt(low)));
    this.add(`lu12i.w ${register}, ${part(12, 20)}`, `ori ${register}, ${register}, ${Number(v & 0xfffn)}`);
    return this.add(`lu32i.d ${register}, ${part(32, 20)}`, `lu52i.d ${register}, ${register}, ${part(52, 12)}`);
  }

  store(width: 'b' | 'h' | 'w' | 'd', address: number, value: number): this {
    return this.li('$t0', address).li('$t1', value).add(`st.${width} $t1, $t0, 0`);
  }

  csr(name: string, value: number): this {
    return this.li('$t0', value).add(`csrwr $t0, ${name}`);
  }

  /** Replaces an instruction. */
  patch(at: number, line: string): this {
    this.lines[at] = line;
    return this;
  }

  jump(to: number): this {
    return this.add(`b ${4 * (to - this.here)}`);
  }

  /** Continues at an address. */
  place(address: number): this {
    while (CODE + 4 * this.here < address) this.add('andi $zero, $zero, 0');
    return this;
  }

  /** Repeats the code of `body` `count` times. The register is the counter. */
  repeat(register: string, count: number, body: (p: this) => void): this {
    this.li(register, count);
    const top = this.here;
    body(this);
    return this.add(`addi.d ${register}, ${register}, -1`, `bnez ${register}, ${4 * (top - this.here - 1)}`);
  }

  /** Repeats the code of `body` without end. */
  forEver(body: (p: this) => void): Uint8Array {
    const top = this.here;
    body(this);
    return elfOf(this.jump(top).lines);
  }

  descriptor(n: number, pa: number, length: number, flags: number, next = 0, table = DESC): this {
    const at = table + 16 * n;
    this.store('d', at, pa).store('w', at + 8, length);
    return this.store('w', at + 12, flags + next * 0x10000);
  }

  /** Initializes a memory-mapped virtio device with one queue. */
  virtio(slot: number, queue = 0, size = 256): this {
    const set = (register: number, value: number): void => void this.store('w', SLOT + 0x200 * slot + register, value);
    set(0x70, 0);
    set(0x70, 3);
    set(0x24, 1);
    set(0x20, 1);
    set(0x70, 0xb);
    set(0x30, queue);
    set(0x38, size);
    for (const [at, pa] of [
      [0x80, DESC],
      [0x90, DRIVER],
      [0xa0, USED],
    ] as const)
      set(at, pa);
    set(0x44, 1);
    set(0x70, 0xf);
    return this;
  }

  /** Offers `count` more requests. In clear memory, the head of each is 0. The counter is in $s0. */
  offer(slot: number, count: number, queue = 0): this {
    this.li('$t1', count)
      .add('add.d $s0, $s0, $t1')
      .li('$t0', DRIVER + 2)
      .add('st.h $s0, $t0, 0');
    return this.store('w', SLOT + 0x200 * slot + 0x50, queue);
  }
}

/** A block request at descriptor `n`. */
function block(p: Program, n: number, type: number, length: number): void {
  const header = HEADER + 16 * n;
  p.store('d', header, type).store('d', header + 8, 0);
  p.descriptor(n, header, 16, NEXT, n + 1);
  if (length > 0) p.descriptor(n + 1, BUFFER, length, NEXT + (type === 1 ? 0 : WRITE), n + 2);
  else p.descriptor(n + 1, header, 0, NEXT, n + 2);
  p.descriptor(n + 2, STATUS, 1, WRITE);
}

/** One descriptor of `length` bytes, offered to a device's queue without an end, `count` times at once. */
const flood =
  (length: number, count: number, queue: number, flags = 0) =>
  (): Uint8Array =>
    new Program()
      .descriptor(0, BUFFER, length, flags)
      .virtio(0, queue)
      .forEver((p) => p.offer(0, count, queue));

/** Interrupts or exceptions go to `handler`, at the next page. */
function handler(p: Program, lines: readonly string[]): number {
  const entry = CODE + 0x1000;
  const main = p.here;
  p.add('b 0')
    .place(entry)
    .add(...lines);
  const begin = p.here;
  // The jump over the handler.
  p.patch(main, `b ${4 * (begin - main)}`);
  p.csr('EENTRY', entry);
  return entry;
}

const ADVANCE = ['csrrd $t8, ERA', 'addi.d $t8, $t8, 4', 'csrwr $t8, ERA', 'ertn'];
const CLEAR_TIMER = ['ori $t8, $zero, 1', 'csrwr $t8, TICLR', 'ertn'];
const TIMER_LINE = 1 << 11;

/** `line` for ever, while the timer interrupts. @param ticks its period, a multiple of 4; with 0 it has expired when its handler returns */
export function timer(ticks: number, line: string): Uint8Array {
  const p = new Program();
  handler(p, CLEAR_TIMER);
  return p
    .csr('ECFG', TIMER_LINE)
    .csr('TCFG', ticks | 3)
    .csr('CRMD', 0xc)
    .forEver((q) => q.add(line));
}

/** Maps all addresses, except the upper half, which has `table` as its only directory. */
function paging(p: Program, table: number): void {
  const refill = CODE + 0x2000;
  const main = p.here;
  p.add('b 0').place(refill);
  p.add('csrwr $t8, TLBRSAVE', 'csrrd $t8, PGD', 'lddir $t8, $t8, 3', 'lddir $t8, $t8, 2', 'lddir $t8, $t8, 1');
  p.add('ldpte $t8, 0', 'ldpte $t8, 1', 'tlbfill', 'csrrd $t8, TLBRSAVE', 'ertn');
  p.patch(main, `b ${4 * (p.here - main)}`);
  p.csr('TLBRENTRY', refill).csr('PGDH', table).csr('PGDL', table);
  p.csr('PWCL', 12 | (9 << 5) | (21 << 10) | (9 << 15) | (30 << 20) | (9 << 25));
  p.csr('PWCH', 39 | (9 << 6))
    .csr('STLBPS', 12)
    .csr('DMW0', 0x11)
    .csr('CRMD', 0x10);
}

/** Functions of a few instructions on pages of their own, called `calls` times each, rewritten in every round. */
function codePages(loops: number): Uint8Array {
  const p = new Program();
  const body = ['addi.d $a0, $a0, 0', 'addi.d $t5, $t5, -1', 'bnez $t5, -8', 'jirl $zero, $ra, 0'].map(assemble);
  return p.forEver((q) => {
    q.li('$s1', BUFFER).add('addi.d $s2, $s2, 1', 'andi $s2, $s2, 2047');
    q.repeat('$s3', 0x2c00, (r) => {
      body.forEach((word, n) => {
        r.li('$t1', word);
        if (n === 0) r.add('slli.d $t2, $s2, 10', 'or $t1, $t1, $t2');
        r.add(`st.w $t1, $s1, ${4 * n}`);
      });
      r.li('$t5', loops).add('jirl $ra, $s1, 0').li('$t2', 0x1000).add('add.d $s1, $s1, $t2');
    });
  });
}

/** Places of descriptors, rings and interrupts of a device in slot 1 of PCI. */
function pci(p: Program, message: number): void {
  const config = 0x20008000;
  p.store('h', config + 4, 6).store('w', config + 0x14, 0x40010000);
  p.store('w', config + 0x20, 0x40000000)
    .store('w', config + 0x24, 0)
    .store('h', config + 0x9a, 0x8000);
  const set = (width: 'b' | 'h' | 'w', at: number, value: number): void => void p.store(width, 0x40000000 + at, value);
  set('b', 0x14, 0);
  set('b', 0x14, 3);
  set('w', 0x08, 1);
  set('w', 0x0c, 1);
  set('b', 0x14, 0xb);
  set('h', 0x16, 0);
  set('h', 0x1a, 1);
  for (const [at, pa] of [
    [0x20, DESC],
    [0x28, DRIVER],
    [0x30, USED],
  ] as const)
    set('w', at, pa);
  set('h', 0x1c, 1);
  set('b', 0x14, 0xf);
  p.store('w', 0x40010010, message).store('w', 0x40010018, 0).store('w', 0x4001001c, 0);
}

/** Serial ATA in slot 1: every slot has a command that moves `bytes` twice. */
function sata(p: Program, command: number, bytes: number): void {
  const config = 0x20008000;
  const port = 0x40000100;
  p.store('w', config + 0x24, 0x40000000).store('h', config + 4, 6);
  p.store('w', port, DESC)
    .store('w', port + 8, USED)
    .store('w', port + 0x18, 0x11);
  // 16384 sectors are 8 MiB.
  p.store('w', TABLE, 0x00008027 | (command << 16))
    .store('w', TABLE + 4, 0x40000000)
    .store('w', TABLE + 12, 0x4000);
  for (const entry of [TABLE + 0x80, TABLE + 0x90]) p.store('w', entry, BUFFER).store('w', entry + 12, bytes - 1);
  for (let slot = 0; slot < 32; slot++)
    p.store('w', DESC + 32 * slot, 5 | (2 << 16)).store('w', DESC + 32 * slot + 8, TABLE);
}

/** One kind of attack. */
export interface Hostile {
  readonly name: string;
  /** The ELF file of the guest. */
  readonly elf: () => Uint8Array;
  readonly args?: readonly string[];
  /** It sleeps, so the process must use no CPU time. Its console is open. */
  readonly sleeps?: boolean;
}

/** The guest that the others are compared with. */
export const SPIN: Hostile = { name: 'spins', elf: () => new Program().forEver((p) => p.add('addi.d $a0, $a0, 1')) };

const MMIO = ['--virtio', 'mmio'];
/** Placeholder for a disk image of 64 MiB that is made for the run. */
const DISK = 'DISK';

export const HOSTILE: readonly Hostile[] = [
  {
    name: 'indirect table of 4 GiB whose empty descriptor links to itself',
    args: MMIO,
    elf: () =>
      new Program()
        .descriptor(0, TABLE, 0xfffffff0, INDIRECT)
        .descriptor(0, BUFFER, 0, NEXT, 0, TABLE)
        .forEver((p) => p.virtio(0).add('ori $s0, $zero, 0').offer(0, 1)),
  },
  {
    name: 'indirect table that is the ring itself',
    args: MMIO,
    elf: () =>
      new Program()
        .descriptor(0, DESC, 256 * 16, INDIRECT)
        .forEver((p) => p.virtio(0).add('ori $s0, $zero, 0').offer(0, 1)),
  },
  {
    name: 'chain that goes round, of empty descriptors',
    args: MMIO,
    elf: () =>
      new Program()
        .descriptor(0, BUFFER, 0, NEXT, 1)
        .descriptor(1, BUFFER, 0, NEXT, 0)
        .forEver((p) => p.virtio(0).add('ori $s0, $zero, 0').offer(0, 1)),
  },
  {
    name: 'rings and buffers in devices, in each other and at the end of addresses',
    args: MMIO,
    elf: () =>
      new Program().forEver((p) => {
        for (const place of [UART, SLOT, 0x3fffff8, DRIVER, -16]) {
          p.descriptor(0, place, 0x2000, WRITE, 0).virtio(0).add('ori $s0, $zero, 0').offer(0, 1);
          for (const register of [0x80, 0x90, 0xa0]) {
            p.virtio(0).store('w', SLOT + register, place);
            p.store('w', SLOT + register + 4, Math.floor(place / 2 ** 32)).offer(0, 1);
          }
        }
      }),
  },
  {
    name: 'thousands of queues reset between requests',
    args: MMIO,
    elf: () =>
      new Program()
        .descriptor(0, BUFFER, 0x10000, WRITE)
        .forEver((p) => p.virtio(0).add('ori $s0, $zero, 0').offer(0, 200)),
  },
  {
    name: 'disk: 256 requests of 48 MiB at a time',
    args: [...MMIO, '--drive', DISK],
    elf: () => {
      const p = new Program();
      block(p, 0, 0, LARGE);
      return p.virtio(0).forEver((q) => q.offer(0, 256));
    },
  },
  {
    name: 'disk: 256 requests of 48 MiB that fail',
    args: [...MMIO, '--drive', DISK],
    elf: () => {
      const p = new Program();
      block(p, 0, 77, LARGE);
      return p.virtio(0).forEver((q) => q.offer(0, 256));
    },
  },
  {
    name: 'disk: a flush behind each sector, 256 at a time',
    args: [...MMIO, '--drive', DISK],
    elf: () => {
      const p = new Program();
      block(p, 0, 1, 512);
      block(p, 3, 4, 0);
      for (let n = 1; n < 256; n += 2) p.store('h', DRIVER + 4 + 2 * n, 3);
      return p.virtio(0).forEver((q) => q.offer(0, 256));
    },
  },
  {
    name: 'disk with copy-on-write, written from end to end',
    args: [...MMIO, '--drive', `${DISK},copy-on-write`],
    elf: () => {
      const p = new Program();
      block(p, 0, 1, LARGE);
      return p.virtio(0).forEver((q) => q.offer(0, 1));
    },
  },
  {
    name: 'Serial ATA: 32 commands of 8 MiB at a time',
    args: ['--drive', `${DISK},bus=ahci,copy-on-write`],
    elf: () => {
      const p = new Program();
      sata(p, 0x25, 4 << 20);
      return p.forEver((q) => q.store('w', 0x40000138, -1));
    },
  },
  {
    name: 'Serial ATA: 32 commands that fail, the list started anew each time',
    args: ['--drive', `${DISK},bus=ahci`],
    elf: () => {
      const p = new Program();
      sata(p, 0x25, 512);
      return p.forEver((q) => q.store('w', 0x40000138, -1).store('w', 0x40000118, 0x10).store('w', 0x40000118, 0x11));
    },
  },
  {
    name: 'network: frames of 48 MiB to itself',
    args: [...MMIO, '--net', 'loopback'],
    elf: flood(LARGE, 256, 1),
  },
  {
    name: 'network: frames of 64 KiB to itself, never fetched',
    args: [...MMIO, '--net', 'loopback'],
    elf: flood(0x10000, 256, 1),
  },
  {
    name: 'network: frames of three bytes to itself',
    args: [...MMIO, '--net', 'loopback'],
    elf: flood(15, 1, 1),
  },
  {
    name: 'console: 256 requests of 256 KiB at a time',
    args: [...MMIO, '--console', 'virtio'],
    elf: flood(0x40000, 256, 1),
  },
  {
    name: 'entropy: 256 requests of 48 MiB at a time',
    args: MMIO,
    elf: flood(LARGE, 256, 0, WRITE),
  },
  {
    name: 'messages to the doorbell of their own device',
    elf: () =>
      new Program().descriptor(0, BUFFER, 16, WRITE).forEver((p) => {
        pci(p, 0x40003000);
        p.store('h', DRIVER + 2, 0xfffe).store('h', 0x40003000, 0);
      }),
  },
  {
    name: 'messages at every store',
    elf: () => new Program().forEver((p) => p.store('w', 0x2ff00000, 0x41)),
  },
  {
    name: 'UART: text looped back and never read',
    elf: () =>
      new Program()
        .store('b', UART + 4, 0x10)
        .li('$t0', UART)
        .forEver((p) => p.add(...new Array<string>(64).fill('st.b $t1, $t0, 0'))),
  },
  {
    name: 'fw_cfg: transfers of 48 MiB',
    elf: () =>
      new Program()
        .store('w', DESC, 0x0a000500)
        .store('w', DESC + 4, 0x00000003)
        .store('d', DESC + 8, 0x0000800000000000)
        .forEver((p) => p.store('w', 0x1e020014, 0x00004000)),
  },
  {
    name: 'reset as the first instruction',
    elf: () => new Program().forEver((p) => p.store('b', 0x100e001e, 0x42)),
  },
  {
    name: 'device registers read without an end',
    elf: () =>
      new Program().li('$t0', 0x100d0120).forEver((p) => p.add(...new Array<string>(64).fill('ld.w $t1, $t0, 0'))),
  },
  {
    name: 'interrupt of the timer every 32 ticks',
    elf: () => timer(0x20, 'addi.d $a0, $a0, 1'),
  },
  {
    name: 'interrupt of the timer every 32 ticks, in idle',
    elf: () => timer(0x20, 'idle 0'),
  },
  {
    name: 'exception at every instruction',
    elf: () => {
      const p = new Program();
      handler(p, ADVANCE);
      return p.forEver((q) => q.add(...new Array<string>(64).fill('syscall 0')));
    },
  },
  {
    name: 'page table that points at itself',
    elf: () => {
      const p = new Program().li('$t0', 0x600000).li('$t1', 0x600013);
      p.repeat('$t2', 512, (q) => q.add('st.d $t1, $t0, 0', 'addi.d $t0, $t0, 8'));
      paging(p, 0x600000);
      return p
        .li('$s0', -0x800000000000)
        .li('$s1', 0x2000)
        .forEver((q) =>
          q
            .add('ld.d $t1, $s0, 0', 'add.d $s0, $s0, $s1', 'bstrpick.d $s0, $s0, 40, 0')
            .li('$t2', -0x800000000000)
            .add('or $s0, $s0, $t2'),
        );
    },
  },
  {
    name: 'another address space at every access',
    elf: () => {
      const p = new Program().li('$t0', 0x600000).li('$t1', 0x600013);
      p.repeat('$t2', 512, (q) => q.add('st.d $t1, $t0, 0', 'addi.d $t0, $t0, 8'));
      paging(p, 0x600000);
      return p
        .li('$s0', -0x800000000000)
        .forEver((q) =>
          q.add(
            'addi.d $s1, $s1, 1',
            'andi $t1, $s1, 1023',
            'csrwr $t1, ASID',
            'ld.d $t1, $s0, 0',
            'invtlb 0, $zero, $zero',
          ),
        );
    },
  },
  { name: 'code on thousands of pages, rewritten in every round', elf: () => codePages(1) },
  { name: 'hot code on thousands of pages, rewritten in every round', elf: () => codePages(3000) },
  {
    name: 'sleeps, with a timer of a second',
    sleeps: true,
    elf: () => {
      const p = new Program();
      handler(p, CLEAR_TIMER);
      return p
        .csr('ECFG', TIMER_LINE)
        .csr('TCFG', 100_000_000 + 3)
        .csr('CRMD', 0xc)
        .forEver((q) => q.add('idle 0'));
    },
  },
  {
    name: 'sleeps, with a masked timer at every tick',
    sleeps: true,
    elf: () => new Program().csr('TCFG', 3).forEver((q) => q.add('idle 0')),
  },
];

/** The cost of a guest. */
export interface Cost {
  /** Most resident memory of the process, in MiB, and open descriptors at the end. */
  readonly peak: number;
  readonly descriptors: number;
  /** Part of a CPU that was used between the first and the last measurement. */
  readonly cpu: number;
  /** Milliseconds from SIGTERM to the end of the process; undefined when it had ended before. */
  readonly ending: number | undefined;
  readonly code: number | null;
  readonly stderr: string;
}

const TICKS_PER_SECOND = 100;
/** Time at the start that is not measured. */
const SETTLING_MS = 300;

/** CPU seconds that a process has used. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Runs a guest for a while, then ends it by SIGTERM.
 * @param folder for its files
 * @param seconds duration after its first output
 */
export async function measure(
  kind: Pick<Hostile, 'elf' | 'args' | 'sleeps'>,
  folder: string,
  seconds: number,
): Promise<Cost> {
  const image = join(folder, 'guest.elf');
  writeFileSync(image, kind.elf());
  const disk = join(folder, 'disk');
  const fd = openSync(disk, 'w');
  ftruncateSync(fd, 64 * 2 ** 20);
  closeSync(fd);
  const args = (kind.args ?? []).map((a) => a.replace(DISK, disk));
  const program = join(PROJECT_ROOT, 'src', 'cli', 'main.ts');
  const child = spawn(process.execPath, [program, 'run', image, '--memory', '64M', '--no-code-cache', ...args], {
    stdio: [kind.sleeps ? 'pipe' : 'ignore', 'pipe', 'pipe'],
  });
  const runs = new Promise<void>((resolve) => {
    child.stdout!.on('data', resolve);
    child.on('close', () => resolve());
  });
  let stderr = '';
  child.stderr!.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  const pid = child.pid!;
  const alive = (): boolean => child.exitCode === null && child.signalCode === null;
  let [peak, descriptors, cpu] = [0, 0, 0];
  let first: { readonly time: number; readonly used: number } | undefined;
  await runs;
  for (const began = performance.now(); alive() && performance.now() - began < 1000 * seconds; await pause(50)) {
    const now = performance.now();
    try {
      peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0) / 1024;
      descriptors = readdirSync(`/proc/${pid}/fd`).length;
      const used = cpuSeconds(pid);
      if (first) cpu = (1000 * (used - first.used)) / (now - first.time);
      else if (now - began > SETTLING_MS) first = { time: now, used };
    } catch {
      // It has already ended.
    }
  }
  const running = alive();
  const asked = performance.now();
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const code = await ended;
  clearTimeout(killer);
  return { peak, descriptors, cpu, ending: running ? performance.now() - asked : undefined, code, stderr };
}
