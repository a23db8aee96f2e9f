/** The memory of hot code between runs: a hint that may be damaged, outdated or shared. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { CodeCache } from '../../src/cli/code-cache.ts';
import { HotPages } from '../../src/emu/engine/translator/hot-pages.ts';
import { TestMachine } from '../support/test-machine.ts';

const folder = mkdtempSync(join(tmpdir(), 'loongscope-cache-'));
afterAll(() => rmSync(folder, { recursive: true }));
const CODE = ['addi.d $a0, $a0, 1', 'b -4'];

describe('hot pages', () => {
  test('what is written is read again', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.stringMatching(/^[a-z0-9]{1,14}$/), fc.nat(1023), fc.nat(1023), fc.nat(1023))),
        (notes) => {
          const pages = new HotPages();
          for (const [key, entry, to, from] of notes) pages.note(key, entry, new Map([[to, from]]));
          const again = HotPages.parse(pages.serialize());
          for (const [key, entry] of notes) expect(again.find(key)?.entries.has(entry)).toBe(true);
          expect(again.serialize()).toBe(pages.serialize());
        },
      ),
    );
  });

  test('anything else is as good as nothing', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(HotPages.parse(text).size).toBe(0);
      }),
    );
    expect(HotPages.parse('{"version":0,"pages":{"a":{"entries":[1],"jumps":[]}}}').size).toBe(0);
    expect(HotPages.parse('{"version":1,"pages":{"a":{"entries":[1024],"jumps":[]},"b":{"entries":[1]}}}').size).toBe(
      1,
    );
  });

  test('it does not grow without end', () => {
    const pages = new HotPages();
    for (let n = 0; n < 5000; n++) pages.note(`p${n}`, n % 1024, new Map());
    expect(pages.size).toBe(4096);
    expect(pages.find('p0')).toBeUndefined();
    expect(pages.find('p4999')).toBeDefined();
  });

  test('a hot page of an earlier run is translated at its first branch, and runs the same', () => {
    const first = new TestMachine({ engine: 'auto', code: CODE });
    const notes = new HotPages();
    first.machine.regions!.hotPages = notes;
    first.run(2_000_000);
    expect(notes.size).toBe(1);
    const second = new TestMachine({ engine: 'auto', code: CODE });
    second.machine.regions!.hotPages = HotPages.parse(notes.serialize());
    second.run(600_000).run(600_000);
    expect(second.machine.regions!.translated).toBeGreaterThan(0);
    expect(second.get('a0')).toBe(600_000n);
  });

  test('two writers leave a whole file with the notes of both', () => {
    const file = join(folder, 'shared.json');
    const [a, b] = [new HotPages(), new HotPages()];
    a.note('one', 1, new Map());
    b.note('two', 2, new Map());
    expect(new CodeCache(file).write(a)).toBeUndefined();
    expect(new CodeCache(file).write(b)).toBeUndefined();
    const both = new CodeCache(file).read();
    expect([both.find('one')?.entries.has(1), both.find('two')?.entries.has(2)]).toEqual([true, true]);
  });

  test('a damaged file is replaced; one that cannot be written is said', () => {
    const file = join(folder, 'damaged.json');
    writeFileSync(file, '{"version":1,"pages":{"x"');
    expect(new CodeCache(file).read().size).toBe(0);
    const pages = new HotPages();
    pages.note('k', 3, new Map());
    expect(new CodeCache(file).write(pages)).toBeUndefined();
    expect(readFileSync(file, 'utf8')).toBe(pages.serialize());
    expect(new CodeCache('/proc/nothing/hot.json').write(pages)).toMatch(/ENOENT|EACCES/);
  });
});
