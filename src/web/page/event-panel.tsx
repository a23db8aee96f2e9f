import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';

/** Exceptions and world switches, oldest first; each leads back to its moment. */
export function EventPanel({ store, state }: PanelProps) {
  const { machine, running } = state;
  const events = machine?.events ?? [];
  if (events.length === 0) return <p>{WORDS[state.language].nothingYet}</p>;
  return (
    <ol class="events">
      {events.map(({ kind, at, text }, n) => (
        <li key={n} class={at > machine!.at ? `${kind} ahead` : kind}>
          <button
            type="button"
            disabled={running !== undefined || machine!.held}
            onClick={() => store.do({ kind: 'go', to: at })}
          >
            {at.toLocaleString('en')}
          </button>
          {text.replace(/^\[\d+\] /, '')}
        </li>
      ))}
    </ol>
  );
}
