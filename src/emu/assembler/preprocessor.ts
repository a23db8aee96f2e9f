/**
 * As much of the C preprocessor as assembly needs: comments, `#include` of known files, `#define` with and without arguments,
 * `#undef`, `#if`, `#ifdef`, `#ifndef`, `#elif`, `#else`, `#endif`.
 */
import { type Line, wrong } from './asm-error.ts';
import { evaluate } from './expression.ts';

/** Files that can be included, by name. */
export type Includes = Readonly<Record<string, string>>;

interface Macro {
  /** Undefined: it takes none, and no parentheses. */
  readonly parameters: readonly string[] | undefined;
  readonly body: string;
}

/** Of a condition around a line: its lines are wanted now; a later part may be; none of them is any more. */
type Condition = 'now' | 'open' | 'over';

const MOST_DEPTH = 32;
/** What a line consists of for the preprocessor: texts, numbers, names, and the rest. */
const WORDS = /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)'|\.?\d[\w.]*|[A-Za-z_]\w*|[\s\S]/g;
const NAME = /^[A-Za-z_]\w*$/;
/** Characters of a line when its macros are replaced. */
const MOST_LENGTH = 10_000;

/** Comments become spaces; line ends stay. */
const withoutComments = (text: string): string =>
  text.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)'|\/\*[\s\S]*?(?:\*\/|$)|\/\/[^\n]*/g, (m) =>
    m.startsWith('/') ? m.replace(/[^\n]/g, ' ') : m,
  );

/** Arguments between parentheses, and what comes behind them; undefined where they do not end. */
function argumentsOf(words: readonly string[], from: number): { args: string[]; next: number } | undefined {
  const args = [''];
  let depth = 0;
  for (let n = from; n < words.length; n++) {
    const word = words[n]!;
    if (word === '(' && depth++ === 0) continue;
    if (word === ')' && --depth === 0) return { args: args.map((a) => a.trim()), next: n + 1 };
    if (word === ',' && depth === 1) args.push('');
    else args[args.length - 1] += word;
  }
  return undefined;
}

class Preprocessor {
  private readonly includes: Includes;
  private readonly macros = new Map<string, Macro>([['__ASSEMBLER__', { parameters: undefined, body: '1' }]]);
  readonly lines: Line[] = [];

  constructor(includes: Includes) {
    this.includes = includes;
  }

  file(name: string, text: string, depth: number): void {
    const written = text.split('\n');
    const clean = withoutComments(text).split('\n');
    const wanted: Condition[] = [];
    for (let n = 0; n < clean.length; n++) {
      const number = n + 1;
      let joined = clean[n]!;
      while (joined.endsWith('\\') && n + 1 < clean.length) joined = `${joined.slice(0, -1)} ${clean[++n]!}`;
      const line: Line = { text: joined, file: name, line: number, written: written[number - 1]! };
      const [, directive, rest = ''] = /^\s*#\s*(\w+)\s*(.*)$/.exec(joined) ?? [];
      if (directive !== undefined) this.directive(line, directive, rest.trim(), wanted, depth);
      else if (wanted.every((c) => c === 'now')) this.lines.push({ ...line, text: this.expanded(joined, line, []) });
    }
    if (wanted.length > 0) {
      const last = { text: '', file: name, line: written.length, written: '' };
      throw wrong(last, '#endif is missing: write one for each #if, #ifdef and #ifndef');
    }
  }

  private directive(line: Line, directive: string, rest: string, wanted: Condition[], depth: number): void {
    const around = wanted.every((c) => c === 'now');
    const begin = (isMet: boolean): void => void wanted.push(!around ? 'over' : isMet ? 'now' : 'open');
    switch (directive) {
      case 'if':
        begin(around && this.isTrue(rest, line));
        return;
      case 'ifdef':
        begin(this.macros.has(rest));
        return;
      case 'ifndef':
        begin(!this.macros.has(rest));
        return;
      case 'elif':
      case 'else': {
        const before = wanted.pop();
        if (before === undefined) throw wrong(line, `#${directive} without #if before it`);
        const isMet = before === 'open' && (directive === 'else' || this.isTrue(rest, line));
        wanted.push(isMet ? 'now' : before === 'now' ? 'over' : before);
        return;
      }
      case 'endif':
        if (wanted.pop() === undefined) throw wrong(line, '#endif without #if before it');
        return;
      default:
        if (around) this.command(line, directive, rest, depth);
    }
  }

