import type { PageState, Store } from './store.ts';
import { WORDS } from './words.ts';

/** What to do next, in one sentence. */
function nextStep(state: PageState): string {
  const { next } = WORDS[state.language];
  if (state.machine?.held) return next.held;
  if (state.mistakes.length > 0) return next.mistakes;
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

/** Whether gdb can connect, and whether it has. */
function GdbState({ state: { bridge, machine, language } }: { state: PageState }) {
  const words = WORDS[language].gdb;
  if (!bridge) return null;
  if (bridge.phase === 'open')
    return <span class="gdb">{machine?.held ? `● ${words.attached}` : <code>target remote {bridge.text}</code>}</span>;
  return (
    <button type="button" class="gdb" onClick={bridge.again}>
      {words.lost} {bridge.text && `(${bridge.text})`}: {words.again}
    </button>
  );
}

export const Header = ({ store, state }: { store: Store; state: PageState }) => (
  <header>
    <strong>loongscope</strong>
    <p class="next" aria-live="polite">
      {nextStep(state)}
    </p>
    <GdbState state={state} />
    <button type="button" onClick={() => store.speak(state.language === 'en' ? 'zh' : 'en')}>
      {state.language === 'en' ? '中文' : 'English'}
    </button>
  </header>
);
