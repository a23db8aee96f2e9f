/** The kinds of lines of `--log`. */
export const LOG_KINDS = {
  exit: 'exits of guests, and entries',
  exception: 'exceptions and interrupts that a world takes itself',
  tlb: 'what fills and invalidates TLBs, at which instruction',
  csr: 'writes of CSRs, of the own ones and of the guest’s: old and new value',
  mmio: 'accesses to registers of devices',
  irq: 'interrupts: taken by a world, and given to a guest by its host',
  insn: 'every instruction before it is executed; two hundred times slower',
  gdb: 'packets of the gdb protocol',
  device: 'what the model of a device leaves out, each kind once',
} as const satisfies Readonly<Record<string, string>>;
export type LogKind = keyof typeof LOG_KINDS;

export const isLogKind = (text: string): text is LogKind => Object.hasOwn(LOG_KINDS, text);
/** As messages list them. */
export const LOG_KIND_NAMES = Object.keys(LOG_KINDS).join(', ');
