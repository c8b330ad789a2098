/** Why the terminal's `interrupted` signal was aborted: somebody asked us to stop. */
export class Interruption extends Error {
  override readonly name = "Interruption";
  readonly signalName: string;
  /** 128 plus the number of the signal, as shells report it. */
  readonly exitCode: number;

  constructor(signalName: string, signalNumber: number) {
    super(`interrupted by ${signalName}`);
    this.signalName = signalName;
    this.exitCode = 128 + signalNumber;
  }
}
