// npm `ws` as its README shows it: an echo server that prints its port. Told what to do like the programs in
// servers/host: TASK FORM MESSAGE_SIZE.
import { createRequire } from "node:module";

const { WebSocketServer } = createRequire(new URL("installed/", import.meta.url))("ws");

const task = process.argv[2];
if (!["echo", "deflate", "deflate-takeover"].includes(task)) {
  console.log("unsupported");
  process.exit();
}
// Whether context is taken over is what the client offers.
const perMessageDeflate = task !== "echo";
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate, maxPayload: 64 << 20 });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, binary) => ws.send(data, { binary }));
});
process.stdin.on("end", () => process.exit()).resume();
