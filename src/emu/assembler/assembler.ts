/**
 * An assembler for LoongArch from the instruction table, with the syntax of LLVM and GNU: what the labs, the guests and the tests of
 * this project use. Its words are those of llvm-mc (test/assembler).
 */
import { AsmError, type Line, wrong } from './asm-error.ts';
import { Blocks, commaSeparated } from './blocks.ts';
import { DIRECTIVES } from './directives.ts';
import { evaluate, type Value } from './expression.ts';
import { type Around, encode, type Instruction, isInstruction, similarNames } from './instructions.ts';
import type { AsmObject, ObjectSymbol, RelocationName } from './object.ts';
import { type Includes, preprocess } from './preprocessor.ts';
import { expandPseudo, isPseudo } from './pseudo.ts';
import { MOST_SECTION, Section } from './sections.ts';

/** So many mistakes are told at a time. */
const MOST_ERRORS = 20;
/** A number for a name, or a place. Register names and modifiers are none. */
const NAMES = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|(?<![\w.$%])(?:(\d+)([bf])(?![\w.])|([A-Za-z_.][\w.$]*))/g;
const DATA: Readonly<Record<number, RelocationName>> = { 4: 'R_LARCH_32', 8: 'R_LARCH_64' };

type SymbolState =
  | { readonly kind: 'label'; readonly section: Section; readonly at: number }
  | { readonly kind: 'value'; readonly value: Value };

export type Assembled =
  | { readonly object: AsmObject }
  /** In the order of their lines. */
  | { readonly errors: readonly AsmError[] };

class Assembler {
  private readonly name: string;
  private readonly sections: Section[] = [new Section('.text', undefined, false)];
  private section = this.sections[0]!;
  /** Sections that come back. */
  private readonly left: Section[] = [];
  private readonly symbols = new Map<string, SymbolState>();
  private readonly globals = new Set<string>();
  private readonly weak = new Set<string>();
  private readonly functions = new Set<string>();
  private readonly sizes = new Map<string, bigint>();
  /** How often each numeric label has come so far. */
  private readonly numeric = new Map<string, number>();
  private places = 0;
  /** What is done when all labels are known. */
  private readonly later: (() => void)[] = [];
  readonly errors: AsmError[] = [];

  constructor(name: string) {
    this.name = name;
  }

  assemble(text: string, includes: Includes): void {
    const { number, assign } = this;
    const blocks = new Blocks({
      ...{ number, assign },
      statement: (name, rest, line) => this.guarded(() => this.statement(name, rest, line)),
      label: (name, line) => this.guarded(() => this.label(name, line)),
      isDefined: (name) => this.symbols.has(name),
    });
    this.guarded(() => blocks.run(preprocess(this.name, text, includes)));
    for (const task of this.later) this.guarded(task);
  }

  /** The first mistakes are collected. */
  private guarded(task: () => void): void {
    try {
      task();
    } catch (error) {
      if (!(error instanceof AsmError)) throw error;
      if (this.errors.length < MOST_ERRORS) this.errors.push(error);
    }
  }

  // --- symbols -------------------------------------------------------------------------------------------------------

  private label(name: string, line: Line): void {
    let own = name;
    if (/^\d+$/.test(name)) {
      const times = (this.numeric.get(name) ?? 0) + 1;
      this.numeric.set(name, times);
      own = numericName(name, times);
    }
    if (this.symbols.has(own)) throw wrong(line, `${name} is defined already: choose another name`, name);
    this.symbols.set(own, { kind: 'label', section: this.section, at: this.section.size });
  }

  private readonly assign = (name: string, text: string, line: Line): void =>
    this.guarded(() => {
      if (this.symbols.get(name)?.kind === 'label')
        throw wrong(line, `${name} is a label already: choose another name`, name);
      this.symbols.set(name, { kind: 'value', value: evaluate(this.bound(text), line, this.names) });
    });

