/**
 * Virtual machines, as a debugger tells them apart. A VM is found by what stays the same while it lives: the root of its
 * stage-2 table, which the host has in PGDL when it enters the guest. The GID is an attribute: a hypervisor may give a VM
 * another one on each CPU and at each entry (as Linux KVM does), and give it to another VM later.
 */
import type { Cpu } from '../cpu/cpu.ts';
import { CRMD, GSTAT, lowestBit, PWCH, PWCL } from '../cpu/csr-fields.ts';
import { CSR, CSRS } from '../cpu/csr-table.ts';
import type { Ram } from '../memory/ram.ts';
import type { Fields, Stateful, Wiring } from '../state/fields.ts';
import { isBigint, isEvery, isMapOfNames, isNumber, isObjectWith, isSwitch, isText } from '../state/state-check.ts';

export interface Vm {
  /** From 1, in the order of the first entries. */
  readonly number: number;
  /** What identifies it: the value of the {@link VmKey} when it was entered. */
  readonly key: string;
  /** Physical address of its stage-2 table, and the GID that it had at the last entry. */
  root: bigint;
  gid: number;
  /** Tick of the first entry. */
  readonly since: number;
  /** Has its table no directories? Then its entries are pages, with low bits of their own. */
  flat: boolean;
  /** Has anything been seen in its stage-2 table? */
  mapped: boolean;
  /** It was seen to have ended, and was not entered since. Its page may hold another table by now. */
  gone: boolean;
  /** Another VM uses its stage-2 table. {@link Vms.hasEnded} knows more. */
  ended: boolean;
}

const isVm = isObjectWith({
  ...{ number: isNumber, key: isText, root: isBigint, gid: isNumber, since: isNumber },
  ...{ flat: isSwitch, mapped: isSwitch, gone: isSwitch, ended: isSwitch },
});

/** What identifies a VM at its entry. */
export type VmKey =
  | { readonly kind: 'root' }
  | { readonly kind: 'gid' }
  | { readonly kind: 'csr'; readonly num: number }
  | { readonly kind: 'gpr'; readonly num: number };

/** Reads `root`, `gid`, `csr:NAME` or `gpr:NUMBER`. @throws Error naming what is possible */
export function parseVmKey(text: string): VmKey {
  if (text === 'root' || text === 'gid') return { kind: text };
  const m = /^(csr|gpr):(\w+)$/i.exec(text);
  const num = m && (m[1] === 'gpr' ? Number(m[2]!.replace(/^r/i, '')) : csrNumber(m[2]!));
  if (typeof num !== 'number' || Number.isNaN(num) || (m![1] === 'gpr' && num > 31))
    throw new Error(`'${text}' is no key of a VM: use root, gid, csr:NAME or gpr:0 to gpr:31`);
  return { kind: m![1] as 'csr' | 'gpr', num };
}

const csrNumber = (name: string): number | undefined =>
  CSRS.find((c) => c.name.toLowerCase() === name.toLowerCase())?.num;

export function vmKeyText(key: VmKey): string {
  if (key.kind === 'csr') return `csr:${CSRS.find((c) => c.num === key.num)!.name.toLowerCase()}`;
  return key.kind === 'gpr' ? `gpr:${key.num}` : key.kind;
}

/** A GID of a VM on one CPU, from an entry on. */
interface Tenure {
  readonly vm: number;
  /** Tick of the entry. */
  readonly since: number;
}

/** Most VMs that are kept. A faulty hypervisor may use ever new tables. */
const MOST_VMS = 4096;
/** How many GIDs there are. */
const GIDS = (GSTAT.GID >>> lowestBit(GSTAT.GID)) + 1;
/** Most tenures of a GID on one CPU that are kept, the newest. */
const MOST_TENURES = 256;
/** The bits of PGDL that a walk uses: hvisor writes a virtual address there, whose upper bits name a window. */
const ROOT_ADDRESS = 0xffff_ffff_f000n;
/** Bytes of a stage-2 root that are looked at: the smallest page. A larger table has the low addresses in them. */
const ROOT_BYTES = 0x1000;
/** In a table of addresses, low bits are 0 unless the entry is a huge page. */
const LOW_BITS = 0xfff;
const HUGE = 0x40;
/** The widths of directories, in PWCL and PWCH. */
const DIRECTORIES = { low: PWCL.Dir1_width | PWCL.Dir2_width, high: PWCH.Dir3_width | PWCH.Dir4_width } as const;
/** A guest that begins is in direct address mode and has no vector yet. */
const DA_PG = CRMD.DA | CRMD.PG;