  private command(line: Line, directive: string, rest: string, depth: number): void {
    switch (directive) {
      case 'include':
        this.include(line, rest, depth);
        return;
      case 'define': {
        const [, name, parameters, body] = /^([A-Za-z_]\w*)(?:\(([^)]*)\))?\s*(.*)$/.exec(rest) ?? [];
        if (name === undefined) throw wrong(line, `#define needs a name: #define NAME value`);
        const names = parameters?.split(',').map((p) => p.trim());
        this.macros.set(name, { parameters: names, body: body! });
        return;
      }
      case 'undef':
        this.macros.delete(rest);
        return;
      default:
      // `# words` is a comment of the assembler.
    }
  }

  /** The condition of `#if`. Names that mean nothing are 0. */
  private isTrue(text: string, line: Line): boolean {
    const asked = text.replace(/defined\s*(?:\(\s*(\w+)\s*\)|(\w+))/g, (_, a?: string, b?: string) =>
      this.macros.has(a ?? b!) ? '1' : '0',
    );
    const names = { lookup: () => ({ number: 0n, symbol: undefined }), distance: () => undefined };
    return evaluate(this.expanded(asked, line, []), line, names).number !== 0n;
  }

  private include(line: Line, rest: string, depth: number): void {
    const name = /^"([^"]+)"$/.exec(rest)?.[1];
    // Files are known by their last names.
    const text = name === undefined ? undefined : this.includes[name.replace(/^.*\//, '')];
    if (name === undefined || text === undefined) {
      const known = Object.keys(this.includes).join(', ') || 'none';
      throw wrong(line, `#include of ${rest || 'nothing'}: files that can be included: ${known}`, rest);
    }
    if (depth === MOST_DEPTH) throw wrong(line, `#include of ${rest}: it includes itself`, rest);
    this.file(name, text, depth + 1);
  }

  /** A text with its macros replaced. @param within macros that it comes from: they are not replaced again */
  private expanded(text: string, line: Line, within: readonly string[]): string {
    if (within.length === MOST_DEPTH) return text;
    const words = text.match(WORDS) ?? [];
    let out = '';
    for (let n = 0; n < words.length; n++) {
      const word = words[n]!;
      const macro = NAME.test(word) && !within.includes(word) ? this.macros.get(word) : undefined;
      if (!macro) {
        out += word;
        continue;
      }
      const called = macro.parameters && words[n + 1] === '(' ? argumentsOf(words, n + 1) : undefined;
      if (macro.parameters && !called) {
        out += word;
        continue;
      }
      if (called) n = called.next - 1;
      const body = called ? this.filled(macro, word, called.args, line) : macro.body;
      out += this.expanded(body, line, [...within, word]);
      if (out.length > MOST_LENGTH) throw wrong(line, `${word} becomes more than ${MOST_LENGTH} characters`, word);
    }
    return out;
  }

  private filled({ parameters, body }: Macro, name: string, args: readonly string[], line: Line): string {
    const wanted = parameters!.filter(Boolean).length;
    const given = args.length === 1 && args[0] === '' ? 0 : args.length;
    if (given !== wanted) throw wrong(line, `${name} takes ${wanted} arguments, and ${given} are given`, name);
    const whole = (body.match(WORDS) ?? []).map((w) => args[parameters!.indexOf(w)] ?? w).join('');
    return whole.replace(/\s*##\s*/g, '');
  }
}

/** The lines of a file, preprocessed. @throws AsmError */
export function preprocess(name: string, text: string, includes: Includes): Line[] {
  const preprocessor = new Preprocessor(includes);
  preprocessor.file(name, text.replaceAll('\r\n', '\n'), 0);
  return preprocessor.lines;
}