  private readonly number = (text: string, line: Line): bigint => {
    const { number, symbol } = evaluate(this.bound(text), line, this.names);
    if (symbol === undefined) return number;
    const why = this.symbols.has(symbol) ? `${symbol} is an address` : `${symbol} is not defined before this line`;
    throw wrong(line, `expected a number; ${why}`, symbol);
  };

  /** A text whose names mean what they mean on this line: values that were set, numeric labels, and `.`. */
  private bound(text: string): string {
    return text.replace(NAMES, (all, digits?: string, direction?: string, name?: string) => {
      if (digits !== undefined) {
        const times = this.numeric.get(digits) ?? 0;
        return numericName(digits, direction === 'b' ? times : times + 1);
      }
      if (name === '.') return this.here();
      const symbol = name === undefined ? undefined : this.symbols.get(name);
      if (symbol?.kind !== 'value' || symbol.value.symbol !== undefined) return all;
      return `(${symbol.value.number})`;
    });
  }

  /** A name for the present place. */
  private here(): string {
    const name = `.L.here.${this.places++}`;
    this.symbols.set(name, { kind: 'label', section: this.section, at: this.section.size });
    return name;
  }

  private readonly names = {
    lookup: (name: string): Value | undefined => {
      const symbol = this.symbols.get(name);
      return symbol && (symbol.kind === 'value' ? symbol.value : { number: 0n, symbol: name });
    },
    distance: (a: string, b: string): bigint | undefined => {
      const [x, y] = [this.symbols.get(a), this.symbols.get(b)];
      if (x?.kind !== 'label' || y?.kind !== 'label' || x.section !== y.section) return undefined;
      return BigInt(x.at - y.at);
    },
  };

  // --- lines ---------------------------------------------------------------------------------------------------------

  private statement(name: string, rest: string, line: Line): void {
    const directive = name.startsWith('.') ? DIRECTIVES[name] : undefined;
    if (directive) directive(this.assembly, rest, line);
    else if (isPseudo(name) || isInstruction(name)) this.instructions(name, rest, line);
    else if (name.startsWith('.')) throw wrong(line, `the directive ${name} is not known here`, name);
    else {
      const similar = similarNames(name);
      const hint = similar.length > 0 ? `: there are ${similar.join(', ')}` : '';
      throw wrong(line, `there is no instruction ${name}${hint}`, name);
    }
  }

  private instructions(name: string, rest: string, line: Line): void {
    const operands = rest === '' ? [] : commaSeparated(this.bound(rest));
    const list = isPseudo(name)
      ? expandPseudo(name, operands, line, (text) => this.number(text, line))
      : [{ name, operands }];
    for (const one of list) this.instruction(one, line);
  }

  private instruction(instruction: Instruction, line: Line): void {
    const { section } = this;
    const at = this.grow(4, line);
    this.later.push(() => {
      const around: Around = { ...this.names, branch: (symbol) => this.branch(symbol, section, at) };
      const { word, relocation } = encode(instruction, line, around);
      section.put(at, littleEndian(BigInt(word), 4));
      if (relocation) section.relocations.push({ at, ...relocation, place: wrong(line, '', relocation.symbol).place });
    });
  }

  /** The distance to a label that goes where this section goes, and that no other object can take the place of. */
  private branch(name: string, section: Section, at: number): bigint | undefined {
    const symbol = this.symbols.get(name);
    if (symbol?.kind !== 'label' || symbol.section !== section || this.isVisible(name)) return undefined;
    return BigInt(symbol.at - at);
  }

  private isVisible(name: string): boolean {
    return this.globals.has(name) || this.weak.has(name);
  }

  private grow(count: number, line: Line): number {
    const at = this.section.size;
    if (at + count > MOST_SECTION)
      throw wrong(line, `the section ${this.section.name} has more than ${MOST_SECTION >> 20} MiB`);
    this.section.grow(count);
    return at;
  }

