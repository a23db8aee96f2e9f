/** Lines that stand for others: `.macro`, `.irp`, `.rept`, and conditions. */
import { type Line, wrong } from './asm-error.ts';

/** Lines that macros have become, at most: a mistake must not take all memory. */
const MOST_LINES = 500_000;
const MOST_DEPTH = 100;
/** Characters of a line. */
const MOST_LENGTH = 10_000;

interface Parameter {
  readonly name: string;
  readonly initial: string;
  readonly required: boolean;
  /** Takes all that is left of the line. */
  readonly rest: boolean;
}

interface Macro {
  readonly parameters: readonly Parameter[];
  readonly body: readonly Line[];
}

/** What the assembler does with lines that are no blocks. */
export interface Statements {
  /** A line without labels. */
  readonly statement: (name: string, rest: string, line: Line) => void;
  readonly label: (name: string, line: Line) => void;
  /** `NAME = VALUE`. */
  readonly assign: (name: string, value: string, line: Line) => void;
  /** The value of an expression of numbers. */
  readonly number: (text: string, line: Line) => bigint;
  readonly isDefined: (name: string) => boolean;
}

const OPENS = /^\s*(\.macro|\.irp|\.rept|\.if\w*)\b/;
const ENDS: Readonly<Record<string, string>> = { '.macro': '.endm', '.irp': '.endr', '.rept': '.endr' };

/** A line up to its comment, in statements. Quotes protect `#` and `;`. */
function statementsOf(text: string): string[] {
  const out = [''];
  for (const [word] of text.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|[\s\S]/g)) {
    if (word === '#') break;
    if (word === ';') out.push('');
    else out[out.length - 1] += word;
  }
  return out;
}

/** Texts between commas that are in no parentheses and no quotes. */
export function commaSeparated(text: string): string[] {
  const out = [''];
  let depth = 0;
  for (const [word] of text.matchAll(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|[\s\S]/g)) {
    if (word === '(') depth++;
    if (word === ')') depth--;
    if (word === ',' && depth === 0) out.push('');
    else out[out.length - 1] += word;
  }
  return out.map((part) => part.trim());
}

