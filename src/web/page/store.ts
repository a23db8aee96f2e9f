/** The state of the page in one place, and what changes it. */
import type { Verdict } from '../../labs/judge.ts';
import type { Language, PageContent } from '../content.ts';
import type { Chosen, MachineView, Mistake, Report, Request } from '../protocol.ts';
import { download } from './download.ts';
import { assemblyOf, type Edits, keepEdits, readEdits, type Variant } from './edits.ts';

export const PANELS = ['why', 'code', 'registers', 'csrs', 'translate', 'events', 'monitor'] as const;
export type Panel = (typeof PANELS)[number];

/** The program that is on the bench. */
export type Selection =
  | { readonly kind: 'lab'; readonly name: string; readonly variant: Variant }
  | { readonly kind: 'demo'; readonly name: string }
  | { readonly kind: 'own'; readonly name: string; readonly bytes: Uint8Array };

export interface MonitorEntry {
  readonly line: string;
  readonly text: string | undefined;
}

export interface PageState {
  readonly language: Language;
  readonly selection: Selection;
  readonly machine: MachineView | undefined;
  /** The view before this one, to show what has changed. */
  readonly before: MachineView | undefined;
  /** Instructions so far, while it runs. */
  readonly running: number | undefined;
  readonly explained: readonly string[];
  readonly verdict: { readonly verdict: Verdict; readonly lines: readonly string[] } | undefined;
  readonly checking: boolean;
  readonly failed: string | undefined;
  readonly panel: Panel;
  readonly monitor: readonly MonitorEntry[];
  readonly translation: { readonly question: string; readonly text: string | undefined } | undefined;
  readonly told: string;
  /** Assembly that was changed, by {@link placeOf}. */
  readonly edits: Edits;
  /** What is wrong in it. */
  readonly mistakes: readonly Mistake[];
  /** Undefined in a page that no gdb can connect to. */
  readonly bridge: Bridge | undefined;
}

/** The way to gdb. */
export type Bridge =
  /** `text`: where gdb connects. */
  | { readonly phase: 'open'; readonly text: string; readonly send: (gdb: number, bytes: Uint8Array) => void }
  /** `text`: why, in words. */
  | { readonly phase: 'closed'; readonly text: string; readonly again: () => void };

/** Where console output goes: a terminal keeps it itself. */
export interface ConsoleSink {
  write(text: string): void;
  clear(): void;
}

/** So much of the monitor's talk stays. */
const MOST_ENTRIES = 50;

export class Store {
  readonly content: PageContent;
  state: PageState;
  console: ConsoleSink | undefined;
  private readonly send: (request: Request) => void;
  private readonly listeners = new Set<() => void>();
  private readonly answers = new Map<number, (text: string) => void>();
  private questions = 0;
  /** The machine runs as soon as it is there. */
  private runsNext = false;
  /** Console text that came before there was a terminal. */
  private early = '';

