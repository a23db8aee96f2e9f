/**
 * What a hypervisor must do, step by step of the world switch, and how each omission is recognised. This table is the only one:
 * explanations, remarks on CSRs, and docs/explain.md come from it.
 */
import type { CSR } from '../../cpu/csr-table.ts';
import * as guest from './guest-checks.ts';
import type { Moment } from './moment.ts';
import * as own from './own-entries.ts';
import * as returns from './return-checks.ts';
import * as stage2 from './stage2-checks.ts';
import * as tables from './table-checks.ts';
import * as values from './values.ts';
import * as vectors from './vector-checks.ts';
import * as worlds from './world-checks.ts';

/** The steps of the world switch, in their order. */
export const STEPS = ['enable', 'map', 'enter', 'exit', 'refill', 'change', 'interrupt', 'guest'] as const;

export interface Rule {
  readonly id: string;
  readonly step: (typeof STEPS)[number];
  /** The section that says it: of docs/lvz.md, or of the manual's first volume. */
  readonly section: string;
  /** The CSRs that it is about. */
  readonly csrs: readonly (keyof typeof CSR)[];
  /** What must be done. */
  readonly must: string;
  /** Says how the rule is broken at a moment; undefined when it is not. Rules without one are checked at world switches. */
  readonly broken?: (m: Moment) => string | undefined;
  /** Says how values alone break the rule, and when they do: at any time, once a guest has been entered, or in the host again. */
  readonly value?: {
    readonly at: 'always' | 'entered' | 'host';
    readonly wrong: (v: values.Values) => string | undefined;
  };
  /** When it is broken, other rules that seem to be broken follow from it. */
  readonly explainsOthers?: boolean;
}

