/**
 * Builds the documents as a static site, build/site: every page in both languages, and the sources that they link to. A link that leads nowhere is an
 * error. docs/decisions/0011-site.md says why no generator is used.
 */
import { copyFileSync, existsSync, globSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { between, fileOf, type Site, wholePage } from './site/layout.ts';
import { type Converted, convert, escapeHtml } from './site/markdown.ts';
import { languageOf } from './site/menu.ts';

export const SITE = join(PROJECT_ROOT, 'build', 'site');
const PATTERNS = ['README*.md', 'CONTRIBUTING.md', 'docs/**/*.md', 'labs/**/*.md', 'src/hv/*.md'];
const PARTS = fileURLToPath(new URL('./site/', import.meta.url));
/** Larger files are data, which nobody reads on a page. */
const MOST_SOURCE = 200_000;

/** A target with a scheme leads elsewhere. */
const isOutside = (target: string): boolean => /^[a-z]+:/.test(target);

class Builder {
  /** The folder of the tree. */
  private readonly root: string;
  private readonly out: string;
  private readonly pages: readonly string[];
  private readonly converted = new Map<string, Converted>();
  /** Files that pages link to and that are no pages. */
  private readonly sources = new Set<string>();
  private readonly images = new Set<string>();
  /** Anchors that links name: page that has the link, page, anchor. */
  private readonly wanted: [from: string, page: string, anchor: string][] = [];
  private readonly dead: string[] = [];

  constructor(root: string, out: string) {
    this.root = root;
    this.out = out;
    this.pages = PATTERNS.flatMap((pattern) => globSync(pattern, { cwd: root })).sort();
  }

  build(): { pages: number; sources: number } {
    for (const page of this.pages) this.converted.set(page, this.convert(page));
    for (const [from, page, anchor] of this.wanted)
      if (!this.converted.get(page)!.headings.some((heading) => heading.anchor === anchor))
        this.dead.push(`${from}: ${page} has no heading #${anchor}`);
    if (this.dead.length > 0) throw new Error(`links that lead nowhere:\n  ${this.dead.join('\n  ')}`);
    const titles = new Map([...this.converted].map(([page, { headings }]) => [page, headings[0]?.text ?? page]));
    rmSync(this.out, { recursive: true, force: true });
    for (const [page, { html }] of this.converted) this.write(fileOf(page), wholePage(page, html, { titles }));
    for (const source of this.sources) this.write(fileOf(source), this.sourcePage(source, { titles }));
    for (const image of this.images) this.copy(join(this.root, image), image);
    for (const part of ['site.css', 'search.js']) this.copy(join(PARTS, part), part);
    this.write('headings.js', `globalThis.HEADINGS = ${JSON.stringify(this.headings(titles))};\n`);
    return { pages: this.pages.length, sources: this.sources.size };
  }

  private convert(page: string): Converted {
    const text = readFileSync(join(this.root, page), 'utf8');
    const resolve = (target: string): string => posix.join(posix.dirname(page), target);
    return convert(
      text,
      (target) => (isOutside(target) ? target : this.address(page, target, resolve)),
      (target) => {
        const image = resolve(target);
        if (existsSync(join(this.root, image))) this.images.add(image);
        else this.dead.push(`${page}: ${target}`);
        return target;
      },
    );
  }

  private address(page: string, target: string, resolve: (target: string) => string): string | undefined {
    const [file, anchor] = target.split('#') as [string, string | undefined];
    const to = file === '' ? page : resolve(file).replace(/\/$/, '');
    const path = join(this.root, to);
    if (!existsSync(path)) {
      this.dead.push(`${page}: ${target}`);
      return undefined;
    }
    if (this.pages.includes(to)) {
      if (anchor !== undefined) this.wanted.push([page, to, decodeURIComponent(anchor)]);
      return `${file === '' ? '' : between(fileOf(page), fileOf(to))}${anchor === undefined ? '' : `#${anchor}`}`;
    }
    // A folder has no page, and data are no text.
    const stat = statSync(path);
    if (!stat.isFile() || stat.size > MOST_SOURCE) return undefined;
    this.sources.add(to);
    return between(fileOf(page), fileOf(to));
  }

  private sourcePage(source: string, site: Site): string {
    const text = readFileSync(join(this.root, source), 'utf8');
    const html = `<h1>${escapeHtml(source)}</h1>\n<pre><code>${escapeHtml(text)}</code></pre>\n`;
    return wholePage(source, html, { titles: new Map([...site.titles, [source, source]]) });
  }

  /** Headings for the search: language, address, title of the page, heading. */
  private headings(titles: ReadonlyMap<string, string>): [string, string, string, string][] {
    return [...this.converted].flatMap(([page, { headings }]) =>
      headings.map(({ text, anchor }): [string, string, string, string] => [
        languageOf(page),
        `${fileOf(page)}#${anchor}`,
        titles.get(page)!,
        text,
      ]),
    );
  }

  private write(file: string, text: string): void {
    const path = join(this.out, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  private copy(from: string, file: string): void {
    const path = join(this.out, file);
    mkdirSync(dirname(path), { recursive: true });
    copyFileSync(from, path);
  }
}

/**
 * Builds the site.
 * @param root the tree with the documents
 * @param out a folder, which is made anew
 * @throws Error naming each link that leads nowhere
 */
export const buildSite = (root: string, out: string): { pages: number; sources: number } =>
  new Builder(root, out).build();

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { pages, sources } = buildSite(PROJECT_ROOT, SITE);
  process.stdout.write(`${pages} pages and ${sources} sources in build/site: begin with build/site/index.html\n`);
}
