/** What is in the page: what its worker needs, and texts to read. */
import type { MachineContent } from './protocol.ts';

export type Language = 'en' | 'zh';

export interface SourceText {
  readonly name: string;
  readonly text: string;
}

export interface LabText {
  readonly name: string;
  readonly titles: Readonly<Record<Language, string>>;
  /** The lines that it must print. */
  readonly prints: readonly string[];
  /** Markdown. */
  readonly pages: Readonly<Record<Language, string>>;
  readonly skeleton: readonly SourceText[];
  readonly solution: readonly SourceText[];
}

/** A guest of the reference hypervisor. */
export interface DemoText {
  readonly name: string;
  readonly files: readonly SourceText[];
}

export interface PageContent {
  readonly machine: MachineContent;
  readonly labs: readonly LabText[];
  readonly demos: readonly DemoText[];
}
