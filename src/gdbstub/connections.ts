/** Decides which connections a port keeps when there are too many. */

/** A connection, as far as its place matters. Times are milliseconds of one clock. */
export interface Connection {
  /** Time of its last valid message; undefined: it has sent none yet. */
  spoke: number | undefined;
  /** It waits for an answer, so its silence does not count. */
  readonly waits: boolean;
  /** Closes it. @param reason text for the log */
  drop(reason: string): void;
}

/** How many connections a port keeps, and when a silent one can be closed. */
export interface Room {
  /** Connections that have sent a valid message. */
  readonly speakers: number;
  /** Connections that have sent none yet. */
  readonly strangers: number;
  /** Milliseconds of silence after which a connection that has sent a message can be closed in favour of another one. */
  readonly idleMs: number;
}

/**
 * The connections of a port. A connection that has sent no valid message can be closed when a new one comes; it never takes the
 * place of one that has sent a message. Of these, the one with the longest silence is closed for another one that sends one.
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

  /** Adds a new connection. If necessary, the oldest one that has sent no valid message is closed. */
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

  /** Closes the connection with the longest silence. @returns false when no silence was long enough */
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
