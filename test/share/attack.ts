/**
 * A hostile kernel against the shared folder: random 9P messages, well-formed and not, while the host's side moves folders
 * about, around a canary folder that nothing may read, change, create in or stat.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { P9Writer } from '../../src/emu/devices/virtio/p9-message.ts';
import { O, Refused, T } from '../support/p9-client.ts';
import { seeded } from '../support/random.ts';
import { openDescriptors, SECRET, ShareRig } from '../support/share-rig.ts';

const DESCRIPTORS = 96;
const ROOM = 8192;
/** Numbers that the kernel uses for its handles. */
const FIDS = 100;
const MESSAGES_PER_MOVE = 10;
const MESSAGES_PER_COUNT = 250;
/** Long before any change, so that a read changes it even on a file system that seldom updates access times. */
const OLD = 1000;
const NAMES = ['a', 'b', 'c', 'd', 'secret', 'x\xff'];
const BAD_NAMES = ['..', '.', '', '/', 'a/b', '../canary', 'a\0', 'y'.repeat(300), 'z'.repeat(65_535)];
const NUMBERS = [0, 1, 2, 3, 7, 16, 17, 255, 4096, 65_535, 0x7fffffff, 0x80000000, 0xffffffff];
const BIG = [0n, 1n, 5n, 4096n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n];
/** Files stay small: what a size fills is the host's disk. */
const SIZES = [0n, 1n, 100n, 5000n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];

/** The state of the canary folder, which must not change. */
class Canary {
  private readonly rig: ShareRig;
  private readonly before: string;
  /** Numbers of its objects, as answers would have them. */
  private readonly inodes: readonly Buffer[];
  private readonly secret = Buffer.from(SECRET);
  private readonly places: readonly string[];

  constructor(rig: ShareRig) {
    this.rig = rig;
    mkdirSync(join(rig.canary, 'a'));
    for (const name of ['a/secret', 'b', 'c']) writeFileSync(join(rig.canary, name), SECRET);
    this.places = ['.', 'a', 'secret', 'a/secret', 'b', 'c'].map((name) => join(rig.canary, name));
    for (const p of [...this.places].reverse()) utimesSync(p, OLD, 2 * OLD);
    this.inodes = [...this.places, rig.base].map((p) => {
      const b = Buffer.alloc(8);
      b.writeBigUInt64LE(lstatSync(p, { bigint: true }).ino);
      return b;
    });
    this.before = this.state();
  }

  /** Everything but the contents, without reading them. */
  private state(): string {
    return JSON.stringify(
      this.places.map((p) => {
        const s = lstatSync(p);
        return [s.ino, s.mode, s.nlink, s.size, s.mtimeMs, s.ctimeMs, s.atimeMs];
      }),
    );
  }

  /** @throws Error when an answer has something of it */
  notIn(answer: Uint8Array): void {
    const bytes = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
    if (bytes.includes(this.secret)) throw new Error('an answer has what is in a canary file');
    if (this.inodes.some((b) => bytes.includes(b))) throw new Error('an answer has the number of a canary');
  }

  /** @throws Error when it is not as it was */
  check(): void {
    const now = this.state();
    if (now !== this.before) throw new Error(`the canary folder has been touched: ${this.before} ${now}`);
    if (
      readdirSync(this.rig.canary).join() !== 'a,b,c,secret' ||
      readdirSync(join(this.rig.canary, 'a')).join() !== 'secret'
    )
      throw new Error('something has been created in the canary folder, or removed');
    for (const name of ['secret', 'a/secret', 'b', 'c'])
      if (readFileSync(join(this.rig.canary, name), 'utf8') !== SECRET) throw new Error(`${name} has been written`);
  }
}

/** Messages as no honest kernel sends them. */
class Kernel {
  private readonly random: () => number;
  private readonly types = Object.values(T);
  private readonly known = new Set<number>();
  private readonly open = new Set<number>();

  constructor(random: () => number) {
    this.random = random;
  }

  private one<X>(list: readonly X[]): X {
    return list[this.random() % list.length]!;
  }

  private chance(percent: number): boolean {
    return this.random() % 100 < percent;
  }

