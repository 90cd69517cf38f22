// npm `ws` as its README shows it: an echo server that prints its port.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, maxPayload: 64 << 20 });
server.on("listening", () => console.log(server.address().port));
server.on("connection", (ws) => {
  ws.on("error", () => {});
  ws.on("message", (data, binary) => ws.send(data, { binary }));
});
process.stdin.on("end", () => process.exit()).resume();