/** Do observers, as they were saved, know a guest? */
export const hasGuests = (observers: readonly Fields[]): boolean =>
  observers.some(({ list }) => Array.isArray(list) && list.length > 0);

export class Vms implements Stateful {
  readonly stateFields = ['list', 'byKey', 'tenures'];
  readonly sharedFields = ['tenures'];
  readonly stateChecks = {
    list: isEvery(isVm),
    byKey: isMapOfNames(isNumber),
    tenures: isMapOfNames(isEvery(isObjectWith({ vm: isNumber, since: isNumber }))),
  };
  static readonly wiring: Wiring = {
    key: 'chosen by the user',
    ram: 'the machine',
    places: 'texts that are made once',
    named: 'a text that is made once',
  };
  key: VmKey = { kind: 'root' };
  private readonly list: Vm[] = [];
  /** The number of the VM that a key means now. */
  private readonly byKey = new Map<string, number>();
  /** By `CPU:GID`. A list never changes: another one takes its place. */
  private readonly tenures = new Map<string, readonly Tenure[]>();
  private readonly ram: Ram;
  /** `CPU:GID`, by both. */
  private readonly places: string[] = [];
  /** The last key that is the address of a table. */
  private named = { root: -1n, key: '' };

  constructor(ram: Ram) {
    this.ram = ram;
  }

  private place(cpu: number, gid: number): string {
    return (this.places[cpu * GIDS + gid] ??= `${cpu}:${gid}`);
  }

  /** From now on the events of these CPUs have the numbers of VMs. */
  number(cpus: readonly Cpu[]): void {
    for (const cpu of cpus) {
      cpu.events.numbered = true;
      cpu.events.vmOf = (gid, time) => this.of(cpu.index, gid, time);
      cpu.events.gidOf = (vm) => this.gidOn(cpu.index, vm);
    }
  }

  /** Call when a CPU has entered guest mode. @returns the VM, and whether it had never been entered before */
  enter(cpu: Cpu): { readonly vm: Vm; readonly first: boolean } {
    const root = cpu.host.get(CSR.PGDL) & ROOT_ADDRESS;
    const key = this.keyOf(cpu, root);
    const number = this.byKey.get(key);
    let vm = number === undefined ? undefined : this.list[number - 1];
    // The hypervisor has ended the VM, and uses the memory of its table for another one.
    if (vm?.mapped && begins(cpu) && this.isEmpty(root)) vm.ended = true;
    const first = !vm || vm.ended;
    if (!vm || vm.ended) {
      if (this.list.length >= MOST_VMS) return { vm: this.list[0]!, first: false };
      vm = {
        number: this.list.length + 1,
        key,
        root,
        gid: cpu.gid,
        since: cpu.now,
        flat: false,
        mapped: false,
        gone: false,
        ended: false,
      };
      this.list.push(vm);
      this.byKey.set(key, vm.number);
    }
    vm.root = root;
    vm.gid = cpu.gid;
    vm.flat = isFlat(cpu);
    vm.gone = false;
    if (!vm.mapped && root !== 0n) vm.mapped = !this.isEmpty(root);
    this.tenure(cpu, vm.number);
    return { vm, first };
  }

  private keyOf(cpu: Cpu, root: bigint): string {
    const { key } = this;
    // A hypervisor without a table, for example one that writes TLB entries itself.
    if (key.kind === 'gid' || (key.kind === 'root' && root === 0n)) return `gid ${cpu.gid}`;
    if (key.kind === 'root') {
      if (this.named.root !== root) this.named = { root, key: `root ${root}` };
      return this.named.key;
    }
    return `${key.kind} ${key.kind === 'csr' ? cpu.host.get(key.num) : cpu.gpr(key.num)}`;
  }