  /** @param send passes a request to the worker */
  constructor(content: PageContent, language: Language, selection: Selection, send: (request: Request) => void) {
    this.content = content;
    this.send = send;
    this.state = {
      ...{ language, selection, machine: undefined, before: undefined, running: undefined, explained: [] },
      ...{ verdict: undefined, checking: false, failed: undefined, panel: 'why', monitor: [], translation: undefined },
      ...{ told: '', bridge: undefined, edits: readEdits(), mistakes: [] },
    };
  }

  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private set(change: Partial<PageState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  connectConsole(sink: ConsoleSink): void {
    this.console = sink;
    sink.write(this.early);
  }

  // --- what the worker tells -----------------------------------------------------------------------------------------

  hear(report: Report): void {
    switch (report.kind) {
      case 'console':
        this.print(report.text, report.whole);
        return;
      case 'state':
        this.set({ machine: report.state, before: this.state.machine, running: undefined });
        this.runAtOnce();
        return;
      case 'running':
        this.set({ running: report.at });
        return;
      case 'explained':
        this.set({ explained: report.lines });
        return;
      case 'told':
        this.set({ told: report.text });
        return;
      case 'verdict':
        this.set({ verdict: report, checking: false, panel: 'why' });
        return;
      case 'mistakes':
        this.set({ mistakes: report.mistakes, checking: false });
        if (report.mistakes.length > 0) this.runsNext = false;
        return;
      case 'failed':
        this.runsNext = false;
        this.set({ failed: report.text, checking: false, running: undefined });
        return;
      case 'file':
        download(report.name, report.bytes);
        return;
      case 'gdb': {
        const { bridge } = this.state;
        if (bridge?.phase === 'open') bridge.send(report.gdb, report.bytes);
        return;
      }
      case 'answer':
        this.answers.get(report.id)?.(report.text);
        this.answers.delete(report.id);
    }
  }

  private print(text: string, whole: boolean): void {
    if (!this.console) {
      this.early = whole ? text : this.early + text;
      return;
    }
    if (whole) this.console.clear();
    this.console.write(text);
  }

  // --- what the user does --------------------------------------------------------------------------------------------

  private get chosen(): Chosen {
    const { selection } = this.state;
    if (selection.kind === 'own') return { name: selection.name, bytes: selection.bytes };
    if (selection.kind === 'demo') return { key: selection.name };
    const { name, variant } = selection;
    const sources = assemblyOf(this.content.labs.find((l) => l.name === name)!, variant, this.state.edits);
    if (variant === 'mixed' || sources.some((s) => s.edited))
      return { lab: name, solution: variant !== 'skeleton', sources };
    return { key: variant === 'solution' ? `${name}-solution` : name };
  }

  /** Changes a source of a lab; undefined: it is again as it was. */
  edit(place: string, text: string | undefined): void {
    const edits = { ...this.state.edits };
    if (text === undefined) delete edits[place];
    else edits[place] = text;
    this.set({ edits, mistakes: [] });
    keepEdits(edits);
  }

  /** Boots what is written now, and lets it run. */
  assembleAndRun(): void {
    this.runsNext = true;
    this.set({ verdict: undefined });
    this.boot();
  }

  private runAtOnce(): void {
    // Only the new machine is at its beginning.
    if (!this.runsNext || this.state.machine?.at !== 0) return;
    this.runsNext = false;
    this.do({ kind: 'run' });
  }

  select(selection: Selection): void {
    this.set({
      selection,
      mistakes: [],
      verdict: undefined,
      failed: undefined,
      machine: undefined,
      before: undefined,
      translation: undefined,
    });
    this.boot();
  }

  /** Boots the chosen program. */
  boot(): void {
    this.set({ failed: undefined, told: '', running: undefined });
    this.send({ kind: 'boot', program: this.chosen });
  }

  do(request: Request): void {
    if (request.kind === 'run' || request.kind === 'go') this.set({ running: this.state.machine?.at ?? 0, told: '' });
    this.send(request);
  }

  runOrPause(): void {
    this.do({ kind: this.state.running === undefined ? 'run' : 'pause' });
  }

  check(): void {
    const { selection } = this.state;
    if (selection.kind !== 'lab') return;
    this.set({ checking: true, verdict: undefined, failed: undefined });
    this.send({ kind: 'check', lab: selection.name, program: this.chosen });
  }

  bridge(bridge: Bridge): void {
    this.set({ bridge });
  }

  show(panel: Panel): void {
    this.set({ panel });
  }

  speak(language: Language): void {
    this.set({ language });
  }

  forgetFailure(): void {
    this.set({ failed: undefined });
  }

  /** A command of `monitor`. */
  private ask(text: string, done: (answer: string) => void): void {
    const id = this.questions++;
    this.answers.set(id, done);
    this.send({ kind: 'monitor', id, text });
  }

  command(line: string): void {
    const entry: MonitorEntry = { line, text: undefined };
    this.set({ monitor: [...this.state.monitor, entry].slice(-MOST_ENTRIES) });
    this.ask(line, (text) => this.set({ monitor: this.state.monitor.map((e) => (e === entry ? { line, text } : e)) }));
  }

  /** @param world `host`, or the number of a VM */
  translate(address: string, world: string): void {
    const question = `translate ${address} in ${world}`;
    this.set({ translation: { question, text: undefined } });
    this.ask(question, (text) => this.set({ translation: { question, text } }));
  }
}
