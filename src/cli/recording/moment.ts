/** Moments of a run by what happens there: `replay --at`. */
import { parseSought, type Sought } from '../../emu/debug/sought-moments.ts';
import { UsageError } from '../errors.ts';

export type Moment =
  | { readonly kind: 'instruction'; readonly at: number }
  | { readonly kind: 'end' }
  | { readonly kind: 'bookmark'; readonly name: string }
  | Sought;

/** `N`, `end`, `bookmark:NAME`, `console:TEXT`, `first|last exception|exit|entry [in host|VM N]`. @throws UsageError */
export function parseMoment(text: string): Moment {
  if (/^\d{1,15}$/.test(text)) return { kind: 'instruction', at: Number(text) };
  if (text === 'end') return { kind: 'end' };
  const bookmark = /^bookmark:(.+)$/.exec(text);
  if (bookmark) return { kind: 'bookmark', name: bookmark[1]! };
  const sought = parseSought(text);
  if (sought) return sought;
  throw new UsageError(
    `--at: '${text}' is no moment: write an instruction number, end, bookmark:NAME, console:TEXT, or first exception in VM 1 (first or last; exception, exit or entry; in host or VM N)`,
  );
}