  /** A number that stands for something, mostly. */
  private fid(): number {
    if (this.chance(3)) return this.one(NUMBERS);
    return this.known.size > 0 && this.chance(95) ? this.one([...this.known]) : this.random() % FIDS;
  }

  /** A number that is open, mostly. */
  private openFid(): number {
    return this.open.size > 0 && this.chance(90) ? this.one([...this.open]) : this.fid();
  }

  /** A number that stands for nothing yet, mostly. */
  private freshFid(): number {
    for (let n = 0; n < FIDS; n++) {
      const fid = this.random() % FIDS;
      if (!this.known.has(fid)) return fid;
    }
    return this.fid();
  }

  /** Remembers what its numbers stand for. */
  learn(message: Uint8Array, answer: Uint8Array): void {
    if (answer[4] === T.error + 1 || message.length < 11) return;
    const v = new DataView(message.buffer, message.byteOffset, message.length);
    const first = v.getUint32(7, true);
    if (message[4] === T.version) {
      this.known.clear();
      this.open.clear();
    } else if (message[4] === T.open || message[4] === T.create) this.open.add(first);
    else if (message[4] === T.attach) this.known.add(first);
    else if (message[4] === T.clunk || message[4] === T.remove) {
      this.known.delete(first);
      this.open.delete(first);
    } else if (message[4] === T.walk && v.getUint16(15, true) === answer[7]) this.known.add(v.getUint32(11, true));
  }

  private number(): number {
    return this.chance(90) ? this.random() % 64 : this.one(NUMBERS);
  }

  private name(): string {
    return this.chance(93) ? this.one(NAMES) : this.one(BAD_NAMES);
  }

  private flags(): number {
    return this.chance(95) ? this.one([0, 1, 2, 2, 0o1002, 0o2001, 0o202, 0o200000]) : this.random();
  }

  private mode(): number {
    // The test must be able to clean up, even as no superuser.
    return this.chance(80) ? 0o755 : this.random() | 0o700;
  }

  /** The arguments of a message. */
  private fill(type: number, w: P9Writer): void {
    switch (type) {
      case T.version:
        w.u32(this.one([4096, 8192, 65_536, 0, 100, 0xffffffff])).text(this.one(['9P2000.L', '9P2000', '']));
        return;
      case T.attach:
        w.u32(this.freshFid()).u32(0xffffffff).text('').text(this.name()).u32(0);
        return;
      case T.walk: {
        const names = Array.from({ length: this.random() % 4 }, () => (this.chance(15) ? '..' : this.name()));
        w.u32(this.fid())
          .u32(this.chance(80) ? this.freshFid() : this.fid())
          .u16(this.chance(98) ? names.length : this.one([17, 1000, 65_535]));
        for (const n of names) w.text(n);
        return;
      }
      case T.open:
        w.u32(this.fid()).u32(this.flags());
        return;
      case T.create:
        w.u32(this.fid()).text(this.name()).u32(this.flags()).u32(this.mode()).u32(0);
        return;
      case T.mkdir:
        w.u32(this.fid()).text(this.name()).u32(this.mode()).u32(0);
        return;
      case T.mknod:
        w.u32(this.fid()).text(this.name()).u32(this.random()).u32(1).u32(3).u32(0);
        return;
      case T.symlink:
        w.u32(this.fid())
          .text(this.name())
          .text(this.one(['../canary', '..', '../canary/secret', 'a', '/']))
          .u32(0);
        return;
      case T.link:
        w.u32(this.fid()).u32(this.fid()).text(this.name());
        return;
      case T.rename:
        w.u32(this.fid()).u32(this.fid()).text(this.name());
        return;
      case T.renameat:
        w.u32(this.fid()).text(this.name()).u32(this.fid()).text(this.name());
        return;
      case T.unlinkat:
        w.u32(this.fid())
          .text(this.name())
          .u32(this.one([0, 0x200, this.random()]));
        return;
      case T.setattr:
        w.u32(this.fid())
          .u32(this.random() & 0x1ff)
          .u32(this.mode())
          .u32(0)
          .u32(0)
          .u64(this.one(SIZES));
        for (let n = 0; n < 4; n++) w.u64(this.one(BIG));
        return;
      case T.read:
      case T.readdir:
        w.u32(this.openFid())
          .u64(this.chance(70) ? 0n : this.one(BIG))
          .u32(this.chance(80) ? 4096 : this.number());
        return;
      case T.write: {
        const length = this.random() % 40;
        w.u32(this.openFid()).u64(
          this.chance(90) ? BigInt(this.random() % 5000) : this.one([2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]),
        );
        w.u32(this.chance(95) ? length : this.one(NUMBERS));
        for (let n = 0; n < length; n++) w.u8(0x2e);
        return;
      }
      default:
        w.u32(this.fid());
        for (let n = this.random() % 4; n > 0; n--) w.u32(this.number());
    }
  }

