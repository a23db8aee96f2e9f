/** Names of moments of a run. */

const NAME = /^[a-z_][\w.-]{0,63}$/i;
/** Most names of a run. */
const MOST = 1000;

export class Bookmarks {
  private readonly positions = new Map<string, number>();
  /** Called when a name is given or taken away; the position is undefined then. @throws Error when it cannot be kept */
  onChange: ((name: string, position: number | undefined) => void) | undefined;

  /** By position, earliest first. */
  get list(): readonly (readonly [name: string, position: number])[] {
    return [...this.positions].sort(([, a], [, b]) => a - b);
  }

  get(name: string): number | undefined {
    return this.positions.get(name);
  }

  /** Takes over what was kept elsewhere. */
  load(name: string, position: number | undefined): void {
    if (position === undefined) this.positions.delete(name);
    else this.positions.set(name, position);
  }

  /** @throws Error for what is no name, and when there are too many */
  set(name: string, position: number): void {
    if (!NAME.test(name)) throw new Error(`'${name}' is no name: use up to 64 letters, digits, '_', '-' and '.'`);
    if (!this.positions.has(name) && this.positions.size >= MOST)
      throw new Error(`there are ${MOST} bookmarks: 'monitor bookmark delete NAME' first`);
    this.positions.set(name, position);
    this.onChange?.(name, position);
  }

  /** @throws Error when there is none */
  delete(name: string): void {
    if (!this.positions.delete(name)) throw new Error(this.unknown(name));
    this.onChange?.(name, undefined);
  }

  /** The message for a name that means nothing. */
  unknown(name: string): string {
    const names = this.list.map(([n]) => n);
    return names.length === 0
      ? `there is no bookmark '${name}': 'monitor bookmark NAME' makes one here`
      : `there is no bookmark '${name}': one of ${names.slice(0, 20).join(', ')}`;
  }
}
