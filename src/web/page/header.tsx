import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** What to do next, in one sentence. */
function nextStep(state: PageState): string {
  const { next } = WORDS[state.language];
  if (state.running !== undefined) return next.running;
  if (state.verdict) return state.verdict.verdict.passed ? next.passed : next.failed;
  switch (state.machine?.phase) {
    case 'off':
      return next.off;
    case 'died':
      return next.died;
    case 'stopped':
      if (state.machine.at > 0) return next.stopped;
  }
  return state.selection.kind === 'lab' ? next.lab : next.demo;
}

export const Header = ({ store, state }: { store: Store; state: PageState }) => (
  <header>
    <strong>loongscope</strong>
    <p class="next" aria-live="polite">
      {nextStep(state)}
    </p>
    <button type="button" onClick={() => store.speak(state.language === 'en' ? 'zh' : 'en')}>
      {state.language === 'en' ? '中文' : 'English'}
    </button>
  </header>
);