  next(): Uint8Array {
    if (this.chance(2)) return Uint8Array.from({ length: this.random() % 60 }, () => this.random() & 0xff);
    const w = new P9Writer();
    const type = this.type();
    this.fill(type, w);
    const message = w.message(type, this.random() & 0xffff).slice();
    if (this.chance(3)) message[this.random() % message.length] = this.random() & 0xff;
    return this.chance(2) ? message.subarray(0, this.random() % message.length) : message;
  }

  /** Most of what a kernel does is to walk and to open. */
  private type(): number {
    if (this.known.size === 0 && this.chance(80)) return T.attach;
    const kind = this.random() % 100;
    if (kind < 30) return T.walk;
    if (kind < 40) return T.open;
    if (kind < 45) return T.clunk;
    return kind < 98 ? this.usual() : this.random() & 0xff;
  }

  /** Not the version too often: it forgets every handle. */
  private usual(): number {
    const type = this.one(this.types);
    return type === T.version && this.chance(95) ? T.getattr : type;
  }
}

/** The host's side, which never follows a link itself. */
class Host {
  private readonly rig: ShareRig;
  private readonly random: () => number;
  private readonly outside: string;

  constructor(rig: ShareRig, random: () => number) {
    this.rig = rig;
    this.random = random;
    this.outside = join(rig.base, 'outside');
    mkdirSync(this.outside);
  }

  /** A folder that really is below the shared one. */
  private folder(): string {
    let at = this.rig.share;
    for (let depth = this.random() % 4; depth > 0; depth--) {
      const below = join(at, NAMES[this.random() % NAMES.length]!);
      if (!lstatSync(below, { throwIfNoEntry: false })?.isDirectory()) break;
      at = below;
    }
    return at;
  }

  private place(): string {
    return join(this.folder(), NAMES[this.random() % 5]!);
  }

  move(): void {
    try {
      const place = this.place();
      switch (this.random() % 11) {
        case 0:
        case 1:
          mkdirSync(place);
          return;
        case 2:
        case 8:
          writeFileSync(place, 'of the host', { flag: 'wx' });
          return;
        case 3:
          renameSync(place, this.place());
          return;
        case 4:
        case 5:
        case 6:
          // Gone, and a link has its name.
          renameSync(place, join(this.outside, `${this.random() % 8}`));
          symlinkSync(this.random() % 2 ? this.rig.canary : '../canary', place);
          return;
        case 7:
          renameSync(join(this.outside, `${this.random() % 8}`), place);
          return;
        case 9:
          rmSync(place, { recursive: true, force: true });
          if (this.random() % 4 === 0) execFileSync('mkfifo', [place]);
          else if (this.random() % 2 === 0) symlinkSync(join(this.rig.canary, 'secret'), place);
          return;
        default:
          linkSync(place, this.place());
      }
    } catch {
      // It is a random host: much of what it tries is not possible.
    }
  }
}

/** What happened, so that a test can see that something did. */
export interface AttackReport {
  readonly messages: number;
  /** Answers that were no errors, by type of message. */
  readonly done: Readonly<Record<number, number>>;
  readonly mostDescriptors: number;
}

