/** CPUs with their engines, and the decoded and translated code that the engines share. */
import type { Cpu } from '../cpu/cpu.ts';
import type { CpuFeatures } from '../cpu/features.ts';
import { type EmittedInterpreters, Engine, type EngineParts } from '../engine/engine.ts';
import { fmaFunctions } from '../engine/fma.ts';
import type { InterpreterPlan } from '../engine/interpreter.ts';
import { BRANCHES_TO_ASK } from '../engine/translator/region-interface.ts';
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
/** Number of branches to an instruction after which it is translated at the latest: 1, or a multiple of BRANCHES_TO_ASK. */
export const THRESHOLD: Readonly<Record<EngineKind, number>> = { auto: 24 * BRANCHES_TO_ASK, jit: 1, interpreter: 0 };

/** The configuration that interpreters are emitted for in advance: one CPU with accesses at any address, engine `auto`. */
export const USUAL_PLAN: Omit<InterpreterPlan, 'map'> = {
  cpu: 0,
  pool: { cpus: 1, pool: 0 },
  shared: false,
  threshold: THRESHOLD.auto,
  aligned: false,
};

/** Is this that configuration? */
export const isUsual = ({ cpu, pool, shared, aligned, threshold }: Omit<InterpreterPlan, 'map'>): boolean =>
  cpu === 0 && pool.cpus === 1 && !shared && !aligned && threshold === THRESHOLD.auto;

export interface ProcessorOptions {
  readonly features: CpuFeatures;
  readonly engine?: EngineKind | undefined;
  /** Interpreters that were emitted before, and need not be emitted again. */
  readonly emitted?: EmittedInterpreters | undefined;
}

export class Processors {
  readonly cpus: readonly Cpu[];
  readonly engines: readonly Engine[];
  readonly uops: UopCache;
  /** Translated code; undefined when only the interpreter is used. */
  readonly regions: Regions | undefined;

  constructor(
    mem: LinearMemory,
    cpus: readonly Cpu[],
    parts: Pick<EngineParts, 'ram' | 'bus' | 'iocsr' | 'clock' | 'runtime'>,
    { features, engine = 'auto', emitted }: ProcessorOptions,
  ) {
    this.cpus = cpus;
    for (const cpu of cpus) {
      cpu.linearOf = (pa) => parts.ram.linearAddress(pa);
      cpu.presentAt = (pa) => parts.ram.presentAt(pa);
      cpu.touch = (pa) => parts.ram.touch(pa);
    }
    const map = planHandlers(ROWS);
    const exists = (row: Row): boolean => existsOn(row, features);
    this.uops = new UopCache(
      mem,
      map,
      exists,
      () => {
        for (const c of cpus) c.fast.clearFetches();
      },
      (linear) => {
        for (const c of cpus) c.fast.clearWrites(linear);
      },
    );
    const fused = fmaFunctions(mem.memory, mem.shared);
    const threshold = THRESHOLD[engine];
    if (engine !== 'interpreter')
      this.regions = new Regions({
        mem,
        uops: this.uops,
        exists,
        aligned: !features.ual,
        eager: engine === 'jit',
        fused,
        clock: parts.runtime,
      });
    if (this.regions) this.regions.threshold = threshold;
    this.uops.translator = this.regions;
    const { uops, regions } = this;
    this.engines = cpus.map((cpu) => new Engine(cpu, { ...parts, uops, map, fused, regions, threshold, emitted }));
  }
}
