/** Characters of payload on their way at the same time: a connection to NATS holds 64 MiB and then refuses. */
const maxCharacters = 8 * 1024 * 1024;

interface Sent {
  readonly seq: number;
  readonly characters: number;
  arrived: boolean;
}

/** Keeps so many events on their way at once, in order, and knows up to which sequence everything has arrived. */
export class SendWindow {
  readonly #size: number;
  #onWay: Sent[] = [];
  #first = 0;
  #characters = 0;
  #open = 0;
  #reached: number;
  #failure: { readonly error: unknown } | undefined;
  #waiting: (() => void) | undefined;

  /** Everything up to `after` has arrived before; `size` events are on their way at the most. */
  constructor({ after, size }: { after: number; size: number }) {
    this.#reached = after;
    this.#size = size;
  }

  /** Everything up to this sequence has arrived. */
  get reached(): number {
    return this.#reached;
  }

  /** Why an event did not arrive; after that nothing more ought to be sent. */
  get failure(): { readonly error: unknown } | undefined {
    return this.#failure;
  }

  get isFull(): boolean {
    return this.#onWay.length - this.#first >= this.#size || this.#characters >= maxCharacters;
  }

  /** Adds an event that is on its way. */
  send(seq: number, { characters, arrival }: { characters: number; arrival: Promise<unknown> }): void {
    const sent: Sent = { seq, characters, arrived: false };
    this.#onWay.push(sent);
    this.#characters += characters;
    this.#open++;
    arrival.then(() => {
      sent.arrived = true;
      this.#advance();
    }, (error) => {
      this.#failure ??= { error };
    }).then(() => {
      this.#open--;
      this.#wake();
    });
  }

  /** Goes past what has not to be sent. */
  skip(seq: number): void {
    if (this.#open === 0 && this.#failure === undefined) this.#reached = seq;
    else this.#onWay.push({ seq, characters: 0, arrived: true });
  }

  /** Resolves when there is room for another event, or something failed. */
  async room(): Promise<void> {
    while (this.isFull && this.#failure === undefined) await this.#change();
  }

  /** Resolves when nothing is on its way any more. */
  async settled(): Promise<void> {
    while (this.#open > 0) await this.#change();
  }

  #advance(): void {
    for (let next = this.#onWay[this.#first]; next?.arrived; next = this.#onWay[this.#first]) {
      this.#reached = next.seq;
      this.#characters -= next.characters;
      this.#first++;
    }
    // Now and then rather than each time: taking away the first of an array moves all the others.
    if (this.#first < 1024 && this.#first < this.#onWay.length) return;
    this.#onWay = this.#onWay.slice(this.#first);
    this.#first = 0;
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiting = resolve);
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.();
  }
}
