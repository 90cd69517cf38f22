const fs = require("fs"), http = require("http"), https = require("https");
const { WebSocket, WebSocketServer } = require("ws");
const [, , role, where] = process.argv, env = process.env;
const perMessageDeflate = env.FLEET_COMPRESSION === "1";

function echo(ws) {
  ws.on("message", (data, binary) => {
    const text = binary ? "" : data.toString();
    if (!text.startsWith("close ")) return ws.send(data, { binary });
    const [, code, ...reason] = text.split(" ");
    code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
  });
  ws.on("error", (error) => console.error(error));
}

if (role === "client") {
  const ws = new WebSocket(where, { perMessageDeflate });
  echo(ws);
  ws.on("unexpected-response", (_, response) => {
    console.log("refused", response.statusCode);
    process.exit();
  });
  ws.on("close", (code, reason) => console.log("closed", code, reason.toString()));
} else {
  const tls = env.FLEET_TLS && { cert: fs.readFileSync(env.FLEET_CERT), key: fs.readFileSync(env.FLEET_KEY) };
  const server = tls ? https.createServer(tls) : http.createServer();
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate });
  server.on("upgrade", (request, socket, head) => {
    if (request.url === "/refuse") return socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\nConnection: close\r\n\r\nnot today\n");
    wss.handleUpgrade(request, socket, head, echo);
  });
  server.listen(+where, "127.0.0.1");
  process.on("SIGTERM", () => {
    for (const ws of wss.clients) ws.close(1001);
    server.close();
  });
}
