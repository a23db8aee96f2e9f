import { useRef } from 'preact/hooks';
import type { Mistake } from '../protocol.ts';
import type { Store } from './store.ts';
import type { Words } from './words.ts';

export interface EditorProps {
  readonly store: Store;
  readonly words: Words;
  readonly file: string;
  readonly text: string;
  /** Where changes are kept. */
  readonly place: string;
  readonly edited: boolean;
  readonly mistakes: readonly Mistake[];
}

/** Assembly that can be changed, with the numbers of its lines and what is wrong in it. */
export function AssemblyEditor({ store, words, file, text, place, edited, mistakes }: EditorProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const numbers = useRef<HTMLOListElement>(null);
  const lines = text.split('\n');
  const here = mistakes.filter((m) => m.file === file);
  const show = ({ line, column }: Mistake): void => {
    const at = lines.slice(0, line - 1).reduce((sum, l) => sum + l.length + 1, 0) + column - 1;
    area.current?.focus({ preventScroll: true });
    numbers.current?.children[line - 1]?.scrollIntoView({ block: 'center' });
    area.current?.setSelectionRange(at, at + (/^[^\s,]+/.exec(text.slice(at))?.[0].length ?? 0));
  };
  return (
    <div class="editor">
      <div class="editor-head">
        <div class="editor-bar">
          <button
            type="button"
            class="primary"
            aria-keyshortcuts="Control+Enter"
            title="Ctrl+Enter"
            onClick={() => store.assembleAndRun()}
          >
            ▶ {words.assembleAndRun}
          </button>
          <button type="button" disabled={!edited} onClick={() => store.edit(place, undefined)}>
            {words.undoChanges}
          </button>
          <small>{edited ? words.changed : words.canBeChanged}</small>
        </div>
        {mistakes.length > 0 && (
          <ul class="mistakes" role="alert">
            {mistakes.map((m, n) => (
              <li key={n}>
                <button type="button" class="link" disabled={m.file !== file} onClick={() => show(m)}>
                  {m.file}:{m.line}:{m.column}
                </button>{' '}
                {m.text}
              </li>
            ))}
          </ul>
        )}
      </div>
      <div class="editor-text">
        <ol aria-hidden="true" ref={numbers}>
          {lines.map((_, n) => (
            <li key={n} class={here.some((m) => m.line === n + 1) ? 'bad' : ''}>
              {n + 1}
            </li>
          ))}
        </ol>
        <textarea
          ref={area}
          aria-label={`${words.source} ${file}`}
          value={text}
          rows={lines.length + 1}
          wrap="off"
          spellcheck={false}
          autocomplete="off"
          onInput={(event) => store.edit(place, event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || !event.ctrlKey) return;
            event.preventDefault();
            store.assembleAndRun();
          }}
        />
      </div>
    </div>
  );
}
