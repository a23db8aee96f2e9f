/** Takes the page's requests, one after another where they change the machine, and passes reports back. */
import { ImageError } from '../../emu/formats/image-error.ts';
import type { Runtime } from '../../emu/runtime/runtime.ts';
import type { Chosen, MachineContent, Report, Request } from '../protocol.ts';
import { Mistakes } from './assembled.ts';
import { check } from './check.ts';
import { giveDescriptors } from './descriptor-texts.ts';
import type { Shelf } from './program.ts';
import { unpack } from './unpack.ts';
import { Workbench } from './workbench.ts';

export class Desk {
  private readonly runtime: Runtime;
  private readonly report: (report: Report) => void;
  private shelf: Promise<Shelf> | undefined;
  private bench: Workbench | undefined;
  /** Boots and checks, in their order. */
  private work: Promise<void> = Promise.resolve();

  /** The number of the gdb that came last. */
  private newestGdb = -1;

  constructor(runtime: Runtime, report: (report: Report) => void) {
    this.runtime = runtime;
    this.report = report;
  }

  /** Handles a request. What fails is reported. */
  receive(request: Request): void {
    switch (request.kind) {
      case 'begin':
        this.shelf = this.begin(request.content);
        return;
      case 'boot':
        this.inOrder((shelf) => this.boot(request.program, shelf));
        return;
      case 'check':
        this.inOrder(async (shelf) => this.report(await check(request.lab, request.program, shelf)));
        return;
      case 'pause':
        this.bench?.pause();
        return;
      case 'input':
        this.bench?.input(request.text);
        return;
      case 'gdb':
        this.gdb(request.gdb, request.bytes);
        return;
      default:
        void this.bench?.handle(request).catch((error: unknown) => this.failed(error));
    }
  }

  private async begin(content: MachineContent): Promise<Shelf> {
    giveDescriptors(content);
    return { content, interpreter: await unpack(content.interpreter), runtime: this.runtime };
  }

  private inOrder(task: (shelf: Shelf) => Promise<void>): void {
    this.work = this.work.then(async () => {
      try {
        await task(await this.shelf!);
        this.report({ kind: 'mistakes', mistakes: [] });
      } catch (error) {
        if (error instanceof Mistakes) this.report({ kind: 'mistakes', mistakes: error.list });
        else this.failed(error);
      }
    });
  }

  private async boot(program: Chosen, shelf: Shelf): Promise<void> {
    const bench = await Workbench.boot(program, shelf, this.report);
    this.bench?.close();
    this.bench = bench;
    bench.introduce();
  }

  /** A gdb has one machine: when another one has come, its connection has ended, and what it had sent by then is lost. */
  private gdb(gdb: number, bytes: Uint8Array): void {
    const isNew = gdb > this.newestGdb;
    this.newestGdb = Math.max(gdb, this.newestGdb);
    if (this.bench && (isNew || this.bench.gdbs.knows(gdb))) this.bench.gdbs.receive(gdb, bytes);
    else if (bytes.length > 0) this.report({ kind: 'gdb', gdb, bytes: new Uint8Array() });
  }

  private failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.report({ kind: 'failed', text: error instanceof ImageError ? text : `this should not happen: ${text}` });
  }
}
