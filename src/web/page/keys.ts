/** Keys that do what the buttons do, where no text is being written. */
import type { Store } from './store.ts';

/** By key; the buttons show them. */
export const KEYS = { run: 'r', step: 's', stepOver: 'o', back: 'b', check: 'c', explain: 'e' } as const;

export function onKey(event: KeyboardEvent, store: Store): void {
  const at = event.target as HTMLElement;
  if (event.ctrlKey || event.altKey || event.metaKey || at.closest('input, textarea, select, .terminal')) return;
  if (event.key === KEYS.explain) store.show('why');
  const { running, machine } = store.state;
  if (machine?.held) return;
  switch (event.key) {
    case KEYS.run:
      store.runOrPause();
      return;
    case KEYS.check:
      store.check();
      return;
    default:
  }
  if (running !== undefined) return;
  if (event.key === KEYS.step) store.do({ kind: 'step' });
  else if (event.key === KEYS.stepOver) store.do({ kind: 'step-over' });
  else if (event.key === KEYS.back) store.do({ kind: 'back' });
}
