/**
 * Optional parts of the CPU, declared once: the `--cpu` names, the models that have them, and (by `feature` in
 * cpucfg.ts and `ext` in the instruction table) what they switch.
 */
export const FEATURES = {
  lvz: { text: 'virtualization extension', models: ['la464', 'max'] },
  fpu: { text: 'floating point, single and double', models: ['la464', 'max'] },
  lsx: { text: 'vectors of 128 bits', models: ['la464', 'max'] },
  lasx: { text: 'vectors of 256 bits', models: ['la464', 'max'] },
  crc: { text: 'CRC instructions', models: ['la464', 'max'] },
  lam_bh: { text: 'amswap and amadd of bytes and halfwords', models: ['max'] },
  lamcas: { text: 'atomic compare and swap', models: ['max'] },
  llacq_screl: { text: 'load-linked with acquire, store-conditional with release', models: ['max'] },
  scq: { text: 'store-conditional of 128 bits', models: ['max'] },
} as const;

export type FeatureName = keyof typeof FEATURES;
export const FEATURE_NAMES = Object.keys(FEATURES) as FeatureName[];

export const MODELS = ['la464', 'max'] as const;
export type CpuModel = (typeof MODELS)[number];

/** What a CPU can do. */
export type CpuFeatures = Readonly<Record<FeatureName, boolean>>;

/** The features of a model, with some switched. */
export function featuresOf(
  model: CpuModel,
  switched: Readonly<Partial<Record<FeatureName, boolean>>> = {},
): CpuFeatures {
  const has = (name: FeatureName): boolean => (FEATURES[name].models as readonly string[]).includes(model);
  return Object.fromEntries(FEATURE_NAMES.map((n) => [n, switched[n] ?? has(n)])) as CpuFeatures;
}
