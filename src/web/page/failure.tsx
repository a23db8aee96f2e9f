import type { PageState, Store } from './store.ts';

/** What could not be done, until the user has read it. */
export const Failure = ({ store, state }: { store: Store; state: PageState }) =>
  state.failed === undefined ? null : (
    <p class="failure" role="alert">
      {state.failed}
      <button type="button" aria-label="close" onClick={() => store.forgetFailure()}>
        ×
      </button>
    </p>
  );