  private tenure(cpu: Cpu, vm: number): void {
    const place = this.place(cpu.index, cpu.gid);
    const list = this.tenures.get(place) ?? [];
    if (list.at(-1)?.vm === vm) return;
    const tenure = { vm, since: cpu.events.lastEntry()?.time ?? cpu.now };
    this.tenures.set(place, [...list.slice(1 - MOST_TENURES), tenure]);
  }

  /** The VM that had a GID on a CPU at a tick. The GID itself, when it was never entered there. */
  private of(cpu: number, gid: number, time: number): number {
    const list = this.tenures.get(this.place(cpu, gid));
    if (!list) return this.byGid(gid)?.number ?? gid;
    for (let n = list.length - 1; n > 0; n--) if (list[n]!.since <= time) return list[n]!.vm;
    return list[0]!.vm;
  }

  /** The GID that a VM had last on a CPU. */
  private gidOn(cpu: number, vm: number): number {
    for (const [place, list] of this.tenures)
      if (list.at(-1)!.vm === vm && place.startsWith(`${cpu}:`)) return Number(place.slice(place.indexOf(':') + 1));
    return this.get(vm)?.gid ?? vm;
  }

  /** Words of the table, by halves: low, high, low, … */
  private words(root: bigint): Uint32Array {
    return new Uint32Array(this.ram.read(Number(root & ROOT_ADDRESS), ROOT_BYTES).slice().buffer);
  }

  /** Has the table no entry? All of its words are 0, or the address of a table without entries (Linux: pgd_init). */
  private isEmpty(root: bigint): boolean {
    const words = this.words(root);
    return words.every((w, n) => w === words[n & 1]);
  }

  /**
   * Has a VM ended? Its stage-2 table is another VM's now, or it has lost all its entries, or something else is where it was:
   * a hypervisor tells nobody when it frees a table, but it unmaps everything before.
   * @param runs does a CPU execute it?
   */
  hasEnded(vm: Vm, runs: boolean): boolean {
    if (vm.ended || vm.gone) return true;
    if (!runs && vm.mapped) vm.gone = this.isGone(vm);
    return vm.gone;
  }

  private isGone(vm: Vm): boolean {
    const words = this.words(vm.root);
    if (words.length === 0 || this.isEmpty(vm.root)) return true;
    if (vm.flat) return false;
    const odd = words.filter((w, n) => n % 2 === 0 && (w & LOW_BITS) !== 0 && (w & HUGE) === 0).length;
    return odd > words.length / 8;
  }

  get(number: number): Vm | undefined {
    return this.list[number - 1];
  }

  /** The VM that has a GID now, or had it last. */
  byGid(gid: number): Vm | undefined {
    return this.list.findLast((v) => v.gid === gid && !v.ended) ?? this.list.findLast((v) => v.gid === gid);
  }

  /** All VMs that have been entered, those that have ended too. */
  all(): readonly Vm[] {
    return this.list;
  }

  clear(): void {
    this.list.length = 0;
    this.byKey.clear();
    this.tenures.clear();
  }
}

/** Does the host walk one table only? */
function isFlat(cpu: Cpu): boolean {
  const low = cpu.host.lo(CSR.PWCL);
  return (
    (low & PWCL.PTwidth) !== 0 && (low & DIRECTORIES.low) === 0 && (cpu.host.lo(CSR.PWCH) & DIRECTORIES.high) === 0
  );
}

const begins = (cpu: Cpu): boolean =>
  (cpu.guest.lo(CSR.CRMD) & DA_PG) === CRMD.DA && cpu.guest.lo(CSR.EENTRY) === 0 && cpu.guest.hi(CSR.EENTRY) === 0;

/** `VM 1`, or `guest gid 1` where VMs are not numbered, or `the host`. */
export const worldName = ({ events }: Cpu, world: number): string =>
  world < 0 ? 'the host' : events.numbered ? `VM ${world}` : `guest gid ${world}`;
