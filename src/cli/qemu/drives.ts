/** -drive, -blockdev, -hda and the like: what is on the disks. Devices take them by id when all options have been read. */
import { UsageError } from '../errors.ts';
import { type Draft, type QemuDrive, takeId } from './draft.ts';
import { Properties } from './properties.ts';

/** How QEMU caches, copies and locks the file: nothing that a guest sees. */
const WITHOUT_EFFECT = [
  'cache',
  'cache.direct',
  'cache.no-flush',
  'cache.writeback',
  'aio',
  'discard',
  'detect-zeroes',
  'file.locking',
  'locking',
  'auto-read-only',
  'rerror',
  'werror',
  'media',
] as const;

/** The file of a drive, or the address of its NBD server. @throws UsageError */
function source(p: Properties): string {
  const driver = p.get('driver') ?? p.get('file.driver');
  const format = p.get('format');
  const file = p.get('file') ?? p.get('filename') ?? p.get('file.filename');
  for (const kind of [driver, format])
    if (kind !== undefined && !['raw', 'file', 'host_device', 'nbd'].includes(kind))
      throw p.error(`no image format but raw is read: serve it with qemu-nbd -f ${kind}, and give file=nbd:…`);
  if (driver === 'nbd' || p.get('file.server.type') !== undefined || p.get('server.type') !== undefined) return nbd(p);
  if (file === undefined || file === '') throw p.error('file= is missing: add the path of a disk image');
  return file;
}

/** The parts of an NBD address as one text, as `nbd:` has it in QEMU. @throws UsageError */
function nbd(p: Properties): string {
  const [path, host, port] = ['path', 'host', 'port'].map(
    (key) => p.get(`server.${key}`) ?? p.get(`file.server.${key}`) ?? p.get(key) ?? p.get(`file.${key}`),
  );
  p.without('server.type', 'file.server.type');
  const name = p.get('export') ?? p.get('file.export');
  const at = path === undefined ? `${host ?? ''}:${port ?? 10809}` : `unix:${path}`;
  if (path === undefined && host === undefined)
    throw p.error('the address of the NBD server is missing: add host= or path=');
  return `nbd:${at}${name === undefined ? '' : `:exportname=${name}`}`;
}

/** @throws UsageError */
export function drive(d: Draft, text: string): void {
  const p = new Properties('-drive', text);
  const bus = p.get('if') ?? 'virtio';
  if (bus !== 'virtio' && bus !== 'none' && bus !== 'pflash')
    throw p.error(`if=${bus}: the board has no such bus: use if=virtio, or if=none with a -device`);
  const unit = p.integer('unit', 0, 255) ?? p.integer('index', 0, 255);
  const id = p.get('id') ?? `${bus}${d.drives.length}`;
  const spec: QemuDrive = {
    id,
    option: '-drive',
    bus,
    unit,
    file: source(p),
    raw: p.get('format') === 'raw' || p.get('driver') === 'raw',
    readOnly: p.flag('readonly') || p.flag('read-only') || p.get('media') === 'cdrom',
    copyOnWrite: p.flag('snapshot'),
  };
  p.without(...WITHOUT_EFFECT).done();
  add(d, spec);
}

function add(d: Draft, spec: QemuDrive): void {
  takeId(d, 'drive', spec.id, spec.option);
  const place = (o: QemuDrive): boolean => spec.unit !== undefined && o.bus === spec.bus && o.unit === spec.unit;
  if (d.drives.some(place))
    throw new UsageError(
      `qemu: ${spec.option}: two drives are number ${spec.unit} of if=${spec.bus}: change one of them`,
    );
  d.drives.push(spec);
}

/** A blockdev refers to others by name: a raw one to the file below it. @throws UsageError */
export function blockdev(d: Draft, text: string): void {
  const p = new Properties('-blockdev', text, 'driver');
  const id = p.need('node-name', 'node-name=NAME');
  const below = p.get('driver') === 'raw' ? p.get('file') : undefined;
  const node = below === undefined ? undefined : d.drives.find((o) => o.id === below);
  if (below !== undefined && !node)
    throw p.error(`there is no -blockdev '${below}' before it: give the file first, then what is in it`);
  const file = node ? node.file : source(p);
  const readOnly = p.flag('read-only') || node?.readOnly === true;
  p.without(...WITHOUT_EFFECT).done();
  if (node) d.drives.splice(d.drives.indexOf(node), 1);
  add(d, { id, option: '-blockdev', bus: 'none', unit: undefined, file, raw: true, readOnly, copyOnWrite: false });
}

/** -hda to -hdd, -cdrom. */
export const numbered =
  (name: string, unit: number) =>
  (d: Draft, file: string): void =>
    add(d, {
      id: name,
      option: `-${name}`,
      bus: 'virtio',
      unit,
      file,
      raw: false,
      readOnly: name === 'cdrom',
      copyOnWrite: false,
    });

/** -pflash: the next unit of flash. */
export function pflash(d: Draft, file: string): void {
  const unit = d.drives.filter((o) => o.bus === 'pflash').length;
  add(d, {
    id: `pflash${unit}`,
    option: '-pflash',
    bus: 'pflash',
    unit,
    file,
    raw: true,
    readOnly: false,
    copyOnWrite: false,
  });
}

/** A folder: -virtfs, or -fsdev for a later -device. @throws UsageError */
function folder(p: Properties): { readonly folder: string; readonly readOnly: boolean } {
  const driver = p.get('driver');
  if (driver !== 'local') throw p.error(`'${driver ?? ''}' is not known: use local,path=FOLDER,…`);
  p.without('security_model', 'writeout', 'multidevs', 'fmode', 'dmode');
  return { folder: p.need('path', 'path=FOLDER'), readOnly: p.flag('readonly') };
}

/** A folder with its device, which has its place among the others. @throws UsageError */
export function virtfs(d: Draft, text: string): void {
  const p = new Properties('-virtfs', text, 'driver');
  const spec = folder(p);
  const tag = p.get('mount_tag') ?? 'host';
  p.without('id').done();
  const id = `virtfs ${d.folderDevices.size}`;
  d.folderDevices.set(id, spec);
  d.devices.push(
    new Properties('-device', `virtio-9p-pci,fsdev=${id},mount_tag=${tag.replaceAll(',', ',,')}`, 'driver'),
  );
}

/** @throws UsageError */
export function fsdev(d: Draft, text: string): void {
  const p = new Properties('-fsdev', text, 'driver');
  const id = p.need('id', 'id=NAME');
  const spec = folder(p);
  p.done();
  takeId(d, 'folder', id, '-fsdev');
  d.folderDevices.set(id, spec);
}
