/** CPUs with their engines, and what the engines share: decoded and translated code. */
import type { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { type EmittedInterpreters, Engine, type EngineParts } from '../engine/engine.ts';
import { fmaFunctions } from '../engine/fma.ts';
import { Regions } from '../engine/translator/regions.ts';
import { planHandlers } from '../engine/uop.ts';
import { UopCache } from '../engine/uop-cache.ts';
import { existsOn, type Row } from '../isa/row.ts';
import { ROWS } from '../isa/table/index.ts';
import type { LinearMemory } from '../memory/linear-memory.ts';

/**
 * How instructions are executed. `auto`: interpreted, and translated once they are hot; `jit`: translated the first time
 * that control branches to them; `interpreter`: never translated. The results are the same.
 */
export type EngineKind = 'auto' | 'jit' | 'interpreter';
/** Branches to an instruction before it is translated. */
export const THRESHOLD: Readonly<Record<EngineKind, number>> = { auto: 1000, jit: 1, interpreter: 0 };

export interface ProcessorOptions {
  readonly features: CpuFeatures;
  readonly engine?: EngineKind | undefined;
  /** Interpreters that need not be emitted. */
  readonly emitted?: EmittedInterpreters | undefined;
}

export class Processors {
  readonly cpus: readonly Cpu[];
  readonly engines: readonly Engine[];
  readonly uops: UopCache;
  /** Translated code; undefined with the interpreter alone. */
  readonly regions: Regions | undefined;

  constructor(
    mem: LinearMemory,
    cpus: readonly Cpu[],
    parts: Pick<EngineParts, 'ram' | 'bus' | 'iocsr' | 'clock'>,
    { features, engine = 'auto', emitted }: ProcessorOptions,
  ) {
    this.cpus = cpus;
    for (const cpu of cpus) cpu.hostOf = (pa) => parts.ram.host(pa);
    const map = planHandlers(ROWS);
    const exists = (row: Row): boolean => existsOn(row, features);
    this.uops = new UopCache(
      mem,
      map,
      exists,
      () => {
        for (const c of cpus) c.fast.clearFetches();
      },
      (host) => {
        for (const c of cpus) c.fast.clearWrites(host);
      },
    );
    const fused = fmaFunctions(mem.memory, mem.shared);
    const threshold = THRESHOLD[engine];
    this.regions = engine === 'interpreter' ? undefined : new Regions(mem, this.uops, exists, engine === 'jit', fused);
    if (this.regions) this.regions.threshold = threshold;
    this.uops.translator = this.regions;
    const { uops, regions } = this;
    this.engines = cpus.map((cpu) => new Engine(cpu, { ...parts, uops, map, fused, regions, threshold, emitted }));
  }
}
