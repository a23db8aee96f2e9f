/** Which connections a port keeps when more come than it has room for. */

/** A connection as its place is concerned. Moments are milliseconds of one clock. */
export interface Connection {
  /** Moment of its last message that was valid; undefined: none has come yet. */
  spoke: number | undefined;
  /** It waits for an answer: its silence does not count. */
  readonly waits: boolean;
  /** Ends it, for a reason in words. */
  drop(reason: string): void;
}

/** How many connections a port keeps, and from when on a silent one gives way. */
export interface Room {
  /** That have sent a valid message. */
  readonly speakers: number;
  /** That have sent none yet. */
  readonly strangers: number;
  /** Milliseconds of silence after which one that has spoken may give way to another that speaks. */
  readonly idleMs: number;
}

/**
 * The connections of a port. One that has never spoken gives way to the next one that comes; it never costs the place of one
 * that has spoken. Of those, the one that has been silent for longest gives way to another that speaks.
 */
export class Connections {
  private readonly room: Room;
  private readonly now: () => number;
  /** In the order of their arrival. */
  private readonly strangers = new Set<Connection>();
  private readonly speakers = new Set<Connection>();

  constructor(room: Room, now: () => number = () => performance.now()) {
    this.room = room;
    this.now = now;
  }

  get count(): number {
    return this.strangers.size + this.speakers.size;
  }

  /** A connection has come. The oldest of those that never spoke makes room. */
  add(c: Connection): void {
    if (this.strangers.size >= this.room.strangers) {
      const [oldest] = this.strangers;
      this.end(oldest!, 'it has never sent a packet, and another connection came');
    }
    this.strangers.add(c);
  }

  /**
   * A connection has sent a valid message.
   * @returns false when there is no room for it, and it has been ended
   */
  heard(c: Connection): boolean {
    const now = this.now();
    if (this.strangers.delete(c)) {
      if (this.speakers.size >= this.room.speakers && !this.makeRoom(now)) {
        c.drop(`${this.room.speakers} clients are connected already`);
        return false;
      }
      this.speakers.add(c);
    }
    c.spoke = now;
    return true;
  }

  delete(c: Connection): void {
    this.strangers.delete(c);
    this.speakers.delete(c);
  }

  /** The speaker that has been silent for longest goes. @returns false when none has been silent for long */
  private makeRoom(now: number): boolean {
    let silent: Connection | undefined;
    for (const c of this.speakers) if (!c.waits && (!silent || c.spoke! < silent.spoke!)) silent = c;
    if (!silent || now - silent.spoke! < this.room.idleMs) return false;
    this.end(silent, 'it was silent for longest, and another client came');
    return true;
  }

  private end(c: Connection, reason: string): void {
    this.delete(c);
    c.drop(reason);
  }
}
