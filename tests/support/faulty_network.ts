import { connect, createServer, type Socket } from "node:net";

/** What the network does to the bytes that pass. */
export type NetworkFault =
  | { readonly kind: "none" }
  /** Swallows everything both ways; connections stay open and nobody is told. */
  | { readonly kind: "drop" }
  /** Hands everything on later. */
  | { readonly kind: "delay"; readonly delayMs: number }
  /** Says that the server sends no more, while what the client sends still arrives. */
  | { readonly kind: "half-close" }
  /** Breaks every connection and takes no new one. */
  | { readonly kind: "refuse" };

/** A network between clients and one server on 127.0.0.1, which can be disturbed. */
export interface FaultyNetwork extends AsyncDisposable {
  /** Where clients connect to. */
  readonly port: number;
  /** Bytes that were swallowed so far. */
  readonly droppedBytes: number;
  /** From now on the network behaves like that; open connections too. */
  become(fault: NetworkFault): void;
}

interface Link {
  readonly client: Socket;
  readonly upstream: Socket;
}

/** Puts a network in front of the server on `port`. */
export async function startFaultyNetwork(port: number): Promise<FaultyNetwork> {
  const links = new Set<Link>();
  const timers = new Set<ReturnType<typeof setTimeout>>();
  let fault: NetworkFault = { kind: "none" };
  let droppedBytes = 0;

  const pass = (bytes: Uint8Array, to: Socket) => {
    if (fault.kind === "drop") return void (droppedBytes += bytes.length);
    if (fault.kind !== "delay") return void to.write(bytes);
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!to.destroyed) to.write(bytes);
    }, fault.delayMs);
    timers.add(timer);
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    if (fault.kind === "refuse") return void client.destroy();
    const upstream = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    const link = { client, upstream };
    links.add(link);
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      from.on("data", (bytes) => pass(bytes as Uint8Array, to));
      from.on("end", () => fault.kind === "drop" || to.end());
      from.on("error", () => to.destroy());
      from.on("close", () => {
        links.delete(link);
        if (fault.kind !== "drop") to.destroy(); // on a dead line nobody hears that the other side has gone
      });
    }
  });
  const destroyAll = () => {
    for (const { client, upstream } of links) {
      client.destroy();
      upstream.destroy();
    }
    links.clear();
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    get droppedBytes() {
      return droppedBytes;
    },
    become: (next) => {
      fault = next;
      if (next.kind === "refuse") destroyAll();
      if (next.kind === "half-close") { for (const { client } of links) client.end(); }
    },
    [Symbol.asyncDispose]: async () => {
      for (const timer of timers) clearTimeout(timer);
      destroyAll();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
