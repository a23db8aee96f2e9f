/** What a lab is: what its program must print, what its check wants besides, and what it says of known mistakes. */
import type { CsrName } from '../emu/cpu/csr-table.ts';
import type { RuleId } from '../emu/debug/why/rules.ts';

/** The seven steps from a CPU with LVZ to a hypervisor, in their order. */
export const STEPS = [
  'detect LVZ',
  'host mode',
  'the VM',
  'the context',
  'entry and exit',
  'the vCPU',
  'memory',
] as const;

/** A step by its number, from 1. */
export type StepNumber = 1 | 2 | 3 | 4 | 5 | 6 | 7;

/** A mistake that students make: how it shows, and what it means in this lab. */
export interface KnownMistake {
  /**
   * How it is recognised: by a rule that `explain` names; by words of its cause; by words of a finding of the auditor; by a guest
   * that was never entered; by the first line that is not as it must be (`''` when the output ends too early). All that are given must fit.
   */
  readonly when: {
    readonly rule?: readonly RuleId[];
    readonly cause?: RegExp;
    readonly audit?: RegExp;
    /** No guest was entered. */
    readonly never?: true;
    readonly printed?: RegExp;
    /** The line that must be there instead of `printed`. */
    readonly expected?: RegExp;
  };
  /** The step that is missing or wrong. */
  readonly step: StepNumber;
  /** What to look at; one or two sentences that name the hole. */
  readonly hint: string;
  /** The same in Chinese. */
  readonly zh: string;
}

/** A field of a CSR that must have a value when a guest is entered for the first time. */
export interface EntryState {
  /** Whose CSR: the host's, or that of the guest's bank. */
  readonly bank: 'host' | 'guest';
  readonly csr: CsrName;
  readonly field: string;
  readonly value: number;
  readonly step: StepNumber;
  readonly hint: string;
  /** The same in Chinese. */
  readonly zh: string;
}

/** The languages of the labs' main programs; the assembly beside them is the same. */
export type Language = 'C' | 'Rust';

export interface Lab {
  /** `h1`. */
  readonly name: string;
  readonly title: string;
  /** What its main program is written in. */
  readonly language: Language;
  /** The steps of a port that it is about. */
  readonly steps: readonly StepNumber[];
  /** The files that a student changes. */
  readonly files: readonly string[];
  /** The lines that the machine must print. */
  readonly prints: readonly string[];
  /** The most instructions that a correct program needs, generously. */
  readonly limit: number;
  readonly atEntry: readonly EntryState[];
  /** The most telling first: only the first that fits is told. */
  readonly mistakes: readonly KnownMistake[];
}