/** Arguments of a macro: also between spaces, where no operator is near. */
function argumentsOf(text: string): string[] {
  return commaSeparated(text).flatMap((part, n, all) =>
    /["'(]/.test(part) || (n === 0 && part === '' && all.length === 1)
      ? [part]
      : part.split(/(?<![-+*/|&<>^~(,])\s+(?![-+*/|&<>^)])/),
  );
}

const unquoted = (text: string): string => (/^".*"$/.test(text) ? text.slice(1, -1) : text);

export class Blocks {
  private readonly macros = new Map<string, Macro>();
  private readonly to: Statements;
  private count = 0;
  private calls = 0;

  constructor(to: Statements) {
    this.to = to;
  }

  /** @throws AsmError */
  run(lines: readonly Line[], depth = 0): void {
    const statements = lines.flatMap((line) => statementsOf(line.text).map((text) => ({ ...line, text })));
    if (depth > MOST_DEPTH) throw wrong(statements[0]!, 'macros call each other without an end');
    for (let n = 0; n < statements.length; n++) {
      const line = this.labels(statements[n]!);
      const { text } = line;
      if (text === '') continue;
      if (text.length > MOST_LENGTH) throw wrong(line, `a line of more than ${MOST_LENGTH} characters`);
      if (++this.count > MOST_LINES) throw wrong(line, `more than ${MOST_LINES} lines: does a macro repeat for ever?`);
      const opens = OPENS.exec(text)?.[1];
      if (opens !== undefined) {
        const end = endOf(statements, n, line, opens);
        this.block(opens, line, statements.slice(n + 1, end), depth);
        n = end;
        continue;
      }
      const [, name, value] = /^([A-Za-z_.$][\w.$]*)\s*=(?!=)\s*(.*)$/.exec(text) ?? [];
      if (name !== undefined) this.to.assign(name, value!, line);
      else this.one(line, depth);
    }
  }

  /** A line behind its labels. */
  private labels(line: Line): Line {
    let text = line.text.trim();
    for (;;) {
      const [all, label] = /^([A-Za-z_.$][\w.$]*|\d+)\s*:(?!:)\s*/.exec(text) ?? [];
      if (label === undefined) return { ...line, text };
      this.to.label(label, line);
      text = text.slice(all!.length);
    }
  }

  private one(line: Line, depth: number): void {
    const [, name, rest] = /^(\S+)\s*([\s\S]*)$/.exec(line.text)!;
    const macro = this.macros.get(name!);
    if (macro) this.call(name!, macro, rest!.trim(), line, depth);
    else this.to.statement(name!, rest!.trim(), line);
  }

  private block(opens: string, line: Line, body: readonly Line[], depth: number): void {
    const rest = line.text.slice(opens.length).trim();
    switch (opens) {
      case '.macro':
        this.define(rest, body, line);
        return;
      case '.irp': {
        const [name = '', ...values] = argumentsOf(rest);
        for (const value of values) this.run(filled(body, new Map([[name, unquoted(value)]]), 0), depth + 1);
        return;
      }
      case '.rept': {
        const times = this.to.number(rest, line);
        if (times > MOST_LINES) throw wrong(line, `.rept: expected at most ${MOST_LINES}, found ${times}`, rest);
        for (let n = 0n; n < times; n++) this.run(body, depth + 1);
        return;
      }
      default:
        this.run(this.chosen(line, body), depth + 1);
    }
  }

  /** The lines of the first condition that is met. */
  private chosen(line: Line, body: readonly Line[]): readonly Line[] {
    let met = this.isMet(line);
    let from = 0;
    let deep = 0;
    for (let n = 0; n < body.length; n++) {
      const word = /^\s*(\.\w+)/.exec(body[n]!.text)?.[1] ?? '';
      if (/^\.if/.test(word)) deep++;
      else if (word === '.endif') deep--;
      else if (deep === 0 && (word === '.else' || word === '.elseif')) {
        if (met) return body.slice(from, n);
        met = word === '.else' || this.to.number(body[n]!.text.trim().slice('.elseif'.length), body[n]!) !== 0n;
        from = n + 1;
      }
    }
    return met ? body.slice(from) : [];
  }

  private isMet(line: Line): boolean {
    const [, word, rest] = /^\s*(\.if\w*)\s*(.*)$/.exec(line.text)!;
    switch (word) {
      case '.if':
        return this.to.number(rest!, line) !== 0n;
      case '.ifdef':
        return this.to.isDefined(rest!.trim());
      case '.ifndef':
        return !this.to.isDefined(rest!.trim());
      case '.ifb':
        return rest!.trim() === '';
      case '.ifnb':
        return rest!.trim() !== '';
      default:
        throw wrong(line, `${word} is not known here: .if, .ifdef, .ifndef, .ifb and .ifnb are`, word);
    }
  }

  private define(rest: string, body: readonly Line[], line: Line): void {
    const [, name, list] = /^([\w.$]+)\s*,?\s*(.*)$/.exec(rest) ?? [];
    if (name === undefined) throw wrong(line, '.macro needs a name: .macro NAME parameters');
    const parameters = list === '' ? [] : argumentsOf(list!).map(parameterOf);
    this.macros.set(name, { parameters, body });
  }

  private call(name: string, macro: Macro, text: string, line: Line, depth: number): void {
    const { parameters, body } = macro;
    const values = new Map(parameters.map((p) => [p.name, p.initial]));
    const given = givenTo(parameters, text);
    if (given.length > parameters.length)
      throw wrong(line, `the macro ${name} takes ${parameters.length} arguments, and ${given.length} are given`, name);
    given.forEach((value, n) => {
      const [, named, own] = /^(\w+)=(.*)$/.exec(value) ?? [];
      if (named !== undefined && values.has(named)) values.set(named, unquoted(own!));
      else if (value !== '') values.set(parameters[n]!.name, unquoted(value));
    });
    const missing = parameters.find((p) => p.required && values.get(p.name) === '');
    if (missing) throw wrong(line, `the macro ${name} needs a value for ${missing.name}`, name);
    this.run(
      filled(body, values, this.calls++).map((l) => ({ ...l, ...atCall(l, line) })),
      depth + 1,
    );
  }
}

/** A mistake in a macro is told where the macro is written, unless that is in another file. */
const atCall = (inner: Line, call: Line): Partial<Line> =>
  inner.file === call.file ? {} : { file: call.file, line: call.line, written: call.written };

function parameterOf(text: string): Parameter {
  const [, name = text, kind, initial] = /^([A-Za-z_]\w*)(?::(req|vararg))?(?:=(.*))?$/.exec(text) ?? [];
  return { name, initial: unquoted(initial ?? ''), required: kind === 'req', rest: kind === 'vararg' };
}

/** What a call gives to each parameter: the last one may take all that is left, commas too. */
function givenTo(parameters: readonly Parameter[], text: string): string[] {
  if (text === '') return [];
  if (!parameters.at(-1)?.rest) return argumentsOf(text);
  const before = parameters.length - 1;
  const parts = commaSeparated(text);
  const rest = parts.slice(before).join(', ');
  return parts.length <= before ? parts : [...parts.slice(0, before), rest];
}

/** Lines with `\NAME` replaced, `\()` left out, and `\@` the number of the call. */
function filled(body: readonly Line[], values: ReadonlyMap<string, string>, call: number): Line[] {
  const names = [...values.keys()].sort((a, b) => b.length - a.length);
  const replace = (text: string): string =>
    text.replace(/\\(\(\)|@|[A-Za-z_]\w*)/g, (all, word: string) => {
      if (word === '()') return '';
      if (word === '@') return `${call}`;
      const name = names.find((n) => word === n);
      return name === undefined ? all : values.get(name)!;
    });
  return body.map((line) => ({ ...line, text: replace(line.text) }));
}

/** The line that ends a block. */
function endOf(lines: readonly Line[], from: number, line: Line, opens: string): number {
  const isCondition = opens.startsWith('.if');
  const closes = isCondition ? '.endif' : ENDS[opens]!;
  let deep = 0;
  for (let n = from; n < lines.length; n++) {
    const word = /^\s*(?:[\w.$]+:\s*)?(\.\w+)/.exec(lines[n]!.text)?.[1] ?? '';
    const same = isCondition ? word.startsWith('.if') : ENDS[word] === closes;
    if (same) deep++;
    else if (word === closes && --deep === 0) return n;
  }
  throw wrong(line, `${closes} is missing: ${opens} has no end`, opens);
}
