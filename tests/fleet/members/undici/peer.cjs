const { WebSocket } = require("undici");
const ws = new WebSocket(process.argv[3]);
let open = false;
ws.binaryType = "arraybuffer";
ws.onopen = () => (open = true);
ws.onmessage = ({ data }) => {
  if (typeof data !== "string" || !data.startsWith("close ")) return ws.send(data);
  const [, code, ...reason] = data.split(" ");
  code === "1005" ? ws.close() : ws.close(+code, reason.join(" "));
};
ws.onerror = ({ message }) => console.error(message);
ws.onclose = ({ code, reason }) => {
  console.log(open ? `closed ${code} ${reason}` : "refused");
  process.exit();
};
