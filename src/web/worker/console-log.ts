/** What the machine has printed, with the moment of each byte: when it goes back in time, its console does, too. */

/** A program in a loop prints without an end: so much of it is kept, the newest. */
const MOST_BYTES = 1 << 20;

export class ConsoleLog {
  private text: string[] = [];
  /** Instructions of the machine when each was printed; it never falls. */
  private moments: number[] = [];

  /** A byte was printed. Those that were printed later, in a future that is another one now, are forgotten. */
  put(byte: number, position: number): void {
    const { text, moments } = this;
    while (moments.length > 0 && moments.at(-1)! > position) {
      moments.pop();
      text.pop();
    }
    if (text.length >= MOST_BYTES) {
      text.splice(0, MOST_BYTES / 2);
      moments.splice(0, MOST_BYTES / 2);
    }
    text.push(String.fromCharCode(byte));
    moments.push(position);
  }

  /** Had all that is kept been printed by a moment? */
  isCompleteAt(position: number): boolean {
    return (this.moments.at(-1) ?? 0) <= position;
  }

  /** What had been printed by a moment. */
  until(position: number): string {
    let length = this.moments.length;
    while (length > 0 && this.moments[length - 1]! > position) length--;
    return this.text.slice(0, length).join('');
  }
}
