// A program: takes datagrams at the path it is given and prints each, as systemd would take them. Needs --unstable-net.
const [path] = Deno.args;
const socket = Deno.listenDatagram({ transport: "unixpacket", path: path! });
await Deno.stdout.write(new TextEncoder().encode("listening\n"));
for await (const [message] of socket) {
  await Deno.stdout.write(message);
  await Deno.stdout.write(new TextEncoder().encode("\n"));
}
