/** What is fuzzed, by name: each is a module of targets/. */
import type { Target } from './oracle.ts';

export const AREAS = [
  'p9',
  'virtio',
  'pci',
  'ahci',
  'mmio',
  'iocsr',
  'rsp',
  'monitor',
  'elf',
  'pe',
  'dtb',
  'snapshot',
  'symbols',
] as const;
export type AreaName = (typeof AREAS)[number];

export interface Area {
  /** Runs an input. @throws Error, which is a fault */
  readonly fuzz: Target;
  /** Seed inputs, made from the present code. */
  readonly seeds: () => readonly Uint8Array[];
  /** Words that the format knows. */
  readonly dictionary: readonly (string | Uint8Array)[];
  /** The event loop must turn between executions: what they leave behind goes away there. */
  readonly needsEventLoop?: boolean;
}

export const loadArea = async (name: AreaName): Promise<Area> => (await import(`./targets/${name}.ts`)) as Area;

/** Inputs that are kept, relative to the checkout. */
export const corpusOf = (name: AreaName): string => `test/fuzz/corpus/${name}`;
