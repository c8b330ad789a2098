import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { locate } from "./requirement.ts";

const pageBytes = 4096;

/** A file system of its own, so small that a test can fill it; `await using` unmounts it. */
export interface SmallDisk extends AsyncDisposable {
  readonly path: string;
  /** Takes all the space that is left. */
  fill(): Promise<void>;
  /** Gives that space back. */
  clear(): Promise<void>;
}

/** Mounts a tmpfs of that size. */
export async function mountSmallDisk({ sizeBytes }: { readonly sizeBytes: number }): Promise<SmallDisk> {
  const path = await Deno.makeTempDir({ prefix: "commandcenter-disk-" });
  await run(locate("mount"), ["-t", "tmpfs", "-o", `size=${sizeBytes},mode=0777`, "tmpfs", path]);
  const ballast = join(path, "ballast");
  return {
    path,
    fill: async () => {
      await using file = await openBallast(ballast);
      await file.write(new Uint8Array(await freeBytes(path)));
      // Whatever others gave back meanwhile.
      while (await freeBytes(path) >= pageBytes) await file.write(new Uint8Array(pageBytes));
    },
    clear: () => Deno.remove(ballast),
    [Symbol.asyncDispose]: async () => {
      await run("umount", ["--lazy", path]);
      await Deno.remove(path);
    },
  };
}

async function openBallast(path: string) {
  const file = await Deno.open(path, { write: true, create: true, append: true });
  return {
    write: async (bytes: Uint8Array) => {
      try {
        for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
      } catch (error) {
        if (!/No space left/.test(String(error))) throw error; // somebody was quicker, and the disk is full
      }
    },
    [Symbol.asyncDispose]: () => Promise.resolve(file.close()),
  };
}

async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

async function run(command: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  if (!success) {
    throw new Error(`Cannot run "${command} ${args.join(" ")}": ${new TextDecoder().decode(stderr)}`);
  }
}
