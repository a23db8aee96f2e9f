/** What the page and its worker say to each other: plain data, because it is copied from one to the other. */

import type { ValueKind } from '../emu/formats/value.ts';
import type { DescriptorText } from '../hv/awareness/descriptor-texts.ts';
import type { Verdict } from '../labs/judge.ts';

/** Bytes, packed with gzip, as base64. */
export type Packed = string;

/** A program that the page brings: an image, and the guests that the reference hypervisor runs. */
export interface Program {
  /** `h1`, `h1-solution`, `hello`. */
  readonly key: string;
  /** Name of its image in {@link MachineContent.images}. */
  readonly image: string;
  /** Names of the images of its guests. */
  readonly guests: readonly string[];
}

/** What is linked with assembly that is written in the page. */
export interface AssemblyContent {
  /** A value of the kind {@link OBJECTS}: lists of objects by program, as `h1-solution`, and {@link LIBRARY}. */
  readonly objects: Packed;
  /** Header files, by name. */
  readonly includes: Readonly<Record<string, string>>;
}
export const OBJECTS: ValueKind = { magic: 'LSCOPEOB', version: 1 };
export const LIBRARY = 'lib';

/** What the worker needs of what the page brings. */
export interface MachineContent {
  /** Of the program: snapshots and recordings are for the same one. */
  readonly version: string;
  readonly programs: readonly Program[];
  readonly images: Readonly<Record<string, Packed>>;
  /** The emitted interpreter of the default machine. */
  readonly interpreter: Packed;
  readonly descriptors: readonly DescriptorText[];
  /** Header files that descriptors name. */
  readonly headers: Readonly<Record<string, string>>;
  /** For labs whose assembly is written in the page. */
  readonly assembly: AssemblyContent;
  /** The descriptor of the labs' hypervisors, with places as numbers, as JSON. */
  readonly labDescriptor: string;
}

/** A file of the user's: a program, a snapshot, or a recording. */
export interface OwnProgram {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Files that the page makes: the machine as it is, and the run up to here. */
export type SavedKind = 'snapshot' | 'recording';

/** A lab whose assembly is written in the page. */
export interface AssembledLab {
  readonly lab: string;
  /** Whose C it has, which comes prebuilt: that of the solution, or that of the skeleton. */
  readonly solution: boolean;
  readonly sources: readonly { readonly name: string; readonly text: string }[];
}

/** What is to be booted. */
export type Chosen = { readonly key: string } | OwnProgram | AssembledLab;

/** What a program is called. */
export const nameOf = (chosen: Chosen): string =>
  'key' in chosen ? chosen.key : 'lab' in chosen ? `${chosen.lab}, written here` : chosen.name;

/** A mistake in a source; line and column count from 1. */
export interface Mistake {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** What the page asks for. `id`: the worker answers with it. */
export type Request =
  | { readonly kind: 'begin'; readonly content: MachineContent }
  | { readonly kind: 'boot'; readonly program: Chosen }
  | { readonly kind: 'run' | 'step' | 'step-over' | 'back' | 'back-over' }
  | { readonly kind: 'pause' }
  | { readonly kind: 'go'; readonly to: number }
  | { readonly kind: 'input'; readonly text: string }
  | { readonly kind: 'breakpoint'; readonly at: string; readonly on: boolean }
  | { readonly kind: 'catch-exits'; readonly on: boolean }
  | { readonly kind: 'monitor'; readonly id: number; readonly text: string }
  | { readonly kind: 'save'; readonly what: SavedKind }
  | { readonly kind: 'check'; readonly lab: string; readonly program: Chosen }
  /** A real gdb has sent bytes; none: it has left. `gdb`: its number. */
  | { readonly kind: 'gdb'; readonly gdb: number; readonly bytes: Uint8Array };

/** What the machine of the moment is asked for; it answers when it has come to a stop. */
export type ToMachine = Extract<
  Request,
  {
    kind:
      | 'run'
      | 'step'
      | 'step-over'
      | 'back'
      | 'back-over'
      | 'go'
      | 'breakpoint'
      | 'catch-exits'
      | 'monitor'
      | 'save';
  }
>;

/** What the worker tells. */
export type Report =
  /** `whole`: it is all that the console has now, and not only more of it. */
  | { readonly kind: 'console'; readonly text: string; readonly whole: boolean }
  | { readonly kind: 'state'; readonly state: MachineView }
  | { readonly kind: 'running'; readonly at: number }
  | { readonly kind: 'told'; readonly text: string }
  | { readonly kind: 'explained'; readonly lines: readonly string[] }
  | { readonly kind: 'answer'; readonly id: number; readonly text: string }
  | { readonly kind: 'verdict'; readonly verdict: Verdict; readonly lines: readonly string[] }
  | { readonly kind: 'failed'; readonly text: string }
  /** None: the sources were assembled. */
  | { readonly kind: 'mistakes'; readonly mistakes: readonly Mistake[] }
  /** To be kept by the user. */
  | { readonly kind: 'file'; readonly name: string; readonly bytes: Uint8Array<ArrayBuffer> }
  /** For a real gdb; no bytes: its connection ends. */
  | { readonly kind: 'gdb'; readonly gdb: number; readonly bytes: Uint8Array };

/** A machine that stands still. Numbers of 64 bits are texts, `0x…`. */
export interface MachineView {
  /** `stopped`: it can go on; `off`: the program has switched it off; `died`: nothing can go on. */
  readonly phase: 'stopped' | 'off' | 'died';
  /** Why it stands, in words. */
  readonly why: string;
  /** Instructions executed so far; where the past begins, and how far the machine has been. */
  readonly at: number;
  readonly first: number;
  readonly last: number;
  /** What the CPU executes: `host`, `VM 1`. */
  readonly world: string;
  readonly code: readonly CodeLine[];
  readonly worlds: readonly WorldView[];
  readonly events: readonly EventView[];
  readonly breakpoints: readonly BreakpointView[];
  readonly catchesExits: boolean;
  /** A gdb has the machine: the page only shows it. */
  readonly held: boolean;
}

export interface BreakpointView {
  readonly address: string;
  /** Symbol, or the address again. */
  readonly name: string;
}

/** An instruction near PC. */
export interface CodeLine {
  readonly address: string;
  readonly text: string;
  /** The function that it is in, where that is known. */
  readonly symbol: string | undefined;
  readonly here: boolean;
}

/** Host or VM: its registers as the debugger knows them. */
export interface WorldView {
  readonly name: string;
  /** Does the CPU execute it now? */
  readonly live: boolean;
  readonly pc: string;
  readonly place: string | undefined;
  readonly registers: readonly RegisterView[];
  readonly csrs: readonly CsrView[];
}

export interface RegisterView {
  readonly name: string;
  readonly value: string;
  /** The symbol that a value points to. */
  readonly symbol: string | undefined;
}

export interface CsrView {
  readonly name: string;
  readonly text: string;
  readonly value: string;
  /** Who wrote it last, in words. */
  readonly writer: string;
  /** Empty for a register that is one value. */
  readonly fields: readonly FieldView[];
}

export interface FieldView {
  readonly name: string;
  /** `31:16`. */
  readonly bits: string;
  readonly value: string;
}

/** An exception, a VM exit or a VM entry of the past. */
export interface EventView {
  readonly kind: 'exception' | 'exit' | 'entry';
  readonly at: number;
  readonly text: string;
}
