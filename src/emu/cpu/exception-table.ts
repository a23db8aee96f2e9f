/**
 * Exceptions of the architecture, declared once: Ecode, EsubCode, name and a phrase for people
 * (LoongArch Reference Manual Vol. 1, table of exception codes; GSPR, HVC, GCSC, GCHC belong to LVZ).
 */
export interface ExceptionRow {
  readonly name: string;
  readonly ecode: number;
  readonly esub: number;
  readonly text: string;
}

export const EXCEPTIONS = [
  { name: 'INT', ecode: 0x00, esub: 0, text: 'interrupt' },
  { name: 'PIL', ecode: 0x01, esub: 0, text: 'page invalid for load' },
  { name: 'PIS', ecode: 0x02, esub: 0, text: 'page invalid for store' },
  { name: 'PIF', ecode: 0x03, esub: 0, text: 'page invalid for fetch' },
  { name: 'PME', ecode: 0x04, esub: 0, text: 'page modification: store to a clean page' },
  { name: 'PNR', ecode: 0x05, esub: 0, text: 'page not readable' },
  { name: 'PNX', ecode: 0x06, esub: 0, text: 'page not executable' },
  { name: 'PPI', ecode: 0x07, esub: 0, text: 'page privilege level illegal' },
  { name: 'ADEF', ecode: 0x08, esub: 0, text: 'address error on fetch' },
  { name: 'ADEM', ecode: 0x08, esub: 1, text: 'address error on memory access' },
  { name: 'ALE', ecode: 0x09, esub: 0, text: 'address not aligned' },
  { name: 'BCE', ecode: 0x0a, esub: 0, text: 'bound check failed' },
  { name: 'SYS', ecode: 0x0b, esub: 0, text: 'system call' },
  { name: 'BRK', ecode: 0x0c, esub: 0, text: 'breakpoint instruction' },
  { name: 'INE', ecode: 0x0d, esub: 0, text: 'instruction does not exist' },
  { name: 'IPE', ecode: 0x0e, esub: 0, text: 'instruction needs a higher privilege level' },
  { name: 'FPD', ecode: 0x0f, esub: 0, text: 'floating point disabled' },
  { name: 'SXD', ecode: 0x10, esub: 0, text: 'LSX disabled' },
  { name: 'ASXD', ecode: 0x11, esub: 0, text: 'LASX disabled' },
  { name: 'FPE', ecode: 0x12, esub: 0, text: 'floating-point exception' },
  { name: 'WPEF', ecode: 0x13, esub: 0, text: 'fetch watchpoint' },
  { name: 'WPEM', ecode: 0x13, esub: 1, text: 'load/store watchpoint' },
  { name: 'BTD', ecode: 0x14, esub: 0, text: 'binary translation disabled' },
  { name: 'BTE', ecode: 0x15, esub: 0, text: 'binary translation exception' },
  { name: 'GSPR', ecode: 0x16, esub: 0, text: 'guest touched a privileged or sensitive resource' },
  { name: 'HVC', ecode: 0x17, esub: 0, text: 'hypercall' },
  { name: 'GCSC', ecode: 0x18, esub: 0, text: 'guest CSR changed by guest software' },
  { name: 'GCHC', ecode: 0x18, esub: 1, text: 'guest CSR changed by hardware' },
  { name: 'TLBR', ecode: 0x3f, esub: 0, text: 'TLB refill' },
] as const satisfies readonly ExceptionRow[];

export type ExceptionName = (typeof EXCEPTIONS)[number]['name'];

const byName = new Map<string, ExceptionRow>(EXCEPTIONS.map((e) => [e.name, e]));

/** The row of an exception name (case as in the manual). */
export function exceptionByName(name: ExceptionName): ExceptionRow {
  return byName.get(name)!;
}

const codes = new Map(EXCEPTIONS.map((e): [ExceptionName, number] => [e.name, e.ecode | (e.esub << 6)]));

/** Ecode and EsubCode of an exception, as they lie in ESTAT 30:16. */
export const codeOf = (name: ExceptionName): number => codes.get(name)!;

/** The Ecode of an exception. */
export const ecodeOf = (name: ExceptionName): number => exceptionByName(name).ecode;

/** The row that ESTAT.Ecode and EsubCode name, or undefined for reserved codes. */
export function exceptionByCode(ecode: number, esub: number): ExceptionRow | undefined {
  return EXCEPTIONS.find((e) => e.ecode === ecode && e.esub === esub) ?? EXCEPTIONS.find((e) => e.ecode === ecode);
}
