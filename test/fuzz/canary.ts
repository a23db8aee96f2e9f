/** A folder that is shared with a guest, and beside it what the guest must not reach. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Fault } from './oracle.ts';

/** Content of larger files is not looked at. */
const SMALL = 10_000;

/** The names in a folder, a character for each byte: a guest's names need not be text. */
const namesIn = (folder: string): string[] =>
  readdirSync(bytesOf(folder), { encoding: 'latin1' as BufferEncoding }).sort();
const bytesOf = (path: string): Buffer => Buffer.from(path, 'latin1');

/** Everything about a tree but when it was read. */
function manifest(folder: string): string {
  const lines: string[] = [];
  const visit = (name: string): void => {
    const path = bytesOf(name);
    const s = lstatSync(path);
    const what = s.isSymbolicLink()
      ? readlinkSync(path, 'latin1')
      : s.isFile() && s.size < SMALL
        ? readFileSync(path, 'latin1')
        : '';
    lines.push(`${name} ${s.mode} ${s.ino} ${s.nlink} ${s.isFile() ? s.size : ''} ${s.mtimeMs} ${what}`);
    if (s.isDirectory()) for (const inside of namesIn(name)) visit(join(name, inside));
  };
  visit(folder);
  return lines.join('\n');
}

function emptied(folder: string): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o755);
  for (const name of namesIn(folder)) rmSync(bytesOf(join(folder, name)), { recursive: true, force: true });
}

export class Canary {
  readonly share: string;
  readonly outside: string;
  /** What is in each file outside, and in a name there. */
  private readonly secret = randomBytes(12).toString('hex');
  private readonly base = mkdtempSync(join(tmpdir(), 'loongscope-canary-'));
  private readonly around: string;
  private outsideBefore = '';
  private shareBefore = '';

  constructor() {
    process.once('exit', () => rmSync(this.base, { recursive: true, force: true }));
    this.share = join(this.base, 'share');
    this.outside = join(this.base, 'outside');
    this.fillOutside();
    this.fillShare();
    this.around = this.besides();
  }

  private besides(): string {
    return namesIn(this.base).join();
  }

  private fillOutside(): void {
    const { outside, secret } = this;
    emptied(outside);
    mkdirSync(join(outside, 'folder'));
    writeFileSync(join(outside, 'file'), secret);
    writeFileSync(join(outside, 'folder', `name-${secret}`), secret);
    this.outsideBefore = manifest(outside);
  }

  /** The folder itself stays: a device may hold it open. */
  private fillShare(): void {
    const { share } = this;
    emptied(share);
    mkdirSync(join(share, 'd', 'e'), { recursive: true });
    writeFileSync(join(share, 'f'), 'some content\n');
    writeFileSync(join(share, 'd', 'g'), 'x'.repeat(3000));
    linkSync(join(share, 'f'), join(share, 'h'));
    symlinkSync('../outside/file', join(share, 'out'));
    symlinkSync(this.outside, join(share, 'outdir'));
    symlinkSync('f', join(share, 'in'));
    symlinkSync('d', join(share, 'indir'));
    this.shareBefore = manifest(share);
  }

  /** Is something of what is outside in an answer? The path of the folder is not: a link may say it. */
  reveals(answer: Uint8Array): boolean {
    return Buffer.from(answer.buffer, answer.byteOffset, answer.length).includes(this.secret, 0, 'latin1');
  }

  /** Makes the shared folder as it was. @throws Fault when anything beside it has changed */
  check(): void {
    if (manifest(this.outside) !== this.outsideBefore) {
      this.fillOutside();
      throw new Fault('a file outside has been changed');
    }
    const now = this.besides();
    if (now !== this.around) throw new Fault(`what is beside the folder has changed: ${now}`);
    if (manifest(this.share) !== this.shareBefore) this.fillShare();
  }
}
