/** A file, or a part of one, that is made from the code and checked in. */
export interface GeneratedFile {
  /** Path from the top of the project. */
  readonly file: string;
  /** The whole file as it should be. `current` is how it is now; undefined = no such file, in and out. */
  content(current: string | undefined): string | undefined | Promise<string | undefined>;
}
