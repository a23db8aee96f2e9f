/**
 * Optional parts of the CPU, declared once: the `--cpu` names, the models that have them, the features that they need, and (by
 * `feature` in cpucfg.ts and csr-table.ts and `ext` and `unit` in the instruction table) their effects.
 */
interface Feature {
  readonly text: string;
  readonly models: readonly CpuModel[];
  /** The feature that this one needs. */
  readonly needs?: string;
}

export const MODELS = ['la464', 'max'] as const;
export type CpuModel = (typeof MODELS)[number];
const BOTH: readonly CpuModel[] = MODELS;
const MAX: readonly CpuModel[] = ['max'];

export const FEATURES = {
  lvz: { text: 'virtualization extension', models: BOTH },
  fpu: { text: 'floating point, single and double', models: BOTH },
  lsx: { text: 'vectors of 128 bits', models: BOTH, needs: 'fpu' },
  lasx: { text: 'vectors of 256 bits', models: BOTH, needs: 'lsx' },
  crc: { text: 'CRC instructions', models: BOTH },
  lam: { text: 'atomic memory operations on words and doublewords', models: BOTH },
  ual: { text: 'loads and stores at any address; else ALE unless aligned', models: BOTH },
  lspw: { text: 'page walk instructions lddir and ldpte', models: BOTH },
  frecipe: { text: 'reciprocal approximations', models: MAX, needs: 'fpu' },
  div32: { text: 'word divisions that ignore the upper halves of their operands', models: MAX },
  lam_bh: { text: 'amswap and amadd of bytes and halfwords', models: MAX },
  lamcas: { text: 'atomic compare and swap', models: MAX },
  llacq_screl: { text: 'load-linked with acquire, store-conditional with release', models: MAX },
  scq: { text: 'store-conditional of 128 bits', models: MAX },
  dbar_hints: { text: 'hints of dbar that ask for less than a full barrier; all are full here', models: MAX },
  ld_seq_sa: { text: 'loads of one address in order', models: MAX },
  ptw: { text: 'page walk by hardware, once PWCH.HPTW_En is set', models: [] },
  'quirk-host-refill-gid': {
    text: 'not hardware: refills of the host itself ignore GTLBC.TGID, for software that has only run where this is forgiven',
    models: [],
    needs: 'lvz',
  },
  lbt: { text: 'state of binary translation: scratch registers, flags, stack top; not its arithmetic', models: [] },
} as const satisfies Record<string, Feature>;

export type FeatureName = keyof typeof FEATURES;
export const FEATURE_NAMES = Object.keys(FEATURES) as FeatureName[];

/** The features of a CPU. */
export type CpuFeatures = Readonly<Record<FeatureName, boolean>>;

/**
 * The features of a model, with some switched on or off. When a feature is switched off, all features that need it are off, too.
 * @throws Error when a feature is switched on and a feature that it needs is missing
 */
export function featuresOf(
  model: CpuModel,
  switched: Readonly<Partial<Record<FeatureName, boolean>>> = {},
): CpuFeatures {
  const out: Partial<Record<FeatureName, boolean>> = {};
  for (const name of FEATURE_NAMES) {
    const feature: Feature = FEATURES[name];
    const base = feature.needs as FeatureName | undefined;
    const possible = base === undefined || out[base] === true;
    if (switched[name] && !possible)
      throw new Error(`${name} cannot be on while ${base} is off: leave it out or switch ${base} on`);
    out[name] = possible && (switched[name] ?? feature.models.includes(model));
  }
  return out as CpuFeatures;
}
