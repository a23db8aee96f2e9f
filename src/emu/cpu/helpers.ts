/**
 * Operations that instructions call in TypeScript: everything that works on CSRs, TLBs, worlds or devices.
 * Arguments and result travel through the scratch slots of the CPU state (docs/ARCHITECTURE.md, "Helpers").
 * The result of a helper says how the block continues, see {@link After}.
 */
// biome-ignore format: one list, many lines
export const HELPERS = [
  'raise', 'outOfBounds', 'crc', 'cpucfg', 'rdtime', 'csrrd', 'csrwr', 'csrxchg', 'gcsrrd', 'gcsrwr', 'gcsrxchg', 'iocsrrd',
  'iocsrwr', 'tlbsrch', 'tlbrd', 'tlbwr', 'tlbfill', 'tlbclr', 'tlbflush', 'gtlbsrch', 'gtlbrd', 'gtlbwr', 'gtlbfill',
  'gtlbclr', 'gtlbflush', 'invtlb', 'lddir', 'ldpte', 'idle', 'cacop', 'hvcl', 'dbcl', 'ibar', 'loadSlow',
  'storeSlow', 'linearSlow', 'loadVectorSlow', 'storeVectorSlow', 'fetchSlow', 'emitOwn', 'fpu', 'vectorFpu', 'vldi', 'fcsrrd', 'fcsrwr', 'unitDisabled', 'decode', 'breakpoint', 'hot',
  'modeChanged', 'leaveGuest', 'enterGuest', 'entered', 'delivered',
] as const;

export type HelperName = (typeof HELPERS)[number];

/**
 * Emitted code of the CPU model (isa/entry-return.ts, mmu/resolve.ts, mmu/refill-routines.ts). `ertn` is an instruction, and its result is like that of a
 * helper.
 */
// biome-ignore format: one list, many lines
export const ROUTINES = [
  'enterException', 'raisePlain', 'raiseRefill', 'writeQuietly', 'exchangeQuietly', 'ertn', 'interruptDue', 'findEntry', 'resolve', 'readPgd', 'walkDirectory', 'walkPage',
] as const;
export type RoutineName = (typeof ROUTINES)[number];

/** The answer of a routine that leaves an instruction to its helper. No helper answers so. */
export const ASK_HELPER = -1;

/** The operations that instructions call. */
export type Callee = HelperName | 'ertn';

/** The result of a helper: how the running block continues. */
export const After = {
  /** Go on with the same instruction. */
  next: 0,
  /** Leave; the instruction has not been executed (an exception or a stop is pending). */
  notExecuted: 1,
  /** Leave after the instruction; execution continues at the next one. */
  leave: 2,
  /** Leave; the instruction is executed and the helper has set PC. */
  jumped: 3,
  /** Like `jumped`, but generated code may continue there itself, because no timer or interrupt is due. */
  arrived: 5,
  /** Like `leave`, but generated code may continue itself, because no timer or interrupt is due. Address translation may have changed. */
  goOn: 6,
} as const;
export type AfterValue = (typeof After)[keyof typeof After];
