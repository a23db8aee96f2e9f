/**
 * The value of a QEMU option: words and `key=value` pairs between commas (QEMU's util/qemu-option.c). Two commas stand for one in a
 * value. A word without a value is a switch: `server` is on, and `noserver` is off. A value in braces is JSON, as libvirt writes it.
 */
import { UsageError } from '../errors.ts';
import { parseInteger, parseSize } from '../options.ts';

interface Pair {
  readonly key: string;
  readonly value: string;
  /** As it was written, for messages. */
  readonly text: string;
  used: boolean;
}

/** Splits at single commas; of two commas one stays. */
export function splitCommas(text: string): string[] {
  const parts = [''];
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== ',') parts.push(`${parts.pop()}${text[at]}`);
    else if (text[at + 1] === ',') {
      parts.push(`${parts.pop()},`);
      at++;
    } else parts.push('');
  }
  return parts;
}

/** The pairs of a JSON object; keys of inner objects follow a dot. */
function* flatten(object: object, before = ''): Generator<readonly [string, string]> {
  for (const [key, value] of Object.entries(object) as [string, unknown][])
    if (value !== null && typeof value === 'object') yield* flatten(value, `${before}${key}.`);
    else yield [`${before}${key}`, typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)];
}

const SWITCH: Readonly<Record<string, boolean>> = {
  on: true,
  yes: true,
  true: true,
  off: false,
  no: false,
  false: false,
};

/** The entry of a table that a user names; names of every object, such as `constructor`, are none. */
export const own = <T>(table: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined;

export class Properties {
  /** The option with its dash, for messages. */
  readonly option: string;
  private pairs: Pair[] = [];

  /**
   * @param implied the key of a first word without a value
   * @throws UsageError for JSON that is none
   */
  constructor(option: string, text: string, implied?: string) {
    this.option = option;
    if (text.startsWith('{')) {
      this.readJson(text);
      return;
    }
    for (const [n, part] of splitCommas(text).entries()) {
      if (part === '') continue;
      const eq = part.indexOf('=');
      if (eq >= 0) this.add(part.slice(0, eq), part.slice(eq + 1), part);
      else if (n === 0 && implied !== undefined) this.add(implied, part, part);
      else if (/^no[a-z]/.test(part)) this.add(part.slice(2), 'off', part);
      else this.add(part, 'on', part);
    }
  }

  private readJson(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw this.error('begins with a brace, and is no JSON: correct it');
    }
    for (const [key, v] of flatten(value as object)) this.add(key, v, `"${key}": "${v}"`);
  }

  private add(key: string, value: string, text: string): void {
    this.pairs.push({ key, value, text, used: false });
  }

  /** The same with another name in messages. */
  named(option: string): Properties {
    const other = new Properties(option, '');
    other.pairs = this.pairs;
    return other;
  }

  /** An error of this option. */
  error(text: string): UsageError {
    return new UsageError(`qemu: ${this.option}: ${text}`);
  }

  /** The value of a key; the last one counts. */
  get(key: string): string | undefined {
    return this.all(key).at(-1);
  }

  /** All values of a key that may be given several times. */
  all(key: string): string[] {
    return this.pairs
      .filter((p) => p.key === key)
      .map((p) => {
        p.used = true;
        return p.value;
      });
  }

  /** Every key with its value. */
  *entries(): Generator<readonly [key: string, value: string]> {
    for (const p of this.pairs) {
      p.used = true;
      yield [p.key, p.value];
    }
  }

  /** @throws UsageError when it is missing */
  need(key: string, what: string): string {
    const value = this.get(key);
    if (value === undefined || value === '') throw this.error(`${key}= is missing: add ${what}`);
    return value;
  }

  /** @throws UsageError for a value that is neither on nor off */
  flag(key: string, fallback = false): boolean {
    const value = this.get(key);
    if (value === undefined) return fallback;
    const on = own(SWITCH, value);
    if (on === undefined) throw this.error(`${key}=${value} is neither on nor off: correct it`);
    return on;
  }

  /** @throws UsageError for a value that is no whole number in the range */
  integer(key: string, min: number, max: number): number | undefined {
    const value = this.get(key);
    return value === undefined ? undefined : parseInteger(value, `qemu: ${this.option}: ${key}`, min, max);
  }

  /** A size; a number without a unit counts `unit` bytes. @throws UsageError */
  size(key: string, unit = 1): number | undefined {
    const value = this.get(key);
    if (value === undefined) return undefined;
    return /^\d+$/.test(value) ? Number(value) * unit : parseSize(value, `qemu: ${this.option}`);
  }

  /** Takes note of keys that change nothing here, whatever their values are. */
  without(...keys: readonly string[]): this {
    for (const key of keys) this.all(key);
    return this;
  }

  /** Takes note of a key that may have only one value, the one that is true here. @throws UsageError for another one */
  only(key: string, values: readonly string[], advice: string): void {
    const value = this.get(key);
    if (value !== undefined && !values.includes(value)) throw this.error(`${key}=${value}: ${advice}`);
  }

  /** Nothing else may be there. @throws UsageError that names what nobody has asked for */
  done(): void {
    const left = this.pairs.find((p) => !p.used);
    if (left) throw this.error(`'${left.text}' is not understood: leave it out`);
  }
}
