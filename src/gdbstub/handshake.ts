/**
 * The packets with which gdb makes itself known, before it reads anything of the machine. A gdb without LoongArch gets no further: it
 * ignores the target description, and cannot read the registers in the first stop reply.
 */
const HANDSHAKE =
  /^(qSupported|vCont\?|vMustReplyEmpty|QStartNoAckMode|qExecAndArgs|!|H[gc]|qTStatus|\?|qXfer:(features|threads|exec-file|auxv):|qAttached|vFile:|qOffsets|q[fs]?ThreadInfo|qC$)/;
const DESCRIPTION = 'qXfer:features:';

export class Handshake {
  private described = false;
  private stopped = false;
  /** The client has asked for more. */
  over = false;

  /** A packet has come. */
  heard(payload: string): void {
    if (payload.startsWith(DESCRIPTION)) this.described = true;
    else if (payload === '?') this.stopped = true;
    else if (!HANDSHAKE.test(payload)) this.over = true;
  }

  /** Has it had the description and the first stop, and nothing else? Then it has most likely not understood them. */
  get broken(): boolean {
    return this.described && this.stopped && !this.over;
  }
}
