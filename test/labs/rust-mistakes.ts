/** Mistakes of students who write the labs in Rust: they lead to the same hints as those in C. */
import { STUDENT_MISTAKES, type StudentMistake } from './mistakes.ts';

/** The assembly is the same: some mistakes of it are made beside a program in Rust, too. */
const IN_ASSEMBLY: ReadonlySet<string> = new Set([
  'PGM is not set',
  'the host does not fill the odd page',
  'the guest has no tlbfill',
  'the guest stays in direct address mode',
]);

export const RUST_MISTAKES: readonly StudentMistake[] = [
  {
    lab: 'h1',
    mistake: 'the version is not cut out',
    ...{ file: 'main.rs', from: '>> CPUCFG2_LVZ_VERSION & 7', to: '>> CPUCFG2_LVZ_VERSION' },
    hint: /step 1, detect LVZ: Hole 1 of main\.rs/,
  },
  {
    lab: 'h1',
    mistake: 'host mode does not set USETGID',
    ...{ file: 'main.rs', from: 'GTLBC, GTLBC_USETGID, GTLBC_USETGID |', to: 'GTLBC, 0, GTLBC_USETGID |' },
    hint: /step 2, host mode: .*hole 2 of main\.rs/,
    cause: /GTLBC\.USETGID is not 1/,
  },
  {
    lab: 'h1',
    mistake: 'the guest has no mode',
    ...{ file: 'main.rs', from: 'gcsr_write(CRMD, CRMD_DA);', to: 'gcsr_write(CRMD, 0);' },
    hint: /step 4, the context: Hole 3 of main\.rs.*DA = 1/,
    cause: /the guest’s CRMD\.DA is not 1/,
  },
  {
    lab: 'h1',
    mistake: 'PC stays on the hvcl',
    ...{ file: 'main.rs', from: '    v.pc += 4;\n', to: '' },
    hint: /step 5, entry and exit: Hole 6 of main\.rs.*4 must be added/,
    cause: /must add 4/,
  },
  {
    lab: 'h2',
    mistake: 'the entry has no D',
    ...{ file: 'main.rs', from: 'hpa | PTE_RAM', to: 'hpa | (PTE_RAM & !PTE_D)' },
    hint: /step 7, memory: .*[Hh]ole 1 of main\.rs/,
    cause: /D = 0/,
  },
  {
    lab: 'h2',
    mistake: 'invtlb has the GID in the wrong bits',
    ...{ file: 'main.rs', from: 'gid << 16', to: 'gid' },
    hint: /step 7, memory: .*Hole 2 of main\.rs.*bits 23:16/,
    cause: /the GID is in rj\[23:16\]/,
  },
  {
    lab: 'h2',
    mistake: 'nothing is mapped after the fault',
    ...{ file: 'main.rs', from: '    map_block(block, vm_ram(0) + block);\n', to: '    let _ = block;\n' },
    hint: /step 7, memory: Hole 3 of main\.rs.*map_block/,
    cause: /still maps nothing at GPA 0x600008/,
  },
  {
    lab: 'h2',
    mistake: 'PC stays on the emulated store',
    ...{ file: 'main.rs', from: '    v.pc += 4;\n', to: '' },
    hint: /step 7, memory: Hole 4 of main\.rs.*goes on behind/,
  },
  {
    lab: 'h3',
    mistake: 'the host waits for its own ESTAT',
    ...{ file: 'main.rs', from: 'gcsr_read(ESTAT)', to: 'csr_read(ESTAT)' },
    hint: /step 4, the context: Hole 1 of main\.rs.*guest’s own ESTAT/,
  },
  {
    lab: 'h3',
    mistake: 'the host’s timer is not started',
    ...{ file: 'main.rs', from: '    csr_write(TCFG, TICK | TCFG_PERIODIC | TCFG_EN);\n', to: '    let _ = TICK;\n' },
    hint: /step 6, the vCPU: .*Hole 2 of main\.rs.*TCFG/,
  },
  {
    lab: 'h3',
    mistake: 'the tick is not acknowledged',
    ...{ file: 'main.rs', from: '    csr_write(TICLR, 1);\n', to: '' },
    hint: /step 6, the vCPU: Hole 3 of main\.rs.*TICLR/,
    cause: /must write 1 to TICLR/,
  },
  {
    lab: 'h4',
    mistake: 'a load is not extended by its sign',
    ...{ file: 'main.rs', from: 'a.sign && data', to: 'false && data' },
    hint: /step 7, memory: ld\.b, .*extend the sign: .*main\.rs/,
  },
  {
    lab: 'h4',
    mistake: 'a load writes r0',
    ...{ file: 'main.rs', from: 'if a.rd != 0 {', to: 'if true {' },
    hint: /step 7, memory: ld\.d to \$zero .*do not write v\.regs\[0\]/,
  },
  {
    lab: 'h4',
    mistake: 'PC is advanced twice',
    ...{ file: 'main.rs', from: '    v.pc += 4;\n', to: '    v.pc += 8;\n' },
    hint: /step 7, memory: Hole 4 of main\.rs.*once/,
  },
  {
    lab: 'h5',
    mistake: 'all VMs have one GID',
    ...{ file: 'main.rs', from: 'v.gid = vm as u64 + 1;', to: 'v.gid = 1;' },
    hint: /step 3, the VM: Hole 1 of main\.rs.*GID of its own/,
    cause: /both run with GID 1/,
  },
  {
    lab: 'h5',
    mistake: 'all VMs have one table',
    ...{ file: 'main.rs', from: 'physical(&STAGE2[vm])', to: 'physical(&STAGE2[0])' },
    hint: /step 3, the VM: VM 2 has counted in the memory of VM 1/,
  },
  {
    lab: 'h5',
    mistake: 'the bank is saved for the wrong vCPU',
    ...{ file: 'main.rs', from: 'save_bank(&mut machine.banks[owner]);', to: 'save_bank(&mut machine.banks[n]);' },
    hint: /step 4, the context: /,
  },
  ...STUDENT_MISTAKES.filter(({ file, mistake }) => file.endsWith('.S') && IN_ASSEMBLY.has(mistake)),
];
