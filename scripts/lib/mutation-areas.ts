/** Where a mutation run makes its mistakes (scripts/mutate), and which tests ought to notice. */

export interface Area {
  readonly sources: readonly string[];
  /** Test files that serve them, quick ones first. */
  readonly tests: readonly string[];
}

/** The areas by name. Patterns are below the project's folder. */
export const AREAS: Readonly<Record<string, Area>> = {
  lvz: {
    sources: [
      'src/emu/cpu/world.ts',
      'src/emu/isa/entry-return.ts',
      'src/emu/cpu/exceptions.ts',
      'src/emu/cpu/interrupts.ts',
      'src/emu/cpu/csr-access.ts',
    ],
    tests: ['test/lvz', 'test/cpu', 'test/conformance'],
  },
  mmu: {
    sources: ['src/emu/mmu/*.ts', 'src/emu/tlb/*.ts'],
    tests: ['test/mmu', 'test/lvz', 'test/cpu', 'test/conformance'],
  },
  cpu: {
    sources: ['src/emu/cpu/*.ts'],
    tests: ['test/cpu', 'test/lvz', 'test/conformance', 'test/replay/snapshot.test.ts'],
  },
  devices: {
    sources: ['src/emu/devices/**/*.ts', 'src/emu/board/platform.ts', 'src/emu/boot/acpi/*.ts', 'src/emu/formats/*.ts'],
    tests: ['test/board', 'test/replay/completeness.test.ts'],
  },
  gdbstub: {
    sources: ['src/gdbstub/*.ts', 'src/gdbstub/packets/*.ts'],
    tests: [
      'test/gdb/framing.test.ts',
      'test/gdb/session.test.ts',
      'test/gdb/packets.test.ts',
      'test/gdb/robustness.test.ts',
    ],
  },
  engine: {
    sources: ['src/emu/engine/*.ts', 'src/emu/engine/translator/*.ts'],
    tests: ['test/engine', 'test/isa/semantics.test.ts', 'test/conformance'],
  },
};
