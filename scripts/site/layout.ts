/** What is around the text of a page: menu, language, search. */
import { posix } from 'node:path';
import { escapeHtml } from './markdown.ts';
import { chineseName, englishName, type Language, languageOf, MENU } from './menu.ts';

const WORDS = {
  en: { search: 'Search headings', other: '简体中文', menu: 'Menu', lang: 'en' },
  zh: { search: '搜索标题', other: 'English', menu: '目录', lang: 'zh-CN' },
} as const;

/** The file of a page, or of a source, on the site. */
export const fileOf = (page: string): string =>
  page.endsWith('.md')
    ? page.replace(/README((?:\.zh-CN)?)\.md$/, 'index$1.md').replace(/\.md$/, '.html')
    : `${page}.html`;

/** The address of one file of the site from another. */
export const between = (from: string, to: string): string =>
  posix.relative(posix.dirname(from), to) || posix.basename(to);

export interface Site {
  /** Titles of the pages. */
  readonly titles: ReadonlyMap<string, string>;
}

/** The page in a language, where it is there. */
const inLanguage = (page: string, language: Language, { titles }: Site): string =>
  language === 'zh' && titles.has(chineseName(page)) ? chineseName(page) : page;

function menu(page: string, site: Site): string {
  const language = languageOf(page);
  const entry = (english: string): string => {
    const to = inLanguage(english, language, site);
    const here = to === page ? ' aria-current="page"' : '';
    return `<li><a href="${between(fileOf(page), fileOf(to))}"${here}>${escapeHtml(site.titles.get(to) ?? to)}</a></li>`;
  };
  return MENU.map(({ title, pages }) => `<h2>${title[language]}</h2><ul>${pages.map(entry).join('')}</ul>`).join('\n');
}

/** The link to the page's twin; from a page without one, to the first page of the other language. */
function otherLanguage(page: string, site: Site): string {
  const twin = languageOf(page) === 'en' ? chineseName(page) : englishName(page);
  const to = twin !== page && site.titles.has(twin) ? twin : 'README.zh-CN.md';
  return between(fileOf(page), fileOf(to));
}

/** A whole page of the site. @param page its name in the tree @param html its text */
export function wholePage(page: string, html: string, site: Site): string {
  const words = WORDS[languageOf(page)];
  const root = between(fileOf(page), 'index.html').replace(/index\.html$/, '');
  const title = site.titles.get(page) ?? page;
  return `<!doctype html>
<html lang="${words.lang}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title === 'loongscope' ? title : `${title} · loongscope`)}</title>
<link rel="stylesheet" href="${root}site.css">
<script defer src="${root}headings.js"></script>
<script defer src="${root}search.js"></script>
</head>
<body data-root="${root}" data-language="${languageOf(page)}">
<header>
<a class="home" href="${between(fileOf(page), fileOf(languageOf(page) === 'zh' ? 'README.zh-CN.md' : 'README.md'))}">loongscope</a>
<input type="search" placeholder="${words.search}" aria-label="${words.search}">
<a href="${otherLanguage(page, site)}">${words.other}</a>
<ol class="found" hidden></ol>
</header>
<div class="columns">
<nav><details open><summary>${words.menu}</summary>
${menu(page, site)}
</details></nav>
<main>
${html}</main>
</div>
</body>
</html>
`;
}
