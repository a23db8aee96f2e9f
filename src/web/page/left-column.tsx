import { useState } from 'preact/hooks';
import type { SourceText } from '../content.ts';
import { Markdown } from './markdown-view.tsx';
import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** The sources of what is on the bench. */
function sourcesOf({ content }: Store, { selection }: PageState): readonly SourceText[] {
  if (selection.kind === 'demo') return content.demos.find((d) => d.name === selection.name)!.files;
  if (selection.kind === 'own') return [];
  const lab = content.labs.find((l) => l.name === selection.name)!;
  return selection.solution ? lab.solution : lab.skeleton;
}

/** The lab's text, and the sources of its program. */
export function LeftColumn({ store, state }: { store: Store; state: PageState }) {
  const words = WORDS[state.language];
  const { selection } = state;
  const [shown, show] = useState<string | undefined>(undefined);
  const lab = selection.kind === 'lab' ? store.content.labs.find((l) => l.name === selection.name) : undefined;
  const sources = sourcesOf(store, state);
  const source = sources.find((s) => s.name === shown) ?? (lab ? undefined : sources[0]);
  const tab = (name: string | undefined, text: string) => (
    <button type="button" role="tab" key={text} aria-selected={source?.name === name} onClick={() => show(name)}>
      {text}
    </button>
  );
  return (
    <section class="text">
      <div role="tablist" class="tabs">
        {lab && tab(undefined, words.page)}
        {sources.map(({ name }) => tab(name, name))}
      </div>
      <div class="scroll" key={`${selection.name} ${source?.name ?? ''}`}>
        {source ? (
          <pre class="source">{source.text}</pre>
        ) : (
          lab && (
            <Markdown
              text={lab.pages[state.language]}
              onLab={(name) => store.select({ kind: 'lab', name, solution: false })}
            />
          )
        )}
      </div>
    </section>
  );
}
