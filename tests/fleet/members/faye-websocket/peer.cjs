const fs = require("fs"), http = require("http"), https = require("https");
const WebSocket = require("faye-websocket");
const [, , role, where] = process.argv, env = process.env;
const options = { extensions: env.FLEET_COMPRESSION ? [require("permessage-deflate")] : [] };

function echo(ws) {
  ws.on("message", ({ data }) => {
    if (typeof data !== "string" || !data.startsWith("close ")) return ws.send(data);
    const [, code, ...reason] = data.split(" ");
    code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
  });
  ws.on("error", (error) => console.error(error.message));
}

if (role === "client") {
  const ws = new WebSocket.Client(where, [], { ...options, tls: { ca: fs.readFileSync(env.FLEET_CA) } });
  let open = false;
  echo(ws);
  ws.on("open", () => (open = true));
  ws.on("close", ({ code, reason }) => console.log(open ? `closed ${code} ${reason}` : `refused ${ws.statusCode ?? ""}`));
} else {
  const tls = env.FLEET_TLS && { cert: fs.readFileSync(env.FLEET_CERT), key: fs.readFileSync(env.FLEET_KEY) };
  const server = tls ? https.createServer(tls) : http.createServer();
  const all = new Set();
  server.on("upgrade", (request, socket, body) => {
    if (request.url === "/refuse") return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\nConnection: close\r\n\r\nnot today\n");
    const ws = new WebSocket(request, socket, body, [], options);
    all.add(ws);
    echo(ws);
  });
  server.listen(+where, "127.0.0.1");
  process.on("SIGTERM", () => {
    for (const ws of all) ws.close(1001, "going away");
    setTimeout(() => process.exit(), 500);
  });
}
