/** Begins: what is in the page, the worker, and what the user sees. */
import '@xterm/xterm/css/xterm.css';
import './style.css';
import { render } from 'preact';
import type { Language, PageContent } from '../content.ts';
import type { Report, Request } from '../protocol.ts';
import { App } from './app.tsx';
import { missingCapability } from './capabilities.ts';
import { openBridge } from './gdb-bridge.ts';
import { readLink } from './link.ts';
import { Store } from './store.ts';

/** Content that the build has put into the page as JSON. */
const embedded = <T,>(id: string): T => JSON.parse(document.getElementById(id)!.textContent) as T;

function begin(): void {
  const root = document.getElementById('app')!;
  const missing = missingCapability();
  if (missing !== undefined) {
    root.textContent = `This browser cannot run loongscope: ${missing}. Use a current Chromium, Firefox or Safari.`;
    return;
  }
  const content = embedded<PageContent>('content');
  // A page of a file has no origin from which a worker could be loaded: its text is in the page.
  const script = new Blob([embedded<string>('worker')], { type: 'text/javascript' });
  const worker = new Worker(URL.createObjectURL(script));
  const language: Language = navigator.language.startsWith('zh') ? 'zh' : 'en';
  const { selection, at } = readLink(location.hash, content);
  const send = (request: Request): void => worker.postMessage(request);
  const store = new Store(content, language, selection, send);
  worker.onmessage = ({ data }: MessageEvent<Report>) => store.hear(data);
  worker.onerror = (event) => store.hear({ kind: 'failed', text: `the worker has failed: ${event.message}` });
  send({ kind: 'begin', content: content.machine });
  root.textContent = '';
  render(<App store={store} />, root);
  store.boot();
  openBridge(store);
  if (at > 0) {
    const stop = store.subscribe(() => {
      if (store.state.machine === undefined) return;
      stop();
      store.do({ kind: 'go', to: at });
    });
  }
}

begin();