  private readonly assembly = {
    enter: (name: string, flags: string | undefined, empty: boolean): void => {
      const known = this.sections.find((s) => s.name === name);
      this.section = known ?? new Section(name, flags, empty);
      if (!known) this.sections.push(this.section);
    },
    push: (): void => void this.left.push(this.section),
    pop: (line: Line): void => {
      const before = this.left.pop();
      if (!before) throw wrong(line, '.popsection without .pushsection before it');
      this.section = before;
    },
    number: this.number,
    assign: this.assign,
    mark: (names: readonly string[], how: 'global' | 'weak' | 'function'): void => {
      const set = { global: this.globals, weak: this.weak, function: this.functions }[how];
      for (const name of names) set.add(name);
    },
    sized: (name: string, text: string, line: Line): void => {
      const bound = this.bound(text);
      this.later.push(() => void this.sizes.set(name, evaluate(bound, line, this.names).number));
    },
    values: (texts: readonly string[], bytes: number, line: Line): void => {
      for (const text of texts) this.value(this.bound(text), bytes, line);
    },
    bytes: (bytes: Uint8Array | readonly number[], line: Line): void => {
      const at = this.grow(bytes.length, line);
      if (!this.section.flags.empty) this.section.put(at, [...bytes]);
    },
    zeros: (count: number, line: Line): void => void this.grow(count, line),
    align: (to: number, fill: number | undefined): void => this.section.alignTo(to, fill),
  };

  private value(text: string, bytes: number, line: Line): void {
    const { section } = this;
    const at = this.grow(bytes, line);
    this.later.push(() => {
      const { number, symbol } = evaluate(text, line, this.names);
      const type = DATA[bytes];
      if (symbol !== undefined) {
        if (!type) throw wrong(line, `an address needs .word or .dword, and ${bytes} bytes are less`, symbol);
        section.relocations.push({ at, type, symbol, addend: number, place: wrong(line, '', symbol).place });
        return;
      }
      const bits = BigInt(8 * bytes);
      if (number < -(2n ** (bits - 1n)) || number >= 2n ** bits)
        throw wrong(line, `expected a number of ${bits} bits, found ${number}`, text);
      section.put(at, littleEndian(BigInt.asUintN(8 * bytes, number), bytes));
    });
  }

  finish(): AsmObject {
    const { name, sections, symbols } = this;
    const list = [...symbols].map(([symbol, state]): ObjectSymbol => {
      const label = state.kind === 'label' ? state : this.labelOf(state.value);
      return {
        name: symbol,
        global: this.isVisible(symbol),
        weak: this.weak.has(symbol),
        section: label && sections.indexOf(label.section),
        value: label ? BigInt(label.at) : state.kind === 'value' ? state.value.number : 0n,
        size: Number(this.sizes.get(symbol) ?? 0n),
        isFunction: this.functions.has(symbol),
      };
    });
    return { name, sections: sections.map((s) => s.finish()), symbols: list };
  }

  /** A value that is a place: `.set here, .`. */
  private labelOf({ symbol, number }: Value): { readonly section: Section; readonly at: number } | undefined {
    const label = symbol === undefined ? undefined : this.symbols.get(symbol);
    return label?.kind === 'label' ? { section: label.section, at: label.at + Number(number) } : undefined;
  }
}

const numericName = (digits: string, times: number): string => `.L.${digits}.${times}`;

const littleEndian = (value: bigint, bytes: number): number[] =>
  Array.from({ length: bytes }, (_, n) => Number((value >> BigInt(8 * n)) & 0xffn));

/**
 * Assembles a source.
 * @param name of the file, for messages
 * @param includes files that it may include
 */
export function assemble(name: string, text: string, includes: Includes = {}): Assembled {
  const assembler = new Assembler(name);
  assembler.assemble(text, includes);
  const { errors } = assembler;
  if (errors.length === 0) return { object: assembler.finish() };
  return { errors: errors.sort((a, b) => a.place.line - b.place.line) };
}
