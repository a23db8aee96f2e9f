/** Reads the Markdown that the project's pages use: headings, paragraphs, code, lists, tables, emphasis, links. */

/** A piece of a line. */
export type Span =
  | { readonly kind: 'text' | 'code' | 'strong' | 'emphasis'; readonly text: string }
  | { readonly kind: 'link'; readonly text: string; readonly to: string };

export type Block =
  | { readonly kind: 'heading'; readonly level: number; readonly spans: readonly Span[] }
  | { readonly kind: 'paragraph' | 'quote'; readonly spans: readonly Span[] }
  | { readonly kind: 'code'; readonly text: string }
  | { readonly kind: 'list'; readonly ordered: boolean; readonly items: readonly (readonly Span[])[] }
  | {
      readonly kind: 'table';
      readonly head: readonly (readonly Span[])[];
      readonly rows: readonly (readonly Span[])[][];
    };

const SPAN = /`([^`]+)`|\*\*([^*]+)\*\*|\*([^*]+)\*|\[([^\]]+)\]\(([^)]+)\)/g;

export function spansOf(text: string): Span[] {
  const spans: Span[] = [];
  let at = 0;
  for (const found of text.matchAll(SPAN)) {
    if (found.index > at) spans.push({ kind: 'text', text: text.slice(at, found.index) });
    const [whole, code, strong, emphasis, link, to] = found;
    if (code !== undefined) spans.push({ kind: 'code', text: code });
    else if (strong !== undefined) spans.push({ kind: 'strong', text: strong });
    else if (emphasis !== undefined) spans.push({ kind: 'emphasis', text: emphasis });
    else spans.push({ kind: 'link', text: link!.replaceAll('`', ''), to: to! });
    at = found.index + whole.length;
  }
  if (at < text.length) spans.push({ kind: 'text', text: text.slice(at) });
  return spans;
}

const ITEM = /^(?:[-*]|(\d+)\.) +(.*)$/;
/** Lines that end a paragraph. */
const OTHER = /^(#{1,6} |```|\||>|[-*] |\d+\. )/;

const cells = (line: string): Span[][] =>
  line
    .replace(/^\||\|$/g, '')
    .split(/(?<!\\)\|/)
    .map((cell) => spansOf(cell.trim().replaceAll('\\|', '|')));

export function parseMarkdown(source: string): Block[] {
  const lines = source.split('\n');
  const blocks: Block[] = [];
  let n = 0;
  /** The next lines as long as they fit. */
  const take = (fits: (line: string) => boolean): string[] => {
    const from = n;
    while (n < lines.length && fits(lines[n]!)) n++;
    return lines.slice(from, n);
  };
  while (n < lines.length) {
    const line = lines[n]!;
    const heading = /^(#{1,6}) +(.*)$/.exec(line);
    if (line.trim() === '') n++;
    else if (heading) {
      blocks.push({ kind: 'heading', level: heading[1]!.length, spans: spansOf(heading[2]!) });
      n++;
    } else if (line.startsWith('```')) {
      n++;
      const text = take((l) => !l.startsWith('```')).join('\n');
      n++;
      blocks.push({ kind: 'code', text });
    } else if (line.startsWith('|')) {
      const [head, , ...rows] = take((l) => l.startsWith('|'));
      blocks.push({ kind: 'table', head: cells(head!), rows: rows.map(cells) });
    } else if (ITEM.test(line)) {
      const ordered = ITEM.exec(line)![1] !== undefined;
      // A line that is indented belongs to the item before it.
      const items: string[] = [];
      for (const l of take((l) => ITEM.test(l) || /^ +\S/.test(l))) {
        const item = ITEM.exec(l);
        if (item) items.push(item[2]!);
        else items.push(`${items.pop()} ${l.trim()}`);
      }
      blocks.push({ kind: 'list', ordered, items: items.map(spansOf) });
    } else if (line.startsWith('>')) {
      const text = take((l) => l.startsWith('>')).map((l) => l.replace(/^> ?/, ''));
      blocks.push({ kind: 'quote', spans: spansOf(text.join(' ')) });
    } else {
      n++;
      const text = [line, ...take((l) => l.trim() !== '' && !OTHER.test(l))];
      blocks.push({ kind: 'paragraph', spans: spansOf(text.join(' ')) });
    }
  }
  return blocks;
}
