/** Moments of a run by what happens there: `replay --at`. */
import { UsageError } from '../errors.ts';

type EventKind = 'exception' | 'exit' | 'entry';

export type Moment =
  | { readonly kind: 'instruction'; readonly at: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'bookmark'; readonly name: string }
  /** The last character of a text on the console. */
  | { readonly kind: 'console'; readonly text: string }
  /** Before the first or last such event of a world: −1 the host, else the number of a VM; undefined: of any. */
  | { readonly kind: EventKind; readonly last: boolean; readonly world: number | undefined };

/** `N`, `end`, `bookmark:NAME`, `console:TEXT`, `first|last exception|exit|entry [in host|VM N]`. @throws UsageError */
export function parseMoment(text: string): Moment {
  if (/^\d{1,15}$/.test(text)) return { kind: 'instruction', at: Number(text) };
  if (text === 'end') return { kind: 'end' };
  const bookmark = /^bookmark:(.+)$/.exec(text);
  if (bookmark) return { kind: 'bookmark', name: bookmark[1]! };
  const quoted = /^console:"?([\s\S]+?)"?$/.exec(text);
  if (quoted) return { kind: 'console', text: quoted[1]! };
  const event = /^(first|last) (exception|exit|entry)(?: (?:in|of|into) (host|(?:VM )?\d{1,6}))?$/i.exec(text);
  if (event) {
    const [, order, kind, where] = event;
    const world =
      where === undefined ? undefined : where.toLowerCase() === 'host' ? -1 : Number(where.replace(/\D/g, ''));
    return { kind: kind!.toLowerCase() as EventKind, last: order!.toLowerCase() === 'last', world };
  }
  throw new UsageError(
    `--at: '${text}' is no moment: write an instruction number, end, bookmark:NAME, console:TEXT, or first exception in VM 1 (first or last; exception, exit or entry; in host or VM N)`,
  );
}
