const fs = require("fs");
const ws = require("nodejs-websocket");
const [, , role, where] = process.argv, env = process.env;

function echo(connection) {
  connection.on("text", (text) => {
    if (!text.startsWith("close ")) return connection.sendText(text);
    const [, code, ...reason] = text.split(" ");
    code === "1005" ? connection.close() : connection.close(+code, reason.join(" "));
  });
  connection.on("binary", (stream) => {
    const parts = [];
    stream.on("data", (part) => parts.push(part));
    stream.on("end", () => connection.sendBinary(Buffer.concat(parts)));
  });
  connection.on("error", (error) => console.error(error.message));
}

if (role === "client") {
  let open = false;
  const connection = ws.connect(where, { ca: fs.readFileSync(env.FLEET_CA) }, () => (open = true));
  echo(connection);
  connection.on("close", (code, reason) => {
    console.log(open ? `closed ${code} ${reason}` : "refused");
    process.exit();
  });
} else {
  const tls = env.FLEET_TLS && { secure: true, cert: fs.readFileSync(env.FLEET_CERT), key: fs.readFileSync(env.FLEET_KEY) };
  const server = ws.createServer(tls || {}, echo);
  server.listen(+where, "127.0.0.1");
  process.on("SIGTERM", () => {
    for (const connection of server.connections) connection.close(1001);
    setTimeout(() => process.exit(), 500);
  });
}
