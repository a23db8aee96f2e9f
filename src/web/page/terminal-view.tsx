import { FitAddon } from '@xterm/addon-fit';
import { Terminal } from '@xterm/xterm';
import { useEffect, useRef } from 'preact/hooks';
import type { Store } from './store.ts';

/** The console of the machine. */
export function TerminalView({ store, label }: { store: Store; label: string }) {
  const place = useRef<HTMLElement>(null);
  useEffect(() => {
    const terminal = new Terminal({
      ...{ convertEol: true, fontSize: 13, scrollback: 5000, screenReaderMode: true },
      theme: { background: '#101418', foreground: '#e6e6e6', cursor: '#e6e6e6' },
    });
    const fit = new FitAddon();
    terminal.loadAddon(fit);
    terminal.open(place.current!);
    // Tab leads on, as everywhere in the page; Ctrl+I is the same character for the machine.
    terminal.attachCustomKeyEventHandler(({ key }) => key !== 'Tab');
    terminal.onData((text) => store.do({ kind: 'input', text }));
    const observer = new ResizeObserver(() => fit.fit());
    observer.observe(place.current!);
    store.connectConsole({ write: (text) => terminal.write(text), clear: () => terminal.reset() });
    return () => {
      observer.disconnect();
      terminal.dispose();
    };
  }, [store]);
  return <section class="console" aria-label={label} ref={place} />;
}
