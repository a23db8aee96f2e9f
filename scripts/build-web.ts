/**
 * Builds the browser edition into one file, build/web/index.html: scripts, styles, worker, programs and texts are in it, so that it works
 * from any static host, and from a file.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Plugin, type Rollup } from 'vite';
import { PROJECT_ROOT } from '../src/cli/paths.ts';
import { webContent } from './web-content.ts';

const OUT = join(PROJECT_ROOT, 'build', 'web');
const source = (...path: string[]): string => join(PROJECT_ROOT, 'src', 'web', ...path);

/** Descriptors come with the page, and not from files. */
const descriptorsInside: Plugin = {
  name: 'descriptors inside',
  enforce: 'pre',
  resolveId: (id) => (id.endsWith('/descriptor-texts.ts') ? source('worker', 'descriptor-texts.ts') : undefined),
};

/** One script, with the styles that it imports. */
async function bundle(entry: string): Promise<{ script: string; styles: string }> {
  const built = await build({
    ...{ configFile: false, root: source(), logLevel: 'warn', publicDir: false },
    plugins: [descriptorsInside],
    build: {
      ...{ write: false, minify: true, target: 'es2023', modulePreload: false },
      // What is of Node would be left out with a warning, and fail in the page.
      rolldownOptions: {
        onwarn: (warning) => {
          throw new Error(warning.message);
        },
      },
      lib: { entry, formats: ['iife'], name: 'loongscope', fileName: 'script', cssFileName: 'styles' },
    },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const { output } = (Array.isArray(built) ? built[0]! : built) as Rollup.RollupOutput;
  const texts = (kind: string): string =>
    output
      .map((file) =>
        file.type === 'chunk'
          ? kind === 'js'
            ? file.code
            : ''
          : file.fileName.endsWith(`.${kind}`)
            ? `${file.source}`
            : '',
      )
      .join('');
  return { script: texts('js'), styles: texts('css') };
}

/** JSON that may stand in a script element. */
const inHtml = (value: unknown): string => JSON.stringify(value).replaceAll('<', '\\u003c');

const page = await bundle(source('page', 'main.tsx'));
const worker = await bundle(source('worker', 'main.ts'));
const html = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>loongscope</title>
<link rel="icon" href="data:,">
<style>${page.styles}</style>
</head>
<body>
<div id="app"><noscript>loongscope needs JavaScript: switch it on for this page.</noscript></div>
<script type="application/json" id="content">${inHtml(webContent())}</script>
<script type="application/json" id="worker">${inHtml(worker.script)}</script>
<script>${page.script.replaceAll('</script', '<\\/script')}</script>
</body>
</html>
`;
mkdirSync(OUT, { recursive: true });
writeFileSync(join(OUT, 'index.html'), html);
