/** Bytes from a gdb that has lost its mind. Packets need no checksum here: what follows the `#` is put right. */
import { encodePacket, fromLatin1, latin1, PacketParser } from '../../../src/gdbstub/framing.ts';
import { PACKETS } from '../../../src/gdbstub/packets/index.ts';
import { connected } from '../debugger.ts';
import { Fault, guarded, type Target } from '../oracle.ts';

/** Separates packets of an input. A part that begins with RAW goes to the parser without change. */
const SEPARATOR = 0x0a;
const RAW = 0x01;
const MOST_PACKETS = 32;

/** The parts of an input. */
function pieces(data: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  let from = 0;
  for (let at = 0; at <= data.length && out.length < MOST_PACKETS; at++)
    if (at === data.length || data[at] === SEPARATOR) {
      out.push(data.subarray(from, at));
      from = at + 1;
    }
  return out;
}

export const fuzz: Target = guarded({
  run: (data) =>
    connected(({ receive, sent }) => {
      for (const piece of pieces(data)) {
        if (piece[0] === RAW) receive(piece.subarray(1));
        else receive(encodePacket(latin1(piece).replace(/[#$]/g, '')));
      }
      const bytes = sent();
      // What is sent are packets and acknowledgements, and nothing is between them.
      const parser = new PacketParser();
      for (const frame of parser.push(bytes))
        if (frame.kind === 'bad-checksum' || frame.kind === 'too-long')
          throw new Fault(`a packet is sent that is ${frame.kind}`);
    }),
});

const lines = (...packets: readonly string[]): Uint8Array => fromLatin1(packets.join('\n'));

export const seeds = (): Uint8Array[] => [
  lines(
    'qSupported:swbreak+;hwbreak+;vContSupported+',
    'QStartNoAckMode',
    '?',
    'g',
    'p20',
    'qfThreadInfo',
    'qsThreadInfo',
  ),
  lines('Hgp1.1', 'm200000,40', 'x9000000001003000,10', 'M200000,2:0102', 'X200000,2:ab', 'P4=0100000000000000'),
  lines('Z0,9000000001003000,4', 'vCont;c', 'z0,9000000001003000,4', 'Z2,200000,8', 'vCont;c:p1.-1', 'z2,200000,8'),
  lines('Z0,9000000001003000,4;X3,220127', 'Z3,200000,4', 'Z4,200000,4', 'Z1,200000,4', 'c', 's'),
  lines('vCont;s:p1.1', 'vCont;r200000,200010:p1.1', 'bs', 'bc', 'vCont?'),
  lines('vAttach;11', 'Hgp11.1', 'g', 'm200000,20', 'vCont;s:p11.1', 'D;11', 'vKill;11', 'k'),
  lines(
    'qXfer:features:read:target.xml:0,1000',
    'qXfer:threads:read::0,1000',
    'qXfer:osdata:read::0,1000',
    'qXfer:osdata:read:exits:0,1000',
  ),
  lines('Qbtrace:bts', 'Qbtrace-conf:bts:size=0x10000', 's', 'qXfer:btrace:read:all:0,1000', 'Qbtrace:off'),
  lines('QCatchSyscalls:1;bcf', 'c', 'QPassSignals:e;10', 'qSearch:memory:200000;1000;abc', 'qCRC:200000,100'),
  lines('qRcmd,6578706c61696e', 'qRcmd,696e666f20776f726c6473', 'qqemu.PhyMemMode', 'Qqemu.PhyMemMode:1', 'm200000,8'),
  fromLatin1('\x01$g#67+$m0,4#fd-\x03$}#$#00$QStartNoAckMode#b0'),
];

export const dictionary: readonly (string | Uint8Array)[] = [
  ...PACKETS.map((row) => row.name).filter((name) => name.length > 1),
  'p1.1',
  'p11.1',
  'p-1.-1',
  ';X3,',
  '9000000001003000',
  '200000',
  'ffffffffffffffff',
  '\n',
  '\nvCont;c',
  '\nvCont;s:p1.1',
  'target.xml',
  ':read:',
];
