import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** Where the machine is in its time; dragging goes to another moment. */
export function TimeSlider({ store, state }: { store: Store; state: PageState }) {
  const words = WORDS[state.language];
  const { machine, running } = state;
  if (!machine) return <div class="time" />;
  const { at, first, last, world, why, held } = machine;
  return (
    <div class="time">
      <output>
        {running !== undefined ? (
          `${words.running}… ${words.instruction} ${running.toLocaleString('en')}`
        ) : (
          <>
            <b class={`world ${world === 'host' ? 'host' : 'guest'}`}>{world}</b> {why} · {words.instruction}{' '}
            {at.toLocaleString('en')}
          </>
        )}
      </output>
      <input
        class="time-range"
        type="range"
        aria-label={words.time}
        title={words.time}
        min={first}
        max={last}
        value={at}
        disabled={running !== undefined || last === first || held}
        onChange={(event) => store.do({ kind: 'go', to: Number(event.currentTarget.value) })}
      />
    </div>
  );
}
