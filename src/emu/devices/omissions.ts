import { hex } from '../formats/hex.ts';

/** Most kinds that are told. A guest can make up as many as there are addresses. */
const MOST_KINDS = 1000;

/**
 * What the models of devices leave out. A device that is asked for something that it does not do says so here, and a log
 * (`--log device`) tells each kind once. Without a listener a call does nothing.
 */
export class Omissions {
  private readonly told = new Set<string>();
  /** Takes a line without its end. */
  listener: ((line: string) => void) | undefined;

  /**
   * A device was asked for something that it does not do.
   * @param device its name
   * @param what the kind; the same kind of the same device is told once
   * @param value what was stored, if that says more
   */
  say(device: string, what: string, value?: number): void {
    if (!this.listener) return;
    const key = `${device}: ${what}`;
    if (this.told.has(key) || this.told.size > MOST_KINDS) return;
    this.told.add(key);
    if (this.told.size > MOST_KINDS) this.listener(`${MOST_KINDS} kinds were told: no more follow`);
    else this.listener(value === undefined ? key : `${key} (${hex(value >>> 0)})`);
  }

  /** An access to an offset where the device has no register. */
  noRegister(device: string, offset: number, store: boolean, value?: number): void {
    if (!this.listener) return;
    this.say(device, store ? `store to ${hex(offset)}: no register` : `load from ${hex(offset)}: no register`, value);
  }
}

/** For devices that stand alone. */
export const NO_OMISSIONS = new Omissions();
