import { connect, createServer, type Socket } from "node:net";

/** A way to a server on which its answers can be lost. */
export interface MuteProxy extends AsyncDisposable {
  readonly port: number;
  /** From now on requests arrive and answers do not. */
  mute(): void;
  /** Breaks every connection; new ones are as good as new. */
  cut(): void;
}

/** Stands between a client and the server on `port` of 127.0.0.1. */
export async function startMuteProxy(port: number): Promise<MuteProxy> {
  const sockets = new Set<Socket>();
  let muted = false;
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    upstream.on("data", (answer) => muted || client.write(answer));
    client.on("data", (request) => void upstream.write(request));
    for (const [socket, other] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(socket.on("close", () => other.destroy()).on("error", () => other.destroy()));
    }
  });
  const cut = () => {
    muted = false;
    for (const socket of sockets) socket.destroy();
    sockets.clear();
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    mute: () => void (muted = true),
    cut,
    async [Symbol.asyncDispose]() {
      cut();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
