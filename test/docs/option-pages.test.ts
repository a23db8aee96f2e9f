/** The tables of options and monitor commands have everything that is declared, in a form that a page can show. */
import { expect, test } from 'vitest';
import { monitorPage, optionsPage } from '../../scripts/option-pages.ts';
import { declareProgram } from '../../src/cli/commands.ts';
import { COMMANDS } from '../../src/gdbstub/monitor/commands.ts';

const cells = (row: string): number => row.replaceAll('\\|', '').split('|').length - 2;
const rows = (page: string): string[] => page.split('\n').filter((line) => line.startsWith('|'));

test.each([
  ['options.md', optionsPage()],
  ['monitor.md', monitorPage()],
])('every row of %s has two cells', (_, page) => {
  expect(rows(page).length).toBeGreaterThan(40);
  expect(rows(page).filter((row) => cells(row) !== 2)).toEqual([]);
});

test('every command has a section, with the options that run has not', () => {
  const page = optionsPage();
  const run = page.slice(page.indexOf('\n## run\n'), page.indexOf('\n## replay\n'));
  for (const command of declareProgram(() => {}).commands) {
    const section = page.slice(page.indexOf(`\n## ${command.name()}\n`));
    expect(section, command.name()).not.toBe(page.slice(-1));
    for (const { flags } of command.options)
      expect(section + run, flags).toContain(`\`${flags.replaceAll('|', '\\|')}\``);
  }
});

test('every monitor command has a row', () => {
  for (const { name } of COMMANDS) expect(monitorPage()).toContain(`| \`${name}`);
});
