/** A user of this machine, by number. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** Returns whom to start servers as that refuse to run as root: nothing (oneself) unless this is root. */
export function serverUser(): Partial<User> {
  if (Deno.uid() !== 0) return {};
  const users = Deno.readTextFileSync("/etc/passwd").split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = users.find((user) => user[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(`Cannot start "PostgreSQL" as root: this machine has neither a user postgres nor nobody`);
}
