/** The WebSocket of `loongscope web --gdb`: what gdb and the machine say to each other goes through the page. */
import { BRIDGE_PATH, decodeFrame, encodeFrame, TOKEN_NAME } from '../bridge-frames.ts';
import type { Store } from './store.ts';

const NONE = new Uint8Array();

/** Where the page's address says that gdb can connect; undefined: nowhere, as in a page of a file. */
function bridgeUrl(): string | undefined {
  const token = new URLSearchParams(location.search).get(TOKEN_NAME);
  return token === null ? undefined : `ws://${location.host}${BRIDGE_PATH}?${TOKEN_NAME}=${encodeURIComponent(token)}`;
}

/** Connects the page with its server, if that has a port for gdb. */
export function openBridge(store: Store): void {
  const url = bridgeUrl();
  if (url === undefined) return;
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const gdbs = new Set<number>();
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data === 'string') {
      store.bridge({ phase: 'open', text: data, send: (gdb, bytes) => socket.send(encodeFrame({ gdb, bytes })) });
      return;
    }
    const frame = decodeFrame(new Uint8Array(data));
    if (!frame) return;
    if (frame.bytes.length > 0) gdbs.add(frame.gdb);
    else gdbs.delete(frame.gdb);
    store.do({ kind: 'gdb', ...frame });
  };
  socket.onclose = ({ reason }) => {
    for (const gdb of gdbs) store.do({ kind: 'gdb', gdb, bytes: NONE });
    store.bridge({ phase: 'closed', text: reason, again: () => openBridge(store) });
  };
}
