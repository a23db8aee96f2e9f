/** The worker of the page: a machine, away from what draws. */
import type { Report, Request } from '../protocol.ts';
import { browserRuntime } from './browser-runtime.ts';
import { Desk } from './desk.ts';

const desk = new Desk(browserRuntime(), (report: Report) => self.postMessage(report));
self.onmessage = ({ data }: MessageEvent<Request>) => desk.receive(data);
