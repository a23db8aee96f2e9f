/** What work yields that can only go on when something outside has happened. */
export const WAITING = 'waiting';

/** Long work in pieces. Between two pieces the caller can do something else, or end the work. */
export type Steps<T> = Generator<undefined | typeof WAITING, T, void>;

/** Does all the work without a pause. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const piece = steps.next();
    if (piece.done) return piece.value;
  }
}
