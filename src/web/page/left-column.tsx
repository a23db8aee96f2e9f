import { useState } from 'preact/hooks';
import type { SourceText } from '../content.ts';
import { AssemblyEditor } from './assembly-editor.tsx';
import { assemblyOf, isAssembly, originals, placeOf } from './edits.ts';
import { Markdown } from './markdown-view.tsx';
import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** The sources of what is on the bench, with what was changed. */
function sourcesOf({ content }: Store, { selection, edits }: PageState): readonly SourceText[] {
  if (selection.kind === 'demo') return content.demos.find((d) => d.name === selection.name)!.files;
  if (selection.kind === 'own') return [];
  const lab = content.labs.find((l) => l.name === selection.name)!;
  const assembly = assemblyOf(lab, selection.variant, edits);
  return originals(lab, selection.variant).map((source) => assembly.find((s) => s.name === source.name) ?? source);
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
          selection.kind === 'lab' && isAssembly(source) ? (
            <AssemblyEditor
              {...{ store, words, file: source.name, text: source.text, mistakes: state.mistakes }}
              place={placeOf(selection.name, selection.variant, source.name)}
              edited={placeOf(selection.name, selection.variant, source.name) in state.edits}
            />
          ) : (
            <>
              {selection.kind === 'lab' && <p class="note">{words.prebuilt(selection.name)}</p>}
              <pre class="source">{source.text}</pre>
            </>
          )
        ) : (
          lab && (
            <Markdown
              text={lab.pages[state.language]}
              onLab={(name) => store.select({ kind: 'lab', name, variant: 'skeleton' })}
            />
          )
        )}
      </div>
    </section>
  );
}
