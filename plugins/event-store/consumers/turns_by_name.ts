/** Lets work for one name take turns, first come first served, beside that for others. */
export class TurnsByName {
  readonly #last = new Map<string, Promise<unknown>>();

  take<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name);
    const turn = before ? before.then(work, work) : work();
    this.#last.set(name, turn);
    const forget = () => this.#last.get(name) === turn && this.#last.delete(name);
    turn.then(forget, forget);
    return turn;
  }
}
