/** Moments of a run by what happens there, which must be looked for: how they are written, and where they were found. */
import type { EventRecord } from '../cpu/event-ring.ts';

export type SoughtEvent = 'exception' | 'exit' | 'entry';

export type Sought =
  /** The last character of a text on the console. */
  | { readonly kind: 'console'; readonly text: string }
  /** Before the first or last such event of a world: −1 the host, else the number of a VM; undefined: of any. */
  | { readonly kind: SoughtEvent; readonly last: boolean; readonly world: number | undefined };

/** Most characters of a text on the console. */
const MOST_TEXT = 1000;

/** `console:TEXT`, `first|last exception|exit|entry [in host|VM N]`; undefined when it is none of these. */
export function parseSought(text: string): Sought | undefined {
  const quoted = /^console:"?([\s\S]+?)"?$/.exec(text);
  if (quoted && quoted[1]!.length <= MOST_TEXT) return { kind: 'console', text: quoted[1]! };
  const event = /^(first|last) (exception|exit|entry)(?: (?:in|of|into) (host|(?:VM )?\d{1,6}))?$/i.exec(text);
  if (!event) return undefined;
  const [, order, kind, where] = event;
  const world =
    where === undefined ? undefined : where.toLowerCase() === 'host' ? -1 : Number(where.replace(/\D/g, ''));
  return { kind: kind!.toLowerCase() as SoughtEvent, last: order!.toLowerCase() === 'last', world };
}

/** A moment as one writes it, always in the same way. */
export function soughtText(moment: Sought): string {
  if (moment.kind === 'console') return `console:${moment.text}`;
  const { kind, last, world } = moment;
  const where = world === undefined ? '' : world < 0 ? ' in host' : ` in VM ${world}`;
  return `${last ? 'last' : 'first'} ${kind}${where}`;
}

/** Has a CPU's newest event happened at the moment, as far as one can say there? */
export const isEventOf = (moment: Sought, record: EventRecord | undefined): boolean =>
  moment.kind !== 'console' &&
  record?.kind === moment.kind &&
  (moment.world === undefined || moment.world === record.world);

/** Can the moment only come when a guest has been entered? */
export const needsGuest = (moment: Sought): boolean =>
  moment.kind !== 'console' && (moment.kind === 'exception' ? (moment.world ?? -1) >= 0 : true);

/** What the console shows, until it is a text. */
export class ConsoleText {
  private readonly text: string;
  private tail = '';

  constructor(text: string) {
    this.text = text;
  }

  /** @returns whether the text is complete with this byte */
  put(byte: number): boolean {
    this.tail = (this.tail + String.fromCharCode(byte)).slice(-this.text.length);
    return this.tail === this.text;
  }
}

/** A moment that was found in a run that ends at an instruction. The last one of a longer run may be another. */
export interface FoundMoment {
  readonly found: string;
  readonly at: number;
  readonly end: number;
}

/** Moments of a recorded run that were found. */
export class FoundMoments {
  private readonly list = new Map<string, FoundMoment>();
  /** Called when one is found for the first time. */
  onFound: ((finding: FoundMoment) => void) | undefined;

  /** Takes over what was kept elsewhere. */
  load(finding: FoundMoment): void {
    this.list.set(finding.found, finding);
  }

  /** @param end of the run */
  get(moment: Sought, end: number): number | undefined {
    const finding = this.list.get(soughtText(moment));
    const stays = moment.kind === 'console' || !moment.last || finding?.end === end;
    return finding && stays && finding.at <= end ? finding.at : undefined;
  }

  add(moment: Sought, at: number, end: number): void {
    if (this.get(moment, end) === at) return;
    const finding = { found: soughtText(moment), at, end };
    this.load(finding);
    this.onFound?.(finding);
  }
}
