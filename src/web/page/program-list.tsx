import { hasRelaxedSimd } from './capabilities.ts';
import { ownProgram } from './own-program.ts';
import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** Labs, guests, and a file of the user's. */
export function ProgramList({ store, state }: { store: Store; state: PageState }) {
  const words = WORDS[state.language];
  const { selection, machine, running } = state;
  const canSave = machine !== undefined && running === undefined && !machine.held;
  const current = (kind: string, name: string): 'page' | undefined =>
    selection.kind === kind && selection.name === name ? 'page' : undefined;
  return (
    <nav>
      <h2>{words.labs}</h2>
      {store.content.labs.map(({ name, titles }) => (
        <button
          type="button"
          key={name}
          aria-current={current('lab', name)}
          onClick={() => store.select({ kind: 'lab', name, variant: 'skeleton' })}
        >
          <b>{name.toUpperCase()}</b> {titles[state.language]}
        </button>
      ))}
      <h2>{words.demos}</h2>
      {store.content.demos.map(({ name }) => (
        <button
          type="button"
          key={name}
          aria-current={current('demo', name)}
          onClick={() => store.select({ kind: 'demo', name })}
        >
          {name}
        </button>
      ))}
      <h2>{words.own}</h2>
      <label class="file">
        {selection.kind === 'own' ? selection.name : words.chooseFile}
        <input
          class="file-input"
          type="file"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            if (file) void ownProgram(file, store);
          }}
        />
      </label>
      <small>{words.dropHere}</small>
      {(['snapshot', 'recording'] as const).map((what) => (
        <button type="button" key={what} disabled={!canSave} onClick={() => store.do({ kind: 'save', what })}>
          ↓ {what === 'snapshot' ? words.saveSnapshot : words.saveRecording}
        </button>
      ))}
      <small>{words.saveHint}</small>
      {!hasRelaxedSimd() && <small>{words.slowFloats}</small>}
    </nav>
  );
}
