import { useEffect, useState } from 'preact/hooks';
import { Failure } from './failure.tsx';
import { Header } from './header.tsx';
import { onKey } from './keys.ts';
import { LeftColumn } from './left-column.tsx';
import { ownProgram } from './own-program.ts';
import { Panels } from './panels.tsx';
import { ProgramList } from './program-list.tsx';
import type { Store } from './store.ts';
import { TerminalView } from './terminal-view.tsx';
import { TimeSlider } from './time-slider.tsx';
import { Toolbar } from './toolbar.tsx';

/** The whole page. */
export function App({ store }: { store: Store }) {
  const [state, setState] = useState(store.state);
  useEffect(() => store.subscribe(() => setState(store.state)), [store]);
  useEffect(() => {
    const listener = (event: KeyboardEvent): void => onKey(event, store);
    window.addEventListener('keydown', listener);
    return () => window.removeEventListener('keydown', listener);
  }, [store]);
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: files can also be chosen with a button
    <div
      class="app"
      lang={state.language === 'zh' ? 'zh-CN' : 'en'}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file) void ownProgram(file, store);
      }}
    >
      <Header store={store} state={state} />
      <ProgramList store={store} state={state} />
      <LeftColumn store={store} state={state} />
      <main>
        <Toolbar store={store} state={state} />
        <Failure store={store} state={state} />
        <TerminalView store={store} label={state.language === 'zh' ? '控制台' : 'Console'} />
        <TimeSlider store={store} state={state} />
        <Panels store={store} state={state} />
      </main>
    </div>
  );
}
