/** `loongscope explain --json`: what programs read. The words are tested with the decoder. */
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { PROGRAM } from '../../src/cli/paths.ts';

const explain = (...codes: string[]): Promise<{ stdout: string; stderr: string; exitCode?: number | undefined }> =>
  execa(process.execPath, [PROGRAM, 'explain', ...codes], { reject: false });

test('a CSR value, a CSR, and an instruction word', async () => {
  const codes = ['estat=0x170000', 'gstat', '0x06483800'];
  const [estat, gstat, word] = JSON.parse((await explain('--json', ...codes)).stdout);
  expect(estat).toMatchObject({ code: 'estat=0x170000', csr: { name: 'ESTAT', number: '0x5', value: '0x170000' } });
  expect(estat.csr.fields).toContainEqual({ name: 'Ecode', lowest: 16, bits: 6, access: 'hw', value: '0x17' });
  expect(estat.lines).toContain('  cause: HVC, hypercall; no interrupt pending');
  expect(gstat.csr.fields).toContainEqual({ name: 'PGM', lowest: 1, bits: 1, access: 'rw' });
  expect(gstat.csr).not.toHaveProperty('value');
  expect(word).toMatchObject({ instruction: { word: '0x6483800', text: 'ertn' } });
  expect(word).not.toHaveProperty('csr');
});

test('the lines are those without --json', async () => {
  const codes = ['crmd=0xb0', 'pte=0x1200053', 'insn=0x06483800', '80'];
  const all = JSON.parse((await explain('--json', ...codes)).stdout) as { lines: string[] }[];
  expect(all.flatMap(({ lines }) => lines).join('\n')).toBe((await explain(...codes)).stdout);
});

test('a mistake is a line, and no JSON', async () => {
  const { stdout, stderr, exitCode } = await explain('--json', 'gstat', 'nothing');
  expect([stdout, stderr, exitCode]).toEqual(['', "loongscope: 'nothing' is not a number: write 0x… or decimal", 2]);
});
