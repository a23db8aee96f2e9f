/** The formatted print of agent expressions: C's printf with values of 64 bits. */

/** Most characters of a string of the guest. */
export const MOST_STRING = 4096;

const ESCAPES: Readonly<Record<string, string>> = {
  ...{ a: '\x07', b: '\b', e: '\x1b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' },
};
const ESCAPE = /\\(?:([0-7]{1,3})|x([0-9a-f]{1,2})|([\s\S]))/gi;
const CONVERSION = /%([-+ 0#]*)(\d*)(?:\.(\d*))?(hh|h|ll|l|j|z|t|L)?([\s\S]?)/g;
/** Bits of an integer by its length modifier. */
const BITS: Readonly<Record<string, number>> = { hh: 8, h: 16, l: 64, ll: 64, j: 64, z: 64, t: 64 };
/** Longest field: a guest's program does not say how long a line may be. */
const MOST_WIDTH = 1000;

const unescaped = (text: string): string =>
  text.replace(ESCAPE, (_, octal?: string, hex?: string, other = '') =>
    octal !== undefined || hex !== undefined
      ? String.fromCharCode(Number.parseInt(octal ?? hex!, octal === undefined ? 16 : 8) & 0xff)
      : (ESCAPES[other] ?? other),
  );

interface Shape {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

function padded(text: string, { flags, width }: Shape, zeros: boolean): string {
  if (flags.includes('-')) return text.padEnd(width);
  if (!zeros || !flags.includes('0')) return text.padStart(width);
  const sign = /^(?:[-+ ]|0x)?/i.exec(text)![0];
  return sign + text.slice(sign.length).padStart(width - sign.length, '0');
}

function integer(value: bigint, bits: number, kind: string, shape: Shape): string {
  const { flags, precision } = shape;
  const signed = kind === 'd' || kind === 'i';
  const v = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  const digits = (v < 0n ? -v : v)
    .toString(kind === 'o' ? 8 : signed || kind === 'u' ? 10 : 16)
    .padStart(precision ?? 1, '0');
  const sign = v < 0n ? '-' : signed && flags.includes('+') ? '+' : signed && flags.includes(' ') ? ' ' : '';
  const prefix = kind === 'p' || (flags.includes('#') && v !== 0n && /x/i.test(kind)) ? '0x' : '';
  const text = padded(sign + prefix + digits, shape, precision === undefined);
  return kind === 'X' ? text.toUpperCase() : text;
}

/**
 * @param format with the escapes of C's source
 * @param args in the order of the format
 * @param text the string at an address; undefined when it cannot be read
 * @returns undefined when the format asks for what it has no value for, or for floating point
 */
export function formatted(
  format: string,
  args: readonly bigint[],
  text: (address: bigint) => string | undefined,
): string | undefined {
  let next = 0;
  let failed = false;
  const out = unescaped(format).replace(
    CONVERSION,
    (_, flags: string, width: string, precision: string | undefined, length: string | undefined, kind: string) => {
      if (kind === '%') return '%';
      const value = args[next++];
      const shape = {
        flags,
        width: Math.min(Number(width), MOST_WIDTH),
        precision: precision === undefined ? undefined : Math.min(Number(precision), MOST_WIDTH),
      };
      if (value === undefined || !/[diouxXcsp]/.test(kind) || length === 'L') {
        failed = true;
        return '';
      }
      if (kind === 'c') return padded(String.fromCharCode(Number(value & 0xffn)), shape, false);
      if (kind === 's')
        return padded(
          (text(value) ?? `<0x${value.toString(16)} cannot be read>`).slice(0, shape.precision),
          shape,
          false,
        );
      return integer(value, kind === 'p' ? 64 : (BITS[length ?? ''] ?? 32), kind, shape);
    },
  );
  return failed ? undefined : out;
}
