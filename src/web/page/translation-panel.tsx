import { useState } from 'preact/hooks';
import type { PanelProps } from './panels.tsx';
import { WORDS } from './words.ts';

/** A stage of a translation: its name, and its steps. */
interface Stage {
  readonly name: string;
  readonly steps: string[];
}

/** The lines of `monitor translate`: `stage 1: …`, `stage 2: …`; the last one is the result. */
function stagesOf(text: string): { stages: readonly Stage[]; result: string } {
  const lines = text.trimEnd().split('\n');
  const stages: Stage[] = [];
  for (const line of lines.slice(0, -1)) {
    const [, name = '', step = line] = /^([\w -]+): (.*)$/.exec(line) ?? [];
    if (stages.at(-1)?.name !== name) stages.push({ name, steps: [] });
    stages.at(-1)!.steps.push(step);
  }
  return { stages, result: lines.at(-1) ?? '' };
}

function Stages({ text }: { text: string }) {
  const { stages, result } = stagesOf(text);
  return (
    <div class="stages">
      {stages.map(({ name, steps }, n) => (
        <section key={n}>
          <h3>{name}</h3>
          <ol>
            {steps.map((step, m) => (
              <li key={m}>{step}</li>
            ))}
          </ol>
        </section>
      ))}
      <p class={/does not translate|expected|not/.test(result) ? 'result bad' : 'result'}>{result}</p>
    </div>
  );
}

/** Walks both stages of the translation of an address. */
export function TranslationPanel({ store, state }: PanelProps) {
  const words = WORDS[state.language];
  const { machine, translation, running } = state;
  const worlds = machine?.worlds ?? [];
  const live = worlds.find((w) => w.live) ?? worlds[0];
  const [address, setAddress] = useState(live?.pc ?? '');
  const [world, setWorld] = useState(live?.name ?? 'host');
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          store.translate(address.trim(), world.replace('VM ', ''));
        }}
      >
        <input
          aria-label={words.address}
          placeholder="0x…"
          value={address}
          onInput={(event) => setAddress(event.currentTarget.value)}
        />
        <select aria-label="world" value={world} onChange={(event) => setWorld(event.currentTarget.value)}>
          {worlds.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <button type="submit" disabled={address.trim() === '' || running !== undefined}>
          {words.translate}
        </button>
      </form>
      {translation?.text && <Stages text={translation.text} />}
    </>
  );
}
