/** The glossary explains the words with which the other pages say things that a newcomer does not know. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT_ROOT } from '../../src/cli/paths.ts';

const terms = [
  ...readFileSync(join(PROJECT_ROOT, 'docs', 'glossary.md'), 'utf8').matchAll(/^\| ([^|]+?) \|/gm),
].flatMap(([, cell]) => cell!.replaceAll('`', '').split(', '));

test.each([
  ...['host', 'guest', 'world', 'world switch', 'VM', 'vCPU', 'process 17', 'process 2', 'port', 'in transition'],
  ...['descriptor', 'nested', 'VMM', 'LVZ', 'GID', 'TGID', 'PGM', 'ertn', 'entry', 'exit', 'hvcl', 'GSPR', 'stage 1'],
  ...['stage 2', 'GVA', 'GPA', 'HPA', 'injection', 'CSR', 'IOCSR', 'exception', 'PLV', 'TLB refill', 'vector', 'ASID'],
  ...['STLB', 'IPI', 'catch', 'packet', 'explanation', 'auditor', 'finding', 'loop', 'recording', 'snapshot', 'moment'],
  ...['bookmark', 'dial', 'seed', 'virtual time', 'engine', 'region', 'code cache', 'sandbox', 'quirk'],
])('%s', (term) => {
  expect(terms).toContain(term);
});

test('no term has two rows', () => {
  expect(terms.filter((term, n) => terms.indexOf(term) !== n && !['English', 'term', '---'].includes(term))).toEqual(
    [],
  );
});
