/** Lines behind gdb's `monitor`. */
import { encodePacket, fromLatin1, latin1, toHex } from '../../../src/gdbstub/framing.ts';
import { COMMANDS } from '../../../src/gdbstub/monitor/commands.ts';
import { connected } from '../debugger.ts';
import { guarded, type Target } from '../oracle.ts';

const MOST_LINES = 16;

export const fuzz: Target = guarded({
  run: (data) =>
    connected(({ receive }) => {
      for (const line of latin1(data).split('\n').slice(0, MOST_LINES)) {
        // A line that begins so lets the machine go on.
        if (line.startsWith('!')) receive(fromLatin1(`$${line.slice(1, 2) === 's' ? 's#73' : 'c#63'}`));
        else receive(encodePacket(`qRcmd,${toHex(fromLatin1(line))}`));
      }
    }),
});

const WORDS = [
  'in host',
  'in 1',
  'in 1.0',
  'on',
  'off',
  'HVC',
  'plv 3',
  'gpa 0x1000-0x2000',
  'hypercall 0x100',
  'ESTAT',
  'g_CRMD',
  '== 0x1',
  '& 0xff == 0x1',
];

/** Each command alone and with an argument, and a few that belong together. */
export const seeds = (): Uint8Array[] => [
  ...COMMANDS.map(({ name }) => fromLatin1(`${name}\n${name} 1\n${name} 0x200000\n${name} on\n${name} host`)),
  ...[
    'catch vmexit in 1\n!c\nexplain\ninfo catches\ndelete catch 1',
    'watch phys 0x200000 8 rw if == 1\n!c\ninfo catches',
    'snapshot save x\n!s\nsnapshot load x\nexplain',
    'catch csr-write ESTAT & 0xff == 0x1 in host\n!c',
  ].map(fromLatin1),
];

export const dictionary: readonly (string | Uint8Array)[] = [
  ...COMMANDS.flatMap(({ name, args }) => [name, ...args.split(/[^A-Za-z-]+/)]).filter((w) => w.length > 1),
  ...WORDS,
  '\n!c\n',
  '\n!s\n',
  '0xffffffffffffffff',
  '0x200000',
  '-',
];
