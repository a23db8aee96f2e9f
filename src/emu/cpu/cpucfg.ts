import { TIMER_HZ } from './clock.ts';
import type { CpuFeatures, FeatureName } from './features.ts';

/**
 * CPUCFG words (Vol. 1, section 2.2.10.5), declared by field. Words that are not listed read 0. Without optional features they are
 * those of a Loongson 3A5000, except for units that are not here (test/cpu/cpucfg.test.ts lists them, docs/isa-notes.md says why).
 */
interface CpucfgField {
  readonly word: number;
  readonly name: string;
  readonly lo: number;
  readonly value: number;
  /** Present only with this feature of the CPU. */
  readonly feature?: FeatureName;
}

const f = (word: number, name: string, lo: number, value: number, feature?: FeatureName): CpucfgField => ({
  word,
  name,
  lo,
  value,
  ...(feature && { feature }),
});

export const CPUCFG_FIELDS: readonly CpucfgField[] = [
  f(0, 'PRID', 0, 0x14c010),
  f(1, 'ARCH', 0, 2),
  f(1, 'PGMMU', 2, 1),
  f(1, 'IOCSR', 3, 1),
  f(1, 'PALEN', 4, 47),
  f(1, 'VALEN', 12, 47),
  f(1, 'UAL', 20, 1, 'ual'),
  f(1, 'RI', 21, 1),
  f(1, 'EP', 22, 1),
  f(1, 'RPLV', 23, 1),
  f(1, 'HP', 24, 1),
  f(1, 'CRC', 25, 1, 'crc'),
  f(2, 'FP', 0, 1, 'fpu'),
  f(2, 'FP_SP', 1, 1, 'fpu'),
  f(2, 'FP_DP', 2, 1, 'fpu'),
  f(2, 'FP_VER', 3, 1, 'fpu'),
  f(2, 'LSX', 6, 1, 'lsx'),
  f(2, 'LASX', 7, 1, 'lasx'),
  f(2, 'LVZ', 10, 1, 'lvz'),
  f(2, 'LVZ_VER', 11, 1, 'lvz'),
  f(2, 'LLFTP', 14, 1),
  f(2, 'LLFTP_VER', 15, 1),
  f(2, 'LBT_X86', 18, 1, 'lbt'),
  f(2, 'LSPW', 21, 1, 'lspw'),
  f(2, 'LAM', 22, 1, 'lam'),
  f(2, 'HPTW', 24, 1, 'ptw'),
  f(2, 'FRECIPE', 25, 1, 'frecipe'),
  f(2, 'DIV32', 26, 1, 'div32'),
  f(2, 'LAM_BH', 27, 1, 'lam_bh'),
  f(2, 'LAMCAS', 28, 1, 'lamcas'),
  f(2, 'LLACQ_SCREL', 29, 1, 'llacq_screl'),
  f(2, 'SCQ', 30, 1, 'scq'),
  f(3, 'CCDMA', 0, 1),
  f(3, 'SFB', 1, 1),
  f(3, 'UCACC', 2, 1),
  f(3, 'LLEXC', 3, 1),
  f(3, 'SCDLY', 4, 1),
  f(3, 'LLDBAR', 5, 1),
  f(3, 'ITLBHMC', 6, 1),
  f(3, 'ICHMC', 7, 1),
  f(3, 'SPW_LVL', 8, 4),
  f(3, 'SPW_HP_HF', 11, 1),
  f(3, 'RVA', 12, 1),
  // RVACFG shortens addresses by up to 8 bits; the field has one less.
  f(3, 'RVAMAX', 13, 7),
  f(3, 'DBAR_HINTS', 17, 1, 'dbar_hints'),
  f(3, 'LD_SEQ_SA', 23, 1, 'ld_seq_sa'),
  f(4, 'CC_FREQ', 0, TIMER_HZ),
  f(5, 'CC_MUL', 0, 1),
  f(5, 'CC_DIV', 16, 1),
  f(16, 'CACHES', 0, 0x2c3d),
  f(17, 'L1I', 0, 0x06080003),
  f(18, 'L1D', 0, 0x06080003),
  f(19, 'L2', 0, 0x0608000f),
  f(20, 'L3', 0, 0x060e000f),
];

/** Builds the words for a CPU. */
export function cpucfgWords(features: CpuFeatures): Uint32Array {
  const words = new Uint32Array(32);
  for (const field of CPUCFG_FIELDS) {
    if (field.feature && !features[field.feature]) continue;
    words[field.word] = (words[field.word]! | (field.value << field.lo)) >>> 0;
  }
  return words;
}
