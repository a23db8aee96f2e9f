/** Compares transcripts with golden files. Parts that differ between machines or builds are replaced first. */
import { expect } from 'vitest';

/** The gdb version of the golden files. */
const RECORDED_MAJOR = 18;

/** Replaces the parts of a transcript that differ between machines: addresses of code and data, ports, ticks, paths of the checkout. */
export function stable(output: string, root: string): string {
  return (
    output
      .replaceAll(root, '.')
      // Only a computer that is busy says where it is.
      .replace(/^(looking back|replaying), at instruction \d+\n/gm, '')
      .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
      .replace(/\/tmp\/\S+/g, 'TMP')
      .replace(/0x[0-9a-f]{5,16}\b/g, '0xADDRESS')
      .replace(/\+(0x[0-9a-f]+|\d+)>/g, '+OFFSET>')
      .replace(/\[\d{5,}\]/g, '[TICK]')
      .replace(/\{\d{5,}\}/g, '{INSTRUCTION}')
      .replace(/tick \d+/g, 'tick N')
      .replace(/in the \d+ instructions before/g, 'in the N instructions before')
      .replace(/instructions? \d+/g, 'instruction N')
      .replace(/[ \t]+$/gm, '')
  );
}

/** Compares a transcript with test/gdb/golden/NAME.txt, if gdb has the recorded version. */
export async function expectGolden(output: string, name: string, root: string, major: number): Promise<void> {
  if (major !== RECORDED_MAJOR) return;
  await expect(stable(output, root)).toMatchFileSnapshot(`../gdb/golden/${name}.txt`);
}
