/** One redirect that was followed. */
export interface FollowedRedirect {
  /** 301, 302, 303, 307 or 308; 301 and 308 are meant for good. */
  readonly status: number;
  /** Where it led. */
  readonly url: string;
}

/** Where an answer came from. */
export interface ResponseOrigin {
  readonly url: string;
  readonly redirects: readonly FollowedRedirect[];
}

/** The web's `Response`, which also tells the redirects on the way. Read the body, or cancel it. */
export class GuardedResponse extends Response {
  readonly #origin: ResponseOrigin;

  constructor(
    body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    { url, redirects, ...init }: ResponseInit & ResponseOrigin,
  ) {
    super(body, init);
    this.#origin = { url, redirects };
  }

  /** Where the answer came from, after all redirects. */
  override get url(): string {
    return this.#origin.url;
  }

  override get redirected(): boolean {
    return this.redirects.length > 0;
  }

  /** The redirects that were followed, in order. */
  get redirects(): readonly FollowedRedirect[] {
    return this.#origin.redirects;
  }
}
