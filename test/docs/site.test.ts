/** The site of the documents: every page, links that lead somewhere, and a real browser that shows it. */
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildSite } from '../../scripts/build-site.ts';
import { fileOf } from '../../scripts/site/layout.ts';
import { englishName, MENU } from '../../scripts/site/menu.ts';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';
import { launchChromium } from '../support/browser.ts';
import { PAGES } from './shown.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-site-'));
const site = join(folder, 'site');
beforeAll(() => void buildSite(PROJECT_ROOT, site));
afterAll(() => rmSync(folder, { recursive: true }));

const htmlOf = (file: string): string => readFileSync(join(site, file), 'utf8');
const files = (): string[] => globSync('**/*.html', { cwd: site });

describe('the site', () => {
  test('has every page, in both languages', () => {
    const chinese = globSync(['*.zh-CN.md', 'docs/zh-CN/**/*.md', 'labs/**/*.zh-CN.md'], { cwd: PROJECT_ROOT });
    expect(chinese.length).toBeGreaterThan(10);
    for (const page of [...PAGES, ...chinese]) expect(existsSync(join(site, fileOf(page))), page).toBe(true);
  });

  test('its menu has every page but decisions, once', () => {
    const listed = MENU.flatMap(({ pages }) => pages).sort();
    expect(listed).toEqual(PAGES.filter((page) => englishName(page) === page && !page.includes('/decisions/')));
  });

  test('links, anchors, styles and pictures of what was written lead somewhere', () => {
    const ids = new Map(
      files().map((file) => [file, new Set([...htmlOf(file).matchAll(/ id="([^"]*)"/g)].map((m) => m[1]!))]),
    );
    const wrong: string[] = [];
    for (const file of files())
      for (const [, target] of htmlOf(file).matchAll(/ (?:href|src)="([^"]*)"/g)) {
        if (/^[a-z]+:/.test(target!)) continue;
        const [path, anchor] = target!.split('#') as [string, string | undefined];
        const to = path === '' ? file : posix.join(posix.dirname(file), path);
        if (!existsSync(join(site, to))) wrong.push(`${file}: ${target}`);
        else if (anchor !== undefined && !ids.get(to)!.has(decodeURIComponent(anchor)))
          wrong.push(`${file}: ${target}`);
      }
    expect(wrong).toEqual([]);
  });

  test('shows HTML in a page as text', () => {
    const html = files().map(htmlOf).join('');
    expect(html.match(/<script(?! defer src="[^"]*(?:headings|search)\.js">)/g)).toBeNull();
  });
});

/** A tree with one page. */
function treeWith(text: string): string {
  const root = mkdtempSync(join(folder, 'tree-'));
  for (const [file, content] of [
    ['README.md', text],
    ['docs/other.md', '# Other\n\n## A part\n'],
  ] as const) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), content);
  }
  return root;
}

test('links that lead nowhere fail the build, all of them at once', () => {
  const root = treeWith(
    '# A\n\n[b](docs/missing.md) [c](docs/other.md#no-part) [d](docs/other.md#a-part) ![e](no.png)\n',
  );
  expect(() => buildSite(root, join(root, 'site'))).toThrow(
    'links that lead nowhere:\n  README.md: docs/missing.md\n  README.md: no.png\n  README.md: docs/other.md has no heading #no-part',
  );
  expect(existsSync(join(root, 'site'))).toBe(false);
});

test('markup of a page stays text', () => {
  const root = treeWith('# A <b>c</b>\n\nText <script>alert(1)</script> `<FILE>`\n\n<img src=x onerror=alert(1)>\n');
  buildSite(root, join(root, 'site'));
  const main = readFileSync(join(root, 'site', 'index.html'), 'utf8').split('<main>')[1]!;
  expect(main).not.toMatch(/<(?:script|img|b)\b/);
  expect(main).toContain('<code>&lt;FILE&gt;</code>');
});

test('a real browser: menu, search and the other language', { timeout: 60_000 }, async () => {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage({ viewport: { width: 1300, height: 900 } });
    const errors: string[] = [];
    page.on('pageerror', (error) => errors.push(error.message));
    await page.goto(pathToFileURL(join(site, 'index.html')).href);
    await page.getByRole('navigation').getByRole('link', { name: 'Debugging with gdb' }).click();
    expect(await page.locator('h1').first().textContent()).toBe('Debugging with gdb');
    await page.getByRole('searchbox').fill('world belong');
    await page.locator('.found a', { hasText: 'Breakpoints belong to worlds' }).click();
    expect(page.url()).toMatch(/docs\/gdb\.html#breakpoints-belong-to-worlds$/);
    await page.getByRole('navigation').getByRole('link', { name: 'Glossary' }).click();
    await page.getByRole('link', { name: '简体中文' }).click();
    expect(page.url()).toMatch(/docs\/zh-CN\/glossary\.html$/);
    expect(await page.locator('h1').first().textContent()).toBe('术语表');
    // Nothing is wider than the window, also on a telephone.
    await page.setViewportSize({ width: 390, height: 800 });
    for (const file of ['index.html', 'docs/gdb.html', 'docs/zh-CN/glossary.html', 'docs/csr.html']) {
      await page.goto(pathToFileURL(join(site, file)).href);
      expect(await page.evaluate(() => document.documentElement.scrollWidth), file).toBeLessThanOrEqual(390);
    }
    expect(errors).toEqual([]);
  } finally {
    await browser.close();
  }
});
