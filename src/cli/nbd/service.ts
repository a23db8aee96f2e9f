/** The thread of a disk: it speaks with the server, one order of the machine after the other. */
import { parentPort } from 'node:worker_threads';
import { DeadConnection, NbdClient } from './client.ts';
import { Mailbox, type NbdThreadData, type Order, type Outcome } from './mailbox.ts';

/** Carries out the orders that the machine sends. */
export function serveNbd({ address, patience, mailbox: memory }: NbdThreadData): void {
  const mailbox = new Mailbox(memory);
  let client: NbdClient | undefined;
  const carryOut = async ({ call, offset, data }: Order): Promise<string> => {
    if (call === 'open') {
      client = await NbdClient.open(address, patience);
      return JSON.stringify(client.info);
    }
    const bytes = new Uint8Array(data);
    if (call === 'read') await client!.read(offset, bytes);
    else if (call === 'write') await client!.write(offset, bytes);
    else if (call === 'flush') await client!.flush();
    else client!.close();
    return '';
  };
  const outcome = (order: Order): Promise<Outcome> =>
    carryOut(order).then(
      (text) => ({ kind: 'done', text }),
      (error: unknown) => ({
        kind: error instanceof DeadConnection ? 'dead' : 'refused',
        text: error instanceof Error ? error.message : String(error),
      }),
    );
  parentPort!.on('message', (order: Order) => {
    void outcome(order).then((result) => mailbox.put(order.number, result));
  });
}
