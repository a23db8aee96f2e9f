import { assemblyOf, hasMixed, VARIANTS } from './edits.ts';
import { KEYS } from './keys.ts';
import { linkTo } from './link.ts';
import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** What the machine can be made to do. */
export function Toolbar({ store, state }: { store: Store; state: PageState }) {
  const words = WORDS[state.language];
  const { machine, running, selection } = state;
  const lab = store.content.labs.find(({ name }) => selection.kind === 'lab' && name === selection.name);
  // A link has no texts in it: it would lead to another program.
  const edited =
    lab && selection.kind === 'lab' && assemblyOf(lab, selection.variant, state.edits).some((s) => s.edited);
  const still = machine !== undefined && running === undefined && !machine.held;
  const forward = still && machine.phase === 'stopped';
  const backward = still && machine.phase !== 'died' && machine.at > machine.first;
  const button = (text: string, enabled: boolean, act: () => void, key?: string, kind?: string) => (
    <button type="button" class={kind} disabled={!enabled} aria-keyshortcuts={key} onClick={act}>
      {text}
      {key && ' '}
      {key && <kbd>{key}</kbd>}
    </button>
  );
  return (
    <div class="toolbar" role="toolbar">
      {running === undefined
        ? button(`▶ ${words.run}`, forward, () => store.runOrPause(), KEYS.run, 'primary')
        : button(`⏸ ${words.pause}`, !machine?.held, () => store.runOrPause(), KEYS.run, 'primary')}
      {button(words.step, forward, () => store.do({ kind: 'step' }), KEYS.step)}
      {button(words.stepOver, forward, () => store.do({ kind: 'step-over' }), KEYS.stepOver)}
      {button(`◀ ${words.back}`, backward, () => store.do({ kind: 'back' }), KEYS.back)}
      {button(words.backOver, backward, () => store.do({ kind: 'back-over' }))}
      {button(words.restart, running === undefined || machine?.held === true, () => store.boot())}
      <label>
        <input
          type="checkbox"
          checked={machine?.catchesExits ?? false}
          disabled={!still}
          onChange={(event) => store.do({ kind: 'catch-exits', on: event.currentTarget.checked })}
        />
        {words.catchExits}
      </label>
      {selection.kind === 'lab' && (
        <>
          <select
            aria-label={words.skeleton}
            value={selection.variant}
            onChange={(event) =>
              store.select({ ...selection, variant: VARIANTS.find((v) => v === event.currentTarget.value)! })
            }
          >
            {VARIANTS.filter((v) => v !== 'mixed' || hasMixed(lab!)).map((variant) => (
              <option key={variant} value={variant}>
                {words[variant]}
              </option>
            ))}
          </select>
          {button(`✓ ${words.check}`, !state.checking, () => store.check(), KEYS.check)}
        </>
      )}
      {selection.kind !== 'own' &&
        button(words.link, still && !edited, () => {
          location.hash = linkTo(selection, machine?.at ?? 0);
          // The token for gdb is this page's own.
          void navigator.clipboard?.writeText(location.href.replace(location.search, '')).catch(() => {});
        })}
    </div>
  );
}
