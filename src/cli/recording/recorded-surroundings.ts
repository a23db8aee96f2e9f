/** What the machine of a recorded run finds around it. */
import { createHash } from 'node:crypto';
import type { Recording } from '../../emu/debug/recording.ts';
import type { RecordedEntry } from '../../emu/debug/recording-format.ts';
import { type DiskEntry, RepeatedDisk } from '../../emu/replay/recorded-disk.ts';
import { RepeatedShare, type ShareEntry } from '../../emu/replay/recorded-share.ts';
import type { Stateful } from '../../emu/state/fields.ts';
import { isBytes, isMapOf } from '../../emu/state/state-check.ts';
import { UsageError } from '../errors.ts';
import { shadowOf } from '../network.ts';
import { PROJECT_ROOT } from '../paths.ts';
import { COMPUTER, type Surroundings } from '../surroundings.ts';
import { recordedName } from './recorder.ts';

const isDisk = (e: RecordedEntry): e is DiskEntry => e.kind === 'disk';
const isShare = (e: RecordedEntry): e is ShareEntry => e.kind === 'share';

/** @returns what is found, and what is to be called when the machine is loaded */
export function recordedSurroundings({ name, description, entries }: Recording): {
  readonly found: Surroundings;
  readonly begin: () => void;
} {
  const { files } = description;
  const fromSnapshot = 'snapshot' in description.options;
  const disks: RepeatedDisk[] = [];
  let shares = 0;
  const found: Surroundings = {
    exists: (path) => files.has(recordedName(path)),
    read: (path) => {
      const file = files.get(recordedName(path));
      if (!file) throw new UsageError(`${name} does not have ${path}: record again`);
      const content = file.content ?? missing(name, path.replace(/^<loongscope>/, PROJECT_ROOT));
      if (createHash('sha256').update(content).digest('hex') !== file.sha256)
        throw new UsageError(
          `${path} is not the file that was recorded: it has other content; get that file, or record with --record-images`,
        );
      return content;
    },
    drive: ({ copyOnWrite }) => {
      const number = disks.length;
      const shape = description.disks[number];
      if (!shape) throw new UsageError(`${name} does not have all disks of its machine: record again`);
      const own = entries.filter(isDisk).filter((e) => e.disk === number);
      const loaded = fromSnapshot ? (copyOnWrite ? [changesOfSnapshot()] : []) : undefined;
      const disk = new RepeatedDisk(shape, own, loaded);
      disks.push(disk);
      return disk;
    },
    shares: (specs) =>
      specs.map(() => {
        const number = shares++;
        return new RepeatedShare(entries.filter(isShare).filter((e) => e.share === number));
      }),
    net: (spec) => COMPUTER.net(shadowOf(spec)),
  };
  const begin = (): void => {
    for (const disk of disks) disk.begin();
  };
  return { found, begin };
}

/** Takes what a snapshot has of a disk whose changes are kept in memory: the recording brings it, when it is read. */
function changesOfSnapshot(): Stateful {
  const part = { stateFields: ['changed'], stateChecks: { changed: isMapOf(isBytes) }, changed: new Map() };
  return part;
}

/** A file that the recording only names. @throws UsageError when it is not here */
function missing(name: string, path: string): Uint8Array {
  try {
    return COMPUTER.read(path);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`${name} needs ${path}: ${error.message}; or record with --record-images`);
  }
}
