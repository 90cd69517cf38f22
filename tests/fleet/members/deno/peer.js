const [role, where] = Deno.args;

function onmessage(ws, data) {
  if (typeof data !== "string" || !data.startsWith("close ")) return ws.send(data);
  const [, code, ...reason] = data.split(" ");
  code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
}

if (role === "client") {
  const client = Deno.createHttpClient({ caCerts: [Deno.readTextFileSync(Deno.env.get("FLEET_CA"))] });
  const ws = new WebSocket(where, { client });
  let open = false;
  ws.binaryType = "arraybuffer";
  ws.onopen = () => (open = true);
  ws.onmessage = ({ data }) => onmessage(ws, data);
  ws.onerror = ({ message }) => console.error(message);
  ws.onclose = ({ code, reason }) => {
    console.log(open ? `closed ${code} ${reason}` : "refused");
    Deno.exit();
  };
} else {
  const read = (name) => Deno.readTextFileSync(Deno.env.get(name));
  const tls = Deno.env.get("FLEET_TLS") ? { cert: read("FLEET_CERT"), key: read("FLEET_KEY") } : {};
  const all = new Set();
  Deno.serve({ hostname: "127.0.0.1", port: +where, ...tls }, (request) => {
    if (new URL(request.url).pathname === "/refuse") return new Response("not today\n", { status: 403 });
    if (request.headers.get("upgrade") === null) return new Response("a WebSocket, please\n", { status: 400 });
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => all.add(socket);
    socket.onclose = () => all.delete(socket);
    socket.onmessage = ({ data }) => onmessage(socket, data);
    return response;
  });
  Deno.addSignalListener("SIGTERM", () => {
    for (const ws of all) ws.close(1001);
    setTimeout(() => Deno.exit(), 500);
  });
}
