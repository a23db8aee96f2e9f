/** The menu of the site: every page, in the order in which a reader needs them. */

export type Language = 'en' | 'zh';

export interface MenuGroup {
  readonly title: Readonly<Record<Language, string>>;
  /** English pages. Those with a Chinese twin are shown in Chinese on Chinese pages. */
  readonly pages: readonly string[];
}

const docs = (...names: string[]): string[] => names.map((name) => `docs/${name}.md`);

export const MENU: readonly MenuGroup[] = [
  {
    title: { en: 'Begin', zh: '入门' },
    pages: [
      'README.md',
      ...docs('tour', 'your-hypervisor', 'tutorial/sync-exception', 'troubleshooting', 'glossary', 'README'),
    ],
  },
  {
    title: { en: 'Labs', zh: '实验' },
    pages: [
      'labs/README.md',
      ...[1, 2, 3, 4, 5, 6].map((n) => `labs/h${n}/README.md`),
      'labs/teachers.md',
      'docs/web.md',
    ],
  },
  {
    title: { en: 'Use', zh: '使用' },
    pages: docs(
      'gdb',
      'editors',
      'explain',
      'descriptors',
      'recordings',
      'explore',
      'snapshot',
      'kvm',
      'linux',
      'ci',
      'library',
    ),
  },
  {
    title: { en: 'Reference', zh: '参考' },
    pages: docs('cli', 'options', 'monitor', 'qemu-options', 'lvz', 'board', 'isa', 'csr', 'isa-notes'),
  },
  {
    title: { en: 'The house', zh: '内部' },
    pages: [
      ...docs('ARCHITECTURE', 'performance', 'oracle', 'manual-coverage', 'security', 'fuzzing', 'packages'),
      ...['src/hv/README.md', 'CONTRIBUTING.md'],
    ],
  },
];

/** The other language's name of an English page, which need not exist. */
export const chineseName = (page: string): string =>
  page.startsWith('docs/') ? page.replace('docs/', 'docs/zh-CN/') : page.replace('.md', '.zh-CN.md');

/** The English name of a page. */
export const englishName = (page: string): string => page.replace('zh-CN/', '').replace('.zh-CN', '');

export const languageOf = (page: string): Language => (page.includes('zh-CN') ? 'zh' : 'en');
