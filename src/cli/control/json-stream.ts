/** Cuts a stream of JSON values into values. QMP puts no limit between them: a value ends with its last brace. */

/** Longest value, in characters. */
const MOST = 1 << 20;

export type JsonItem = { readonly value: unknown } | { readonly error: string };

export class JsonStream {
  private readonly decoder = new TextDecoder();
  private text = '';
  /** How far `text` has been looked at, and the state there. */
  private at = 0;
  private depth = 0;
  private inString = false;

  /** The values that have ended. After an error the rest of what has arrived is forgotten. */
  *push(bytes: Uint8Array): Generator<JsonItem> {
    this.text += this.decoder.decode(bytes, { stream: true });
    for (; this.at < this.text.length; this.at++) {
      const c = this.text[this.at]!;
      if (this.inString) {
        if (c === '\\') this.at++;
        else if (c === '"') this.inString = false;
        continue;
      }
      if (c === '"') this.inString = true;
      else if (c === '{' || c === '[') this.depth++;
      else if (c === '}' || c === ']') this.depth--;
      else if (this.depth === 0 && !/\s/.test(c)) {
        yield this.fail('JSON parse error, expecting value');
        return;
      }
      if (this.depth > 0 || (c !== '}' && c !== ']')) continue;
      const piece = this.text.slice(0, this.at + 1);
      this.text = this.text.slice(this.at + 1);
      this.restart();
      this.at = -1;
      yield parse(piece);
    }
    if (this.text.trim() === '') this.clear();
    else if (this.text.length > MOST) yield this.fail('JSON token size limit exceeded');
  }

  private fail(error: string): JsonItem {
    this.clear();
    return { error };
  }

  private clear(): void {
    this.text = '';
    this.restart();
  }

  private restart(): void {
    this.at = 0;
    this.depth = 0;
    this.inString = false;
  }
}

function parse(text: string): JsonItem {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return { error: 'JSON parse error, expecting value' };
  }
}
