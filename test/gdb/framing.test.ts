import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodePacket,
  escapeBinary,
  fromLatin1,
  hexToValue,
  latin1,
  PACKET_SIZE,
  PacketParser,
  parseHex,
  unescapeBinary,
  valueToHex,
} from '../../src/gdbstub/framing.ts';
import { gdbCrc } from '../../src/gdbstub/packets/memory.ts';
import { type Resumption, recognizeStep } from '../../src/gdbstub/soft-step.ts';
import { TARGET_XML } from '../../src/gdbstub/target-description.ts';
import { parseThreadPattern } from '../../src/gdbstub/threads.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('framing', () => {
  test('escaping is undone exactly and hides the framing characters', () => {
    fc.assert(
      fc.property(bytes, (data) => {
        const escaped = escapeBinary(data);
        expect([...unescapeBinary(escaped)]).toEqual([...data]);
        expect(latin1(escaped)).not.toMatch(/[#$*]/);
      }),
      { numRuns: 2000 },
    );
  });

  test('packets survive any cut of the stream, with noise between them', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 6 }), fc.infiniteStream(fc.nat(9)), (payloads, cuts) => {
        const stream = payloads.flatMap((p) => [0x2b, ...encodePacket(latin1(escapeBinary(p)))]);
        const parser = new PacketParser();
        const got: string[] = [];
        const sizes = cuts[Symbol.iterator]();
        for (let at = 0; at < stream.length; ) {
          const n = 1 + sizes.next().value!;
          for (const f of parser.push(Uint8Array.from(stream.slice(at, at + n))))
            if (f.kind === 'packet') got.push(f.payload);
          at += n;
        }
        expect(got).toEqual(payloads.map((p) => latin1(escapeBinary(p))));
      }),
      { numRuns: 500 },
    );
  });

  test('a wrong checksum, a packet too long and interrupts are told apart', () => {
    const parser = new PacketParser();
    const kinds = (text: string): string[] => parser.push(fromLatin1(text)).map((f) => f.kind);
    expect(kinds('$g#00')).toEqual(['bad-checksum']);
    expect(kinds('$g#67')).toEqual(['packet']);
    expect(kinds('$g#6')).toEqual([]);
    expect(kinds('7\x03+-')).toEqual(['packet', 'interrupt', 'ack', 'nack']);
    expect(kinds(`$${'a'.repeat(PACKET_SIZE + 10)}#00`)).toEqual(['too-long']);
    expect(kinds('$half$g#67')).toEqual(['packet']);
  });

  test('any bytes whatever never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), (data) => void new PacketParser().push(data)),
      { numRuns: 3000 },
    );
  });

  test('register values', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 256n) - 1n }), (v) => {
        expect(hexToValue(valueToHex(v, 32), 32)).toBe(v);
      }),
    );
    expect(valueToHex(0x1234n, 8)).toBe('3412000000000000');
    expect(hexToValue('3412', 8)).toBeUndefined();
    expect(hexToValue('zz', 1)).toBeUndefined();
  });

  test('numbers of packets', () => {
    expect(parseHex('00000000000000000000ff')).toBe(255n);
    expect(parseHex('FFFFFFFFFFFFFFFF')).toBe((1n << 64n) - 1n);
    for (const bad of ['', 'x', '1ffffffffffffffff', '-1', undefined]) expect(parseHex(bad)).toBeUndefined();
  });

  test('thread-ids', () => {
    expect(parseThreadPattern('p1.1')).toEqual({ pid: 1, tid: 1 });
    expect(parseThreadPattern('p11.-1')).toEqual({ pid: 17, tid: -1 });
    expect(parseThreadPattern('p2')).toEqual({ pid: 2, tid: -1 });
    expect(parseThreadPattern('-1')).toEqual({ pid: undefined, tid: -1 });
    for (const bad of ['', 'p', 'px.1', '1.1', 'p1.1.1']) expect(parseThreadPattern(bad)).toBeUndefined();
  });

  test('the CRC of compare-sections', () => {
    // As gdb computes it: start 0xffffffff, most significant bit first.
    expect(gdbCrc(new Uint8Array(0))).toBe(0xffffffff);
    expect(gdbCrc(fromLatin1('123456789'))).toBe(0x0376e6e7);
  });

  test('the target description names the five features of gdb, each register once', () => {
    for (const f of ['base', 'fpu', 'lsx', 'lasx', 'lbt'])
      expect(TARGET_XML).toContain(`name="org.gnu.gdb.loongarch.${f}"`);
    // LLDB has no other way to find these.
    for (const [name, role] of [
      ['pc', 'pc'],
      ['r1', 'ra'],
      ['r3', 'sp'],
      ['r22', 'fp'],
      ['r4', 'arg1'],
      ['r11', 'arg8'],
    ])
      expect(TARGET_XML).toMatch(new RegExp(`<reg name="${name}" [^>]*generic="${role}"`));
    const names = [...TARGET_XML.matchAll(/<reg name="([^"]+)"/g)].map((m) => m[1]);
    expect(new Set(names).size).toBe(names.length);
    const numbers = [...TARGET_XML.matchAll(/regnum="(\d+)"/g)].map((m) => m[1]);
    expect(new Set(numbers).size).toBe(numbers.length);
  });
});

describe('soft steps', () => {
  const P = 0x1000n;
  const read = { kind: 'read', address: P, length: 4 } as const;
  const insert = (address: bigint) => ({ kind: 'insert', address }) as const;

  const step = (resumption: Partial<Resumption>): bigint | undefined =>
    recognizeStep({
      pc: P,
      next: [P + 4n],
      journal: [],
      inserted: new Set([P + 4n]),
      before: new Set(),
      single: false,
      ...resumption,
    });

  test('stepi: the instruction is read, then the breakpoint planted behind it', () => {
    const journal = [insert(0x5000n), read, read, insert(P + 4n)];
    expect(step({ journal, inserted: new Set([0x5000n, P + 4n]) })).toBe(P + 4n);
  });

  test('a continue with user breakpoints is none', () => {
    expect(step({ journal: [insert(0x5000n)], inserted: new Set([0x5000n]) })).toBeUndefined();
    const journal = [read, insert(P + 4n), insert(0x5000n)];
    expect(step({ journal, inserted: new Set([P + 4n, 0x5000n]) })).toBeUndefined();
  });

  test('stepping off a breakpoint: it is lifted and one thread is named', () => {
    expect(step({ before: new Set([P]), single: true })).toBe(P + 4n);
    expect(step({ before: new Set([P]) })).toBeUndefined();
  });

  test('a user breakpoint already stands at the target', () => {
    expect(step({ journal: [insert(P + 4n), read] })).toBe(P + 4n);
  });
});
