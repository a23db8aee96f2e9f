/** Who wants to know which pages of RAM change, and what they held before. */
export interface PageKeeper {
  /** A page that was not changed since the guard closed is about to change. */
  touched(page: number): void;
  /** All of RAM is about to be replaced. */
  replaced(): void;
}

/**
 * Watches for the first change of each page of RAM. A page is closed until it changes, and open from then on until {@link close}. Code
 * that runs stores to open pages alone: the software TLB has no write translation of a closed one.
 */
export class PageGuard {
  private readonly pages: number;
  private keeper: PageKeeper | undefined;
  private isOpen = new Uint8Array(0);
  private list: number[] = [];

  /** @param pages of RAM */
  constructor(pages: number) {
    this.pages = pages;
  }

  /** Does anybody want to know? */
  get on(): boolean {
    return this.keeper !== undefined;
  }

  isKeptBy(keeper: PageKeeper): boolean {
    return this.keeper === keeper;
  }

  /** Begins to tell a keeper, with all pages closed, or stops it. Write translations of closed pages must be dropped. */
  tell(keeper: PageKeeper | undefined): void {
    this.keeper = keeper;
    this.isOpen = new Uint8Array(keeper ? this.pages : 0);
    this.list = [];
  }

  /** A page is about to change. */
  touch(page: number): void {
    if (this.isOpen[page] !== 0 || !this.keeper) return;
    this.keeper.touched(page);
    this.isOpen[page] = 1;
    this.list.push(page);
  }

  /** All pages are about to change. */
  replaced(): void {
    this.keeper?.replaced();
  }

  /** Has the page changed since the guard closed? */
  changed(page: number): boolean {
    return this.isOpen[page] === 1;
  }

  /** The pages that have changed since the guard closed. */
  get opened(): readonly number[] {
    return this.list;
  }

  /** Closes all pages. Write translations of them must be dropped. */
  close(): void {
    for (const page of this.list) this.isOpen[page] = 0;
    this.list = [];
  }
}