/** Sends random messages. @throws Error when the folder has been left, or an answer is malformed, or descriptors leak */
export function attack(seed: number, messages: number): AttackReport {
  const random = seeded(seed);
  const rig = new ShareRig({ descriptors: DESCRIPTORS });
  try {
    const canary = new Canary(rig);
    const host = new Host(rig, random);
    const kernel = new Kernel(random);
    const { client } = rig;
    const done: Record<number, number> = {};
    const before = openDescriptors();
    let most = 0;
    for (let n = 0; n < messages; n++) {
      if (n % MESSAGES_PER_MOVE === 0) host.move();
      const message = kernel.next();
      const answer = client.send(message, ROOM);
      check(message, answer);
      canary.notIn(answer);
      kernel.learn(message, answer);
      if (answer[4] !== T.error + 1) done[answer[4]! - 1] = (done[answer[4]! - 1] ?? 0) + 1;
      if (n % MESSAGES_PER_COUNT === 0) {
        most = Math.max(most, openDescriptors() - before);
        if (most > DESCRIPTORS) throw new Error(`${most} descriptors are open`);
        // Back to the same state, as a debugger goes back in time.
        client.handles = structuredClone(client.handles);
      }
    }
    client.device.reset();
    if (openDescriptors() !== before) throw new Error('descriptors are still open after a reset');
    canary.check();
    return { messages, done, mostDescriptors: most };
  } finally {
    rig.dispose();
  }
}

/** @throws Error when an answer is none to this message */
function check(message: Uint8Array, answer: Uint8Array): void {
  const v = new DataView(answer.buffer, answer.byteOffset, answer.length);
  if (answer.length < 7 || answer.length > ROOM || v.getUint32(0, true) !== answer.length)
    throw new Error(`an answer has ${answer.length} bytes and a wrong length`);
  if (answer[4] !== T.error + 1 && answer[4] !== ((message[4]! + 1) & 0xff))
    throw new Error('an answer of another type');
  if (message.length >= 7 && answer[4] !== T.error + 1 && (answer[5] !== message[5] || answer[6] !== message[6]))
    throw new Error('an answer to another message');
}

/** Puts a folder and a link to the canary folder in each other's place, as fast as it can. Arguments: the two, and the name. */
const SWAPPER = `
const { renameSync } = require('node:fs');
const [folder, link, name] = process.argv.slice(1);
process.stdout.write('begun');
for (;;) { renameSync(folder, name); renameSync(name, folder); renameSync(link, name); renameSync(name, link); }
`;

/** What became of looking through a name that another process changes all the time. */
export interface RaceReport {
  readonly reached: number;
  readonly refused: number;
}

/** Races another process. @throws Error when the folder has been left */
export async function race(rounds: number): Promise<RaceReport> {
  const rig = new ShareRig();
  const swap = (name: string): string => join(rig.base, name);
  mkdirSync(swap('folder'));
  writeFileSync(join(swap('folder'), 'secret'), 'nothing special');
  symlinkSync(rig.canary, swap('link'));
  const canary = new Canary(rig);
  const child = spawn(process.execPath, ['-e', SWAPPER, swap('folder'), swap('link'), rig.at('x')]);
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const { client: c } = rig;
    const root = c.attach();
    c.clunk(c.create(root, 'own'));
    const own = c.walk(root, 'own');
    let reached = 0;
    let refused = 0;
    const held: number[] = [];
    const tried = (body: () => unknown): void => {
      try {
        body();
        reached++;
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        refused++;
      }
    };
    for (let n = 0; n < rounds; n++) {
      tried(() => held.push(c.walk(root, 'x', 'secret')));
      tried(() => held.push(c.walk(root, 'x')));
      const fid = held.at(-1);
      if (fid !== undefined) {
        tried(() => c.open(fid, O.readWrite));
        tried(() => c.clunk(c.create(fid, `new${n}`)));
        tried(() => c.link(fid, own, `link${n}`));
        tried(() => c.mkdir(fid, `folder${n}`));
        tried(() => c.unlink(fid, 'b'));
        tried(() => c.set(fid, 1, { mode: 0o700 }));
        tried(() => {
          if (c.read(fid).includes(SECRET)) throw new Error('the secret has been read');
        });
        tried(() => c.link(root, fid, `stolen${n}`));
        if (
          lstatSync(rig.at(`stolen${n}`), { throwIfNoEntry: false })?.ino === statSync(join(rig.canary, 'secret')).ino
        )
          throw new Error('a canary file has been linked');
      }
      for (const f of held.splice(0)) c.clunk(f);
    }
    canary.check();
    return { reached, refused };
  } finally {
    child.kill();
    await new Promise((resolve) =>
      (child.exitCode ?? child.signalCode) !== null ? resolve(0) : child.once('exit', resolve),
    );
    rig.dispose();
  }
}
