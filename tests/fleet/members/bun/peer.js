const [, , role, where] = process.argv, env = process.env;

function message(ws, data) {
  if (typeof data !== "string" || !data.startsWith("close ")) return ws.send(data);
  const [, code, ...reason] = data.split(" ");
  code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
}

if (role === "client") {
  const ws = new WebSocket(where, { tls: { ca: Bun.file(env.FLEET_CA) } });
  let open = false;
  ws.binaryType = "arraybuffer";
  ws.onopen = () => (open = true);
  ws.onmessage = ({ data }) => message(ws, data);
  ws.onclose = ({ code, reason }) => {
    console.log(open ? `closed ${code} ${reason}` : "refused");
    process.exit();
  };
} else {
  const tls = env.FLEET_TLS ? { cert: Bun.file(env.FLEET_CERT), key: Bun.file(env.FLEET_KEY) } : undefined;
  const all = new Set();
  Bun.serve({
    hostname: "127.0.0.1",
    port: +where,
    tls,
    fetch(request, server) {
      if (new URL(request.url).pathname === "/refuse") return new Response("not today\n", { status: 403 });
      if (!server.upgrade(request)) return new Response("a WebSocket, please\n", { status: 400 });
    },
    websocket: {
      perMessageDeflate: env.FLEET_COMPRESSION === "1",
      open: (ws) => all.add(ws),
      close: (ws) => all.delete(ws),
      message,
    },
  });
  process.on("SIGTERM", () => {
    for (const ws of all) ws.close(1001);
    setTimeout(() => process.exit(), 500);
  });
}
