import type { ComponentType } from 'preact';
import { CodePanel } from './code-panel.tsx';
import { CsrPanel } from './csr-panel.tsx';
import { EventPanel } from './event-panel.tsx';
import { KEYS } from './keys.ts';
import { MonitorPanel } from './monitor-panel.tsx';
import { RegisterPanel } from './register-panel.tsx';
import { PANELS, type PageState, type Panel, type Store } from './store.ts';
import { TranslationPanel } from './translation-panel.tsx';
import { WhyPanel } from './why-panel.tsx';
import { WORDS } from './words.ts';

export interface PanelProps {
  readonly store: Store;
  readonly state: PageState;
}

const VIEWS: Readonly<Record<Panel, ComponentType<PanelProps>>> = {
  why: WhyPanel,
  code: CodePanel,
  registers: RegisterPanel,
  csrs: CsrPanel,
  translate: TranslationPanel,
  events: EventPanel,
  monitor: MonitorPanel,
};

/** What can be looked at. */
export function Panels({ store, state }: PanelProps) {
  const words = WORDS[state.language];
  const View = VIEWS[state.panel];
  return (
    <section class="panels">
      <div role="tablist" class="tabs">
        {PANELS.map((panel) => (
          <button
            type="button"
            role="tab"
            key={panel}
            aria-label={words[panel]}
            aria-keyshortcuts={panel === 'why' ? KEYS.explain : undefined}
            aria-selected={state.panel === panel}
            onClick={() => store.show(panel)}
          >
            {words[panel]}
            {panel === 'why' && (
              <>
                {' '}
                <kbd>{KEYS.explain}</kbd>
              </>
            )}
          </button>
        ))}
      </div>
      <div class="scroll" role="tabpanel">
        <View store={store} state={state} />
      </div>
    </section>
  );
}
