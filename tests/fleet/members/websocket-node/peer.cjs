const fs = require("fs"), http = require("http"), https = require("https");
const { client: Client, server: Server } = require("websocket");
const [, , role, where] = process.argv, env = process.env;

function echo(ws) {
  ws.on("message", (message) => {
    if (message.type === "binary") return ws.sendBytes(message.binaryData);
    const text = message.utf8Data;
    if (!text.startsWith("close ")) return ws.sendUTF(text);
    const [, code, ...reason] = text.split(" ");
    code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
  });
}

if (role === "client") {
  const client = new Client();
  client.on("connect", (ws) => {
    echo(ws);
    ws.on("close", (code, reason) => console.log("closed", code, reason));
  });
  client.on("httpResponse", (response) => {
    console.log("refused", response.statusCode);
    process.exit();
  });
  client.on("connectFailed", (error) => console.log("failed", error.message));
  client.connect(where);
} else {
  const tls = env.FLEET_TLS && { cert: fs.readFileSync(env.FLEET_CERT), key: fs.readFileSync(env.FLEET_KEY) };
  const httpServer = tls ? https.createServer(tls) : http.createServer();
  const server = new Server({ httpServer, maxReceivedFrameSize: 1 << 20 });
  server.on("request", (request) => {
    if (request.resource === "/refuse") return request.reject(403, "not today");
    echo(request.accept(null, request.origin));
  });
  httpServer.listen(+where, "127.0.0.1");
  process.on("SIGTERM", () => {
    for (const ws of server.connections) ws.close(1001);
    setTimeout(() => process.exit(), 500);
  });
}