export const RULES = [
  {
    id: 'vector-written',
    step: 'enable',
    section: 'Vol. 1, 7.4.10',
    csrs: ['EENTRY', 'TLBRENTRY'],
    must: 'write EENTRY and TLBRENTRY before the first exception',
    broken: vectors.neverWritten,
    value: { at: 'entered', wrong: values.vectorUnset },
  },
  {
    id: 'vector-aligned',
    step: 'enable',
    section: 'Vol. 1, 7.4.10',
    csrs: ['EENTRY', 'TLBRENTRY'],
    must: 'align handlers to 4 KiB: EENTRY and TLBRENTRY drop bits 11:0',
    broken: vectors.bitsDropped,
    value: { at: 'always', wrong: values.vectorUnaligned },
  },
  {
    id: 'refill-physical',
    step: 'enable',
    section: 'Vol. 1, 7.5.11',
    csrs: ['TLBRENTRY'],
    must: 'give TLBRENTRY a physical address: refill handlers run in direct address mode',
    broken: vectors.refillNotPhysical,
    value: { at: 'always', wrong: values.refillNowhere },
  },
  {
    id: 'vector-mapped',
    step: 'enable',
    section: 'Vol. 1, 7.4.10',
    csrs: ['EENTRY', 'DMW0', 'DMW1'],
    must: 'give EENTRY an address that a page or a window maps at PLV0',
    broken: vectors.vectorNotMapped,
  },
  {
    id: 'window',
    step: 'enable',
    section: 'Vol. 1, 7.5.18',
    csrs: ['DMW0', 'DMW1', 'DMW2', 'DMW3'],
    must: 'set up the windows of the addresses 0x8… to 0xf… that are used, open to PLV0',
    broken: vectors.noWindow,
    value: { at: 'always', wrong: values.closedWindow },
    explainsOthers: true,
  },
  {
    id: 'vector-spacing',
    step: 'enable',
    section: 'Vol. 1, 7.4.5',
    csrs: ['ECFG', 'EENTRY'],
    must: 'set ECFG.VS to the spacing of the vectors, and to 0 when one handler serves all causes',
    broken: vectors.spacing,
    explainsOthers: true,
  },
  {
    id: 'paging-on',
    step: 'enable',
    section: 'Recipes, Once on each CPU',
    csrs: ['CRMD', 'DMW0', 'DMW1'],
    must: 'set CRMD.PG where PC itself is mapped, or change PC and mode together by a return',
    broken: worlds.pagingTooEarly,
    explainsOthers: true,
  },
  {
    id: 'paging-kept',
    step: 'enable',
    section: 'Guest bank',
    csrs: ['CRMD'],
    must: 'leave the CRMD of the host alone where its PC is mapped: the mode of a guest is in the guest’s CRMD',
    broken: returns.pagingOff,
    explainsOthers: true,
  },
  {
    id: 'return-address',
    step: 'enable',
    section: 'Vol. 1, 6.3.3',
    csrs: ['ERA', 'TLBRERA', 'GSTAT'],
    must: 'write ERA before an ertn; TLBRERA with IsTLBR = 1 before one that returns as a refill does; GSTAT.PGM before one that enters a guest',
    broken: returns.returnedNowhere,
    explainsOthers: true,
  },
  {
    id: 'root-written',
    step: 'enable',
    section: 'Vol. 1, 7.5.5',
    csrs: ['PGDL', 'PGDH'],
    must: 'write PGDL and PGDH before addresses of that half are used',
    broken: vectors.rootNeverWritten,
  },
  {
    id: 'walk-geometry',
    step: 'map',
    section: 'Vol. 1, 7.5.8',
    csrs: ['PWCL', 'PWCH'],
    must: 'describe every level of the tables before the first walk, without gaps: each level begins where the one below ends',
    broken: tables.geometry,
    value: { at: 'always', wrong: values.levelGap },
    explainsOthers: true,
  },
  {
    id: 'stage2-root',
    step: 'map',
    section: 'Recipes, Entry',
    csrs: ['PGDL'],
    must: 'put the root of the VM’s stage-2 table into PGDL before the entry',
    broken: stage2.wrongRoot,
    explainsOthers: true,
  },
  {
    id: 'stage2-entry',
    step: 'map',
    section: 'Address translation',
    csrs: ['PGDL'],
    must: 'map guest RAM with valid entries that lead to RAM',
    broken: stage2.badEntry,
  },
  {
    id: 'image-loaded',
    step: 'map',
    section: 'Address translation',
    csrs: ['PGDL', 'PGDH', 'PWCL'],
    must: 'map pages to the frames that hold the image',
    broken: stage2.nothingThere,
    explainsOthers: true,
  },
  {
    id: 'pgm-set',
    step: 'enter',
    section: 'Guest entry',
    csrs: ['GSTAT'],
    must: 'set GSTAT.PGM before the ertn that enters the guest',
    broken: worlds.pgmNotSet,
    explainsOthers: true,
  },
  {
    id: 'gid',
    step: 'enter',
    section: 'Recipes, Entry',
    csrs: ['GSTAT'],
    must: 'give a guest a GID that is not 0: 0 is the host’s',
    broken: worlds.gidZero,
    value: { at: 'entered', wrong: values.gidZero },
  },
  {
    id: 'tgid-gid',
    step: 'enter',
    section: 'Address translation',
    csrs: ['GTLBC', 'GSTAT'],
    must: 'set GTLBC.TGID to the GID of the guest before the entry',
    broken: stage2.otherTgid,
    value: { at: 'entered', wrong: values.otherTgid },
  },
  {
    id: 'entry-pc',
    step: 'enter',
    section: 'Recipes, Entry',
    csrs: ['ERA'],
    must: 'put the guest’s PC, an address of the guest, into ERA',
    broken: worlds.entryPc,
  },
  {
    id: 'entry-mode',
    step: 'enter',
    section: 'Guest bank',
    csrs: ['CRMD'],
    must: 'give a vCPU CRMD with DA or PG, not both and not neither: it begins with DA = 1',
    broken: worlds.entryMode,
    value: { at: 'entered', wrong: values.noMode },
    explainsOthers: true,
  },
  {
    id: 'host-return',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: ['ERA', 'GSTAT'],
    must: 'write ERA before a return of the host itself: after an exit it holds the guest’s PC',
    broken: worlds.returnedToGuestPc,
  },
  {
    id: 'pgm-cleared',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: ['GSTAT'],
    must: 'clear GSTAT.PGM at the exit: with it, each ertn of the host goes into the guest',
    broken: worlds.pgmNotCleared,
    value: { at: 'host', wrong: values.pgmLeft },
    explainsOthers: true,
  },
  {
    id: 'host-interrupts',
    step: 'enter',
    section: 'Recipes, Entry',
    csrs: ['PRMD'],
    must: 'set PRMD.PIE before the entry, so that interrupts of the host exit',
    value: { at: 'entered', wrong: values.interruptsOff },
  },
  {
    id: 'guest-registers',
    step: 'enter',
    section: 'Recipes, Exit',
    csrs: [],
    must: 'give the guest every general register back as it was',
  },
  {
    id: 'exit-interrupts',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: ['CRMD', 'GSTAT'],
    must: 'keep interrupts off in the exit path, until the guest’s registers are saved and GSTAT.PGM is cleared',
    broken: returns.interruptedExit,
    explainsOthers: true,
  },
  {
    id: 'host-registers',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: [],
    must: 'give the host its own registers back before its code goes on',
    broken: worlds.lostHostRegister,
  },
  {
    id: 'host-pointer',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: [],
    must: 'keep the context pointer where nothing else writes: a refill uses TLBRSAVE',
    broken: worlds.lostRegister,
  },
  {
    id: 'gpa-register',
    step: 'exit',
    section: 'Guest exit',
    csrs: ['BADV', 'TLBRBADV'],
    must: 'read the GPA of a fault from BADV, and that of a refill from TLBRBADV',
  },
  {
    id: 'instruction-register',
    step: 'exit',
    section: 'Guest exit',
    csrs: ['BADI', 'BADV'],
    must: 'take the instruction of a GSPR exit from BADI, and the address of a fault from BADV',
  },
  {
    id: 'skip',
    step: 'exit',
    section: 'Recipes, Skipping',
    csrs: ['ERA'],
    must: 'add 4 to PC after hvcl, GSPR and emulated device accesses',
    broken: worlds.notSkipped,
  },
  {
    id: 'skip-once',
    step: 'exit',
    section: 'Recipes, Skipping',
    csrs: ['ERA'],
    must: 'add 4 to PC once for an instruction that was emulated',
  },
  {
    id: 'no-skip-after-repair',
    step: 'exit',
    section: 'Recipes, Skipping',
    csrs: ['ERA'],
    must: 'leave PC alone after a stage-2 fault that was repaired',
  },
  {
    id: 'tgid-cleared',
    step: 'exit',
    section: 'Recipes, Exit',
    csrs: ['GTLBC'],
    must: 'set GTLBC.TGID last before the entry, and clear it first at the exit: host refills with TGID fill the guest’s entries',
    broken: worlds.tgidInHost,
    value: { at: 'host', wrong: values.tgidLeft },
    explainsOthers: true,
  },
  {
    id: 'refill-returns',
    step: 'refill',
    section: 'Vol. 1, 6.3.4',
    csrs: ['TLBRERA', 'CRMD'],
    must: 'leave a refill handler by ertn alone: until then CRMD.DA is 1',
    broken: worlds.leftRefill,
    explainsOthers: true,
  },
  {
    id: 'refill-pgm',
    step: 'refill',
    section: 'Guest entry',
    csrs: ['TLBRPRMD'],
    must: 'leave TLBRPRMD.PGM as the refill has set it: its ertn returns to the guest by it',
    broken: worlds.refillPgmLost,
    explainsOthers: true,
  },
  {
    id: 'refill-fills',
    step: 'refill',
    section: 'Vol. 1, 6.3.4',
    csrs: ['TLBRELO0', 'TLBRELO1'],
    must: 'fill both pages of the entry as the table has them, and execute tlbfill',
    broken: stage2.wrongFill,
    explainsOthers: true,
  },
  {
    id: 'fill-asid',
    step: 'refill',
    section: 'Vol. 1, 7.5.4',
    csrs: ['ASID', 'TLBREHI'],
    must: 'leave ASID and TLBREHI as they are from the miss to its tlbfill',
    broken: own.filledOtherwise,
    explainsOthers: true,
  },
  {
    id: 'gid-shared',
    step: 'change',
    section: 'Address translation',
    csrs: ['GSTAT', 'GTLBC'],
    must: 'give each VM a GID of its own, or invalidate the GID before another VM gets it',
    broken: stage2.sharedGid,
  },
  {
    id: 'invtlb',
    step: 'change',
    section: 'Recipes, Changing stage 2',
    csrs: [],
    must: 'invalidate the entry after each change of the table: invtlb 0x16 with the GID in rj[23:16]',
    broken: stage2.stale,
  },
  {
    id: 'invtlb-own',
    step: 'change',
    section: 'Vol. 1, 4.2.4.7',
    csrs: ['ASID'],
    must: 'invalidate the entry after each change of a world’s own table: invtlb 5 needs the ASID of the entry and leaves those with G = 1, invtlb 6 meets both',
    broken: own.stale,
    explainsOthers: true,
  },
  {
    id: 'injection',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['ERA', 'ESTAT', 'EENTRY'],
    must: 'inject an exception only into a guest that has a vector for it, and for a cause that is the guest’s',
    broken: guest.injectedNowhere,
  },
  {
    id: 'injection-pc',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['ERA', 'ESTAT'],
    must: 'write the guest’s PC to its ERA when an exception is injected: its handler returns there',
    explainsOthers: true,
  },
  {
    id: 'line-enabled',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['GINTC', 'ECFG'],
    must: 'inject the line that the guest has enabled, by GINTC.HWIS: ESTAT.IS[9:2] of the guest cannot be written',
    broken: guest.otherLine,
  },
  {
    id: 'acknowledge',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['TICLR', 'GINTC', 'ESTAT'],
    must: 'acknowledge an interrupt, so that it falls',
    broken: guest.storm,
  },
  {
    id: 'wake',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['ECFG', 'TCFG'],
    must: 'enable what ends an idle before it',
    broken: guest.cannotWake,
  },
  {
    id: 'progress',
    step: 'interrupt',
    section: 'Interrupts and time',
    csrs: ['CRMD', 'ECFG'],
    must: 'wait only for what can come: an interrupt that is enabled, a device that has not refused, another CPU that runs',
  },
  {
    id: 'exception-return',
    step: 'guest',
    section: 'Vol. 1, 6.3.3',
    csrs: ['ERA'],
    must: 'advance ERA after a system call or break, or repair the cause of a fault, before the return',
    broken: guest.sameAgain,
  },
  {
    id: 'unit-enabled',
    step: 'guest',
    section: 'Vol. 1, 7.4.3',
    csrs: ['EUEN'],
    must: 'enable a unit in EUEN when it is used for the first time',
    broken: guest.unitDisabled,
  },
  {
    id: 'handler-stack',
    step: 'guest',
    section: 'Vol. 1, 6.3.3',
    csrs: [],
    must: 'have the code of the handler at the vector, and a stack for it that is mapped',
    broken: guest.handlerFaults,
  },
  {
    id: 'guest-pointer',
    step: 'guest',
    section: 'Vol. 1, 6.3.3',
    csrs: ['ERA'],
    must: 'use only pointers and return addresses that lead somewhere',
    broken: worlds.lostInGuest,
  },
  {
    id: 'guest-died',
    step: 'guest',
    section: 'Vol. 1, 6.3.3',
    csrs: [],
    must: 'raise no exception that its own handler gives up on',
    broken: guest.died,
  },
] as const satisfies readonly Rule[];

export type RuleId = (typeof RULES)[number]['id'];

const byId = new Map<string, Rule>(RULES.map((r) => [r.id, r]));

export const ruleOf = (id: RuleId): Rule => byId.get(id)!;
