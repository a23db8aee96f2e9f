/** A page of Markdown as HTML: headings with anchors as GitHub makes them, links to the pages of the site, nothing that is not Markdown. */
import { Marked, type Tokens } from 'marked';

/** A heading that a link can name. */
export interface Heading {
  readonly depth: number;
  readonly text: string;
  readonly anchor: string;
}

export interface Converted {
  readonly html: string;
  readonly headings: readonly Heading[];
}

export const escapeHtml = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

/** The anchor of a heading, as GitHub makes it. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');

/**
 * @param address where a link of the page leads on the site; undefined: nowhere, and its text stays
 * @param image the address of a picture
 */
export function convert(
  markdown: string,
  address: (target: string) => string | undefined,
  image: (target: string) => string,
): Converted {
  const headings: Heading[] = [];
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading): string {
        const plain = text.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
        const anchor = anchorOf(plain);
        headings.push({ depth, text: plain, anchor });
        return `<h${depth} id="${escapeHtml(anchor)}"><a class="anchor" href="#${encodeURIComponent(anchor)}">${this.parser.parseInline(tokens)}</a></h${depth}>\n`;
      },
      link({ href, tokens }: Tokens.Link): string {
        const to = address(href);
        const inner = this.parser.parseInline(tokens);
        return to === undefined ? inner : `<a href="${escapeHtml(to)}">${inner}</a>`;
      },
      image({ href, text }: Tokens.Image): string {
        return `<img src="${escapeHtml(image(href))}" alt="${escapeHtml(text)}">`;
      },
      table(token: Tokens.Table): string {
        const cells = (row: Tokens.TableCell[], tag: string): string =>
          `<tr>${row.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join('')}</tr>`;
        const body = token.rows.map((row) => cells(row, 'td')).join('\n');
        return `<div class="table"><table><thead>${cells(token.header, 'th')}</thead><tbody>\n${body}\n</tbody></table></div>\n`;
      },
      html({ text }: Tokens.HTML | Tokens.Tag): string {
        return escapeHtml(text);
      },
    },
  });
  return { html: marked.parse(markdown, { async: false }), headings };
}
