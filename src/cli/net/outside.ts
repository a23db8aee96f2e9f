/** What a network outside the machine is to its cable. */

/** The cable's end of it. */
export interface CableEnd {
  /** A frame has arrived. @returns false when the source is to pause, until {@link Outside.resume} */
  readonly arrived: (frame: Uint8Array) => boolean;
  /** Nothing more comes or goes. @param why for the user */
  readonly lost: (why: string) => void;
}

export interface Outside {
  /** Connects. From here on frames arrive. @throws UsageError when this is not possible */
  open(end: CableEnd): Promise<void>;
  /** An Ethernet frame for the outside. @returns false when there is no room for it, and it is lost */
  send(frame: Uint8Array): boolean;
  /** More frames may come. */
  resume(): void;
  close(): void;
}

/** Most bytes that wait for a peer that does not read. Further frames are lost, as on a wire. */
export const MOST_UNSENT = 2 ** 20;
