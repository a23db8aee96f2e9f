/** Long work in pieces: between two of them its owner may do something else, or stop it. */
export type Steps<T> = Generator<void, T, void>;

/** Does all of it without a pause. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const piece = steps.next();
    if (piece.done) return piece.value;
  }
}
