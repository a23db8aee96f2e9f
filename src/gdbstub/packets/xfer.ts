/** `qXfer`: target description, thread list, `info os` tables. */

import { markupText } from '../../emu/formats/markup.ts';
import type { Steps } from '../../emu/runtime/steps.ts';
import { escapeBinary, fromLatin1, latin1, PACKET_SIZE, parseHex } from '../framing.ts';
import { osTable } from '../osdata.ts';
import type { Target } from '../target.ts';
import { TARGET_XML } from '../target-description.ts';
import { threadId, threadText } from '../threads.ts';
import type { PacketRow } from './table.ts';

/** Longest piece: with every byte escaped it fits a packet. */
const MOST_PIECE = PACKET_SIZE / 2 - 16;

/** One piece of a document: `m` when more follows, `l` for the last. */
function piece(document: string, range: string): string {
  const m = /^([0-9a-f]+),([0-9a-f]+)$/i.exec(range);
  if (!m) return 'E.qXfer takes OFFSET,LENGTH';
  const offset = Number.parseInt(m[1]!, 16);
  const length = Math.min(Number.parseInt(m[2]!, 16), MOST_PIECE);
  const bytes = fromLatin1(document);
  const part = bytes.subarray(Math.min(offset, bytes.length), Math.min(offset + length, bytes.length));
  return `${offset + part.length < bytes.length ? 'm' : 'l'}${latin1(escapeBinary(part))}`;
}

function threadList(s: Target): string {
  s.askedForThreads();
  const threads = s.listed().map((t) => {
    const name = t.vm !== undefined ? `vcpu${t.vcpu}` : t.host ? `host${t.cpu.index}` : `cpu${t.cpu.index}`;
    return `<thread id="${threadId(t)}" core="${t.cpu.index}" name="${name}">${markupText(threadText(t, s.control))}</thread>`;
  });
  return `<?xml version="1.0"?><threads>${threads.join('')}</threads>`;
}

/** `qXfer:OBJECT:read:ANNEX:` rows: the document behind it, undefined for an unknown annex. */
const object = (
  name: string,
  document: (s: Target, annex: string) => string | Steps<string> | undefined,
): PacketRow => ({
  name: `qXfer:${name}:read:`,
  supported: [`qXfer:${name}:read+`],
  handle: (s, rest) => {
    const colon = rest.lastIndexOf(':');
    if (colon < 0) return 'E00';
    const whole = `${name}:${rest.slice(0, colon)}`;
    const range = rest.slice(colon + 1);
    // All pieces are of the document that was made for the first one.
    if (s.document?.name === whole && !/^0+,/.test(range)) return piece(s.document.text, range);
    const text = document(s, rest.slice(0, colon));
    if (text === undefined) return 'E00';
    if (typeof text === 'object') return pieceOf(s, whole, text, range);
    s.document = { name: whole, text };
    return piece(text, range);
  },
});

function* pieceOf(s: Target, name: string, document: Steps<string>, range: string): Steps<string> {
  const text = yield* document;
  s.document = { name, text };
  return piece(text, range);
}

export const XFER_PACKETS: readonly PacketRow[] = [
  object('features', (_s, annex) => (annex === 'target.xml' ? TARGET_XML : undefined)),
  object('threads', (s, annex) => (annex === '' ? threadList(s) : undefined)),
  // The annex is a process in hex; empty means the selected one.
  object('exec-file', (s, annex) => s.executable(annex === '' ? s.current.pid : Number.parseInt(annex, 16))),
  object('osdata', osTable),
  object('btrace', (s, annex) =>
    // gdb appends a delta to the trace that it has. When there is no delta, it asks for everything.
    s.branchTrace.enabled && (annex === 'all' || annex === 'new') ? s.branchTrace.document() : undefined,
  ),
  // If this answer came before tracing is enabled, gdb would start to record.
  object('btrace-conf', (s, annex) =>
    s.branchTrace.enabled && annex === '' ? s.branchTrace.configuration() : undefined,
  ),
  {
    name: 'Qbtrace:',
    supported: ['Qbtrace:off+', 'Qbtrace:bts+'],
    handle: (s, rest) => {
      if (rest !== 'bts' && rest !== 'off') return 'E.only branch traces (bts) are kept';
      s.branchTrace.enable(rest === 'bts');
      return 'OK';
    },
  },
  {
    name: 'Qbtrace-conf:bts:size=',
    supported: ['Qbtrace-conf:bts:size+'],
    handle: (s, rest) => {
      // gdb writes this one number with 0x.
      const size = parseHex(rest.replace(/^0x/i, ''));
      if (size === undefined || size > 0x10000000n) return 'E.Qbtrace-conf takes a size in hex';
      s.branchTrace.bufferSize = Number(size);
      return 'OK';
    },
  },
];
