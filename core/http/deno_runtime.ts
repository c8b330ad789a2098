import type { Runtime } from "./runtime.ts";

/** HTTP as Deno serves it. */
export const denoRuntime: Runtime = {
  listen({ hostname, port, handler }) {
    const abort = new AbortController();
    const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
      { hostname, port, signal: abort.signal, onListen: () => {} },
      handler,
    );
    return {
      hostname: server.addr.hostname,
      port: server.addr.port,
      finish: () => server.shutdown(),
      cut: async () => {
        abort.abort();
        await server.finished;
      },
    };
  },

  isTaken: (error) => error instanceof Deno.errors.AddrInUse,

  upgrade(request, events) {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => events.open();
    socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) =>
      events.message(typeof data === "string" ? data : new Uint8Array(data));
    socket.onerror = (event) => events.error(event instanceof ErrorEvent ? event.error : event);
    socket.onclose = ({ code, reason }) => events.close({ code, reason });
    return { socket, response };
  },
};
