/**
 * The messages of the NBD protocol (Network Block Device project, doc/proto.md), in network byte order: fixed newstyle
 * negotiation and simple replies.
 */

const MAGIC = {
  /** "NBDMAGIC" */
  hello: 0x4e42444d41474943n,
  /** "IHAVEOPT" */
  option: 0x49484156454f5054n,
  optionReply: 0x0003e889045565a9n,
  request: 0x25609513,
  simpleReply: 0x67446698,
} as const;

/** Handshake flags, from both sides. */
export const HANDSHAKE = { fixedNewstyle: 1, noZeroes: 2 } as const;
export const OPTION = { exportName: 1, abort: 2, go: 7 } as const;
export const REPLY = { ack: 1, info: 3 } as const;
/** Error replies to options; all have the top bit. */
export const REFUSAL = { unsupported: 0x80000001, tlsRequired: 0x80000005, unknown: 0x80000006 } as const;
export const INFO = { export: 0, blockSize: 3 } as const;
/** What an export can do. */
export const TRANSMISSION = { readOnly: 2, flush: 4 } as const;
export const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;

/** Longest data of a reply to an option. The longest that is of use is a name of 4 KiB. */
export const MOST_REPLY = 1 << 16;
export const HELLO_BYTES = 18;
export const OPTION_REPLY_BYTES = 20;
export const REPLY_BYTES = 16;
/** The answer to `OPTION.exportName`, without the zeros that old servers send behind it. */
export const OLD_EXPORT_BYTES = 10;
export const OLD_ZEROES = 124;

/** The server breaks the rules of the protocol. */
export class ProtocolError extends Error {}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const u16 = (v: number): number[] => [(v >> 8) & 0xff, v & 0xff];
const u32 = (v: number): number[] => [...u16(v >>> 16), ...u16(v & 0xffff)];

/** The server's first message. @returns its handshake flags @throws ProtocolError */
export function readHello(bytes: Uint8Array): number {
  const v = view(bytes);
  if (v.getBigUint64(0) !== MAGIC.hello) throw new ProtocolError('it does not speak NBD');
  if (v.getBigUint64(8) !== MAGIC.option) throw new ProtocolError('it speaks the old NBD, without options');
  return v.getUint16(16);
}

export const clientFlags = (flags: number): Uint8Array => Uint8Array.from(u32(flags));

export function writeOption(option: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const out = new Uint8Array(16 + data.length);
  const v = view(out);
  v.setBigUint64(0, MAGIC.option);
  v.setUint32(8, option);
  v.setUint32(12, data.length);
  out.set(data, 16);
  return out;
}

/** The data of `OPTION.go`: the export, and a wish for its block sizes. */
export function goData(exportName: string): Uint8Array {
  const name = new TextEncoder().encode(exportName);
  return Uint8Array.from([...u32(name.length), ...name, ...u16(1), ...u16(INFO.blockSize)]);
}

/** The head of a reply to an option. @throws ProtocolError when it is none, or of another option */
export function readOptionReply(bytes: Uint8Array, option: number): { readonly type: number; readonly length: number } {
  const v = view(bytes);
  if (v.getBigUint64(0) !== MAGIC.optionReply)
    throw new ProtocolError('its reply to an option has a wrong magic number');
  if (v.getUint32(8) !== option) throw new ProtocolError('it replies to an option that nobody has sent');
  const length = v.getUint32(16);
  if (length > MOST_REPLY) throw new ProtocolError(`its reply to an option has ${length} bytes`);
  return { type: v.getUint32(12), length };
}

/** What is known about an export. */
export interface ExportInfo {
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  readonly canFlush: boolean;
  /** Requests have offsets and lengths that are multiples of this, in bytes. */
  readonly minimumBlock: number;
  /** Most bytes of a request. */
  readonly maximumBlock: number;
}

/** Sizes for servers that say nothing (protocol, "Block size constraints"). */
export const USUAL_BLOCKS = { minimumBlock: 512, maximumBlock: 32 * 2 ** 20 } as const;

/** Size and flags of an export, as both kinds of negotiation send them. @throws ProtocolError */
export function readExport(bytes: Uint8Array): Pick<ExportInfo, 'size' | 'readOnly' | 'canFlush'> {
  if (bytes.length < OLD_EXPORT_BYTES) throw new ProtocolError('its description of the export is cut short');
  const v = view(bytes);
  const size = v.getBigUint64(0);
  if (size > BigInt(Number.MAX_SAFE_INTEGER)) throw new ProtocolError(`its export has ${size} bytes`);
  const flags = v.getUint16(8);
  return {
    size: Number(size),
    readOnly: (flags & TRANSMISSION.readOnly) !== 0,
    canFlush: (flags & TRANSMISSION.flush) !== 0,
  };
}

/** @throws ProtocolError for sizes that the protocol does not allow */
export function readBlockSizes(bytes: Uint8Array): Pick<ExportInfo, 'minimumBlock' | 'maximumBlock'> {
  if (bytes.length < 12) throw new ProtocolError('its block sizes are cut short');
  const [minimumBlock, , maximumBlock] = [0, 4, 8].map((at) => view(bytes).getUint32(at)) as [number, number, number];
  const power = minimumBlock > 0 && minimumBlock <= 1 << 16 && (minimumBlock & (minimumBlock - 1)) === 0;
  if (!power || maximumBlock < minimumBlock)
    throw new ProtocolError(`its blocks have ${minimumBlock} to ${maximumBlock} bytes`);
  return { minimumBlock, maximumBlock };
}

/** @param handle comes back with the reply */
export function writeRequest(command: number, handle: number, offset: number, length: number): Uint8Array {
  const out = new Uint8Array(28);
  const v = view(out);
  v.setUint32(0, MAGIC.request);
  v.setUint16(6, command);
  v.setBigUint64(8, BigInt(handle));
  v.setBigUint64(16, BigInt(offset));
  v.setUint32(24, length);
  return out;
}

/** The head of a simple reply. @throws ProtocolError when it is none */
export function readReply(bytes: Uint8Array): { readonly error: number; readonly handle: number } {
  const v = view(bytes);
  if (v.getUint32(0) !== MAGIC.simpleReply) throw new ProtocolError('its reply has a wrong magic number');
  return { error: v.getUint32(4), handle: Number(v.getBigUint64(8)) };
}

const ERRORS: Readonly<Record<number, string>> = {
  1: 'EPERM',
  5: 'EIO',
  12: 'ENOMEM',
  22: 'EINVAL',
  28: 'ENOSPC',
  75: 'EOVERFLOW',
  95: 'ENOTSUP',
  108: 'ESHUTDOWN',
};

/** The name of an error of a reply. */
export const errorName = (error: number): string => ERRORS[error] ?? `error ${error}`;
