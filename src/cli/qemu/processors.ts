/** -machine, -accel, -cpu, -smp and -m. */
import { FEATURE_NAMES } from '../../emu/cpu/features.ts';
import { UsageError } from '../errors.ts';
import { MAX_CPUS, parseCpu, parseMemory } from '../options.ts';
import { type Draft, once } from './draft.ts';
import { own, Properties } from './properties.ts';

const MIB = 2 ** 20;

/** Properties of the machine that change nothing here, whatever they say. */
const MACHINE_WITHOUT_EFFECT = [
  'graphics',
  'usb',
  'dump-guest-core',
  'mem-merge',
  'hpet',
  'phandle-start',
  'dt-compatible',
  'x-oem-id',
  'x-oem-table-id',
] as const;

/** -machine adds up over several options. @throws UsageError */
export function machine(d: Draft, text: string): void {
  const p = new Properties('-machine', text, 'type');
  const type = p.get('type');
  if (type !== undefined && !/^virt(-\d+\.\d+)?$/.test(type)) throw p.error(`'${type}' is not known: use virt`);
  const accel = p.get('accel');
  if (accel !== undefined) accelerators(accel.split(':'), '-machine accel=');
  p.only('kernel-irqchip', ['off', 'no', 'split'], 'there is no KVM: leave it out');
  p.only('acpi', ['on', 'auto', 'yes'], 'the ACPI tables are always there: leave it out');
  p.only('v-eiointc', ['on', 'auto', 'yes'], 'the virtual EIOINTC is always there: leave it out');
  const dump = p.get('dumpdtb');
  if (dump !== undefined) d.dumpDtb = once(d, 'machine dumpdtb', dump);
  const backend = p.get('memory-backend');
  if (backend !== undefined) d.memoryBackend = backend;
  for (const [key, option] of [
    ['kernel', 'kernel'],
    ['initrd', 'initrd'],
    ['append', 'append'],
    ['dtb', 'dtb'],
    ['firmware', 'bios'],
  ] as const) {
    const value = p.get(key);
    if (value !== undefined) d[option] = once(d, option, value);
  }
  p.without(...MACHINE_WITHOUT_EFFECT).done();
}

/** Of several accelerators QEMU takes the first that works; here that is `tcg`. @throws UsageError */
function accelerators(names: readonly string[], option: string): void {
  if (names.includes('tcg')) return;
  const name = names[0] ?? '';
  throw new UsageError(`qemu: ${option}: there is no '${name}' here: use tcg, or leave it out`);
}

/** @throws UsageError */
export function accel(_: Draft, text: string): void {
  const p = new Properties('-accel', text, 'accel');
  accelerators([p.get('accel') ?? ''], '-accel');
  // How QEMU's own translator works.
  p.without('thread', 'tb-size', 'one-insn-per-tb', 'split-wx').done();
}

/** CPU models by QEMU's names, old and new. */
export const CPUS: Readonly<Record<string, string>> = {
  la464: 'la464',
  'la464-loongarch-cpu': 'la464',
  'Loongson-3A5000': 'la464',
  max: 'max',
  'max-loongarch-cpu': 'max',
};
const CPUS_REFUSED: Readonly<Record<string, string>> = {
  la132: 'a 32-bit CPU, which is not modelled: use la464 or max',
  'la132-loongarch-cpu': 'a 32-bit CPU, which is not modelled: use la464 or max',
  host: 'the CPU of this computer, for KVM: use max',
};

/** @throws UsageError */
export function cpu(d: Draft, text: string): void {
  const p = new Properties('-cpu', text, 'model');
  const name = p.get('model') ?? '';
  const model = own(CPUS, name);
  const reason = own(CPUS_REFUSED, name);
  if (reason !== undefined) throw p.error(`'${name}' is ${reason}`);
  if (model === undefined) throw p.error(`'${name}' is not known: use ${Object.keys(CPUS).join(', ')}`);
  once(d, 'cpu', text);
  // Parts that QEMU's CPU has and this one does not.
  for (const absent of ['pmu', 'msgint', 'kvm-pv-ipi', 'kvm-steal-time'])
    p.only(absent, ['off', 'auto', 'no'], 'the CPU has no such part: leave it out');
  const switches = FEATURE_NAMES.flatMap((feature) => {
    const value = p.get(feature);
    return value === undefined || value === 'auto' ? [] : [`${feature}=${p.flag(feature) ? 'on' : 'off'}`];
  });
  p.done();
  d.cpu = parseCpu([model, ...switches].join(','));
}

/**
 * Missing numbers follow from the others; cores come first, as in QEMU 6.2 and later (hw/core/machine-smp.c).
 * @throws UsageError for numbers that contradict each other
 */
export function smp(d: Draft, text: string): void {
  const p = new Properties('-smp', text, 'cpus');
  const read = (key: string): number | undefined => p.integer(key, 1, MAX_CPUS);
  const [cpus, sockets, cores, threads, most] = ['cpus', 'sockets', 'cores', 'threads', 'maxcpus'].map(read);
  for (const level of ['dies', 'clusters', 'modules', 'books', 'drawers'])
    p.only(level, ['1'], 'the board has no such level: leave it out');
  p.done();
  const wanted = most ?? cpus;
  const t = threads ?? 1;
  const s =
    sockets ?? (cores === undefined || wanted === undefined ? 1 : Math.max(1, Math.floor(wanted / (cores * t))));
  const c = cores ?? (wanted === undefined ? 1 : Math.max(1, Math.floor(wanted / (s * t))));
  const all = s * c * t;
  const total = cpus ?? most ?? all;
  if (all !== (wanted ?? total))
    throw p.error(
      `${s} sockets of ${c} cores of ${t} threads are ${all} CPUs, not ${wanted ?? total}: correct one of them`,
    );
  if (all !== total)
    throw p.error(`maxcpus=${most}: CPUs cannot be added while the machine runs: make it equal to cpus=${total}`);
  if (all > MAX_CPUS) throw p.error(`${all} CPUs are too many: use up to ${MAX_CPUS}`);
  once(d, 'smp', text);
  d.cpus = total;
  d.topology = { sockets: s, cores: c, threads: t };
}

/** A number without a unit is in MiB. @throws UsageError */
export function memory(d: Draft, text: string): void {
  const p = new Properties('-m', text, 'size');
  const size = p.size('size', MIB);
  const [slots, most] = [p.integer('slots', 0, 256), p.size('maxmem', MIB)];
  p.done();
  if ((slots ?? 0) > 0 || (most !== undefined && most !== (size ?? most)))
    throw p.error('memory cannot be added while the machine runs: leave slots= and maxmem= out');
  once(d, 'm', text);
  if (size === undefined) return;
  parseMemory(`${size}`, 'qemu: -m');
  d.memory = size;
}
