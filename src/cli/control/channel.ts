/** Where a control connection comes from: a socket, or the program's own standard streams. */
import type { CharacterSpec } from '../character.ts';
import { CharacterSocket } from '../character-socket.ts';
import { UsageError } from '../errors.ts';

/** Bytes of a control connection. One peer at a time. */
export interface Channel {
  onData: (bytes: Uint8Array) => void;
  /** A peer has come, or has gone. */
  onPeer: (there: boolean) => void;
  write(text: string): void;
  close(): void;
  /** From now on peers are answered. Resolves when the machine may start. */
  ready(): Promise<void>;
}

/** Standard input and output. */
class StandardStreams implements Channel {
  onData: (bytes: Uint8Array) => void = () => {};
  onPeer: (there: boolean) => void = () => {};
  private readonly receive = (data: Buffer): void => this.onData(data);

  write(text: string): void {
    process.stdout.write(text);
  }

  async ready(): Promise<void> {
    this.onPeer(true);
    process.stdin.on('data', this.receive);
  }

  close(): void {
    process.stdin.off('data', this.receive);
    process.stdin.pause();
    process.stdin.unref?.();
  }
}

/** @param what the option, for messages @throws UsageError */
export async function openChannel(spec: CharacterSpec, what: string): Promise<Channel> {
  if (spec.kind === 'stdio') return new StandardStreams();
  if (spec.kind === 'socket') return CharacterSocket.open(spec, what);
  throw new UsageError(`${what}: ${spec.kind} is not possible for it: use unix:PATH,server,nowait, tcp:… or stdio`);
}
