/** Takes any error of a handler, with the subject it was handling; never fatal. */
export type HandlerErrorListener = (error: unknown, subject: string) => void;

/** What waits in a mailbox: anything with a subject and data. */
export interface Letter {
  readonly subject: string;
  readonly data: Uint8Array;
}

export interface MailboxOptions {
  /** Letters waiting at the most; further ones are dropped. Default 1000. */
  readonly maxPending?: number | undefined;
  /** Letters in hand at once; default 1. */
  readonly concurrency?: number | undefined;
  readonly onDropped?: ((dropped: number) => void) | undefined;
  readonly onHandlerError: HandlerErrorListener;
}

/** Data waiting in one mailbox at the most: few large messages must not fill the memory either. */
const maxPendingBytes = 64 * 1024 * 1024;

/** Queue between the bus and one handler: in order, bounded in number and bytes, dropping what does not fit. */
export class Mailbox<Item extends Letter> {
  readonly #handle: (item: Item) => unknown;
  readonly #options: MailboxOptions;
  readonly #maxPending: number;
  readonly #concurrency: number;
  #waiting: Item[] = [];
  #waitingBytes = 0;
  #inHand = 0;
  #open = true;
  #dropped = 0;
  #inBurst = false;
  #idleListeners: (() => void)[] = [];

  constructor(handle: (item: Item) => unknown, options: MailboxOptions) {
    this.#handle = handle;
    this.#options = options;
    this.#maxPending = options.maxPending ?? 1000;
    this.#concurrency = options.concurrency ?? 1;
  }

  /** Letters dropped since the beginning. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Queues a letter; false where it was dropped or the mailbox is closed. */
  push(item: Item): boolean {
    if (!this.#open) return false;
    const fits = this.#waiting.length < this.#maxPending &&
      this.#waitingBytes + item.data.length <= maxPendingBytes;
    if (!fits) {
      this.#drop(item);
      return false;
    }
    this.#waiting.push(item);
    this.#waitingBytes += item.data.length;
    if (this.#inHand < this.#concurrency) void this.#work();
    return true;
  }

  /** Takes no more; resolves when everything that waits has been handled. */
  drain(): Promise<void> {
    this.#open = false;
    return this.#idle();
  }

  /** Takes no more and forgets what waits; resolves when what is in hand is done. */
  stop(): Promise<void> {
    this.#open = false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return this.#idle();
  }

  async #work(): Promise<void> {
    this.#inHand++;
    // The handler never runs inside push: a publisher must not wait for, or fail with, a subscriber.
    await Promise.resolve();
    for (let item = this.#waiting.shift(); item !== undefined; item = this.#waiting.shift()) {
      this.#waitingBytes -= item.data.length;
      if (this.#waiting.length <= this.#maxPending / 2) this.#inBurst = false;
      try {
        const handled = this.#handle(item);
        // A handler that is done already is not waited for, or a burst would overtake it turn by turn.
        if (handled instanceof Promise) await handled;
      } catch (error) {
        this.#report(error, item);
      }
    }
    this.#inHand--;
    if (this.#inHand > 0) return;
    for (const listener of this.#idleListeners.splice(0)) listener();
  }

  #drop(item: Item): void {
    this.#dropped++;
    if (this.#inBurst) return;
    this.#inBurst = true;
    try {
      this.#options.onDropped?.(this.#dropped);
    } catch (error) {
      this.#report(error, item);
    }
  }

  #report(error: unknown, item: Item): void {
    this.#options.onHandlerError(error, item.subject);
  }

  #idle(): Promise<void> {
    if (this.#inHand === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idleListeners.push(resolve));
  }
}
