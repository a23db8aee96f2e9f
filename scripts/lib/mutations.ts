/** Finds small mistakes that can be made in TypeScript source, for a mutation run (scripts/mutate.ts). */
import { parseAst } from 'rolldown/parseAst';

/** One mistake: the text from `start` to `end` becomes `after`. */
export interface Mutation {
  readonly start: number;
  readonly end: number;
  readonly after: string;
}

const OPERATORS: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '+',
  '/': '*',
  '%': '*',
  '&': '|',
  '|': '&',
  '^': '&',
  '<<': '>>',
  '>>': '<<',
  '>>>': '<<',
  '&&': '||',
  '||': '&&',
};
/** Nodes that have no effect when a program runs. */
const SKIPPED = /^(TS|Import|ThrowStatement|TemplateLiteral|Decorator)/;
/** Statements of these kinds can be left out, and the source is still valid. */
const DROPPED = new Set(['CallExpression', 'AssignmentExpression', 'UpdateExpression']);

type Node = { readonly type: string; readonly start: number; readonly end: number } & Readonly<Record<string, unknown>>;
const isNode = (x: unknown): x is Node => x !== null && typeof x === 'object' && 'type' in x && 'start' in x;

/** Every mutation of a source text, in the order of their places. @throws Error when it cannot be parsed */
export function mutationsOf(source: string): Mutation[] {
  const out: Mutation[] = [];
  const text = (n: Node): string => source.slice(n.start, n.end);
  const condition = (n: unknown): void => {
    if (isNode(n) && n.type !== 'Literal') out.push({ start: n.start, end: n.end, after: `!(${text(n)})` });
  };
  const own = (n: Node): void => {
    switch (n.type) {
      case 'BinaryExpression':
      case 'LogicalExpression': {
        const after = OPERATORS[n.operator as string];
        const [left, right] = [n.left as Node, n.right as Node];
        const start = source.indexOf(n.operator as string, left.end);
        // Plus also joins texts.
        const joins = [left, right].some((x) => typeof x.value === 'string' || x.type === 'TemplateLiteral');
        if (after && !joins && start < right.start)
          out.push({ start, end: start + (n.operator as string).length, after });
        return;
      }
      case 'Literal':
        if (typeof n.value === 'boolean') out.push({ start: n.start, end: n.end, after: `${!n.value}` });
        if (typeof n.value === 'number')
          for (const by of [' + 1', ' - 1']) out.push({ start: n.start, end: n.end, after: `(${text(n)}${by})` });
        return;
      case 'UnaryExpression':
        if (n.operator === '!') out.push({ start: n.start, end: n.start + 1, after: '' });
        return;
      case 'IfStatement':
      case 'ConditionalExpression':
        condition(n.test);
        return;
      case 'ExpressionStatement':
        if (DROPPED.has((n.expression as Node).type) && (n.expression as { callee?: Node }).callee?.type !== 'Super')
          out.push({ start: n.start, end: n.end, after: ';' });
        return;
      default:
    }
  };
  const visit = (x: unknown): void => {
    if (Array.isArray(x)) for (const y of x) visit(y);
    if (!isNode(x) || SKIPPED.test(x.type)) {
      // The type in a type assertion is skipped, but the expression is not.
      if (isNode(x) && isNode(x.expression)) visit(x.expression);
      return;
    }
    own(x);
    for (const [key, value] of Object.entries(x)) {
      const name = key === 'key' || (key === 'property' && x.computed === false);
      if (!name && typeof value === 'object') visit(value);
    }
  };
  visit(parseAst(source, { lang: 'ts' }).body);
  return out.sort((a, b) => a.start - b.start || a.end - b.end);
}

/** The source with the mistake in it. */
export const mutated = (source: string, { start, end, after }: Mutation): string =>
  source.slice(0, start) + after + source.slice(end);

/** Where a mutation is and what it does, on one line: `LINE:COLUMN  BEFORE → AFTER`. */
export function describeMutation(source: string, { start, end, after }: Mutation): string {
  const before = source.slice(0, start).split('\n');
  const short = (s: string): string => (s.length > 60 ? `${s.slice(0, 57)}...` : s).replace(/\s+/g, ' ');
  return `${before.length}:${before.at(-1)!.length + 1}  ${short(source.slice(start, end))} → ${short(after) || '(nothing)'}`;
}
