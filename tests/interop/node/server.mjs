// The interop test server over npm `ws`: the command language of ../README.md.
//
// usage: server.mjs [certificates=DIRECTORY], with them over TLS

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(process.env.INTEROP_NODE + "/");
const { WebSocketServer } = require("ws");

const MIB = 1024 * 1024;
const PINGS = [Buffer.alloc(0), Buffer.from("are you there?"), Buffer.alloc(125, 0xff)];

// How each connection that carried an id ended: id -> promise of { code, reason } and its resolver.
const endings = new Map();

function ending(id) {
  if (!endings.has(id)) {
    let resolve;
    const promise = new Promise((r) => (resolve = r));
    endings.set(id, { promise, resolve });
  }
  return endings.get(id);
}

const commands = {
  "/echo"(ws) {
    ws.on("message", (data, binary) => ws.send(data, { binary }));
  },
  "/fragments"(ws, request, query) {
    const size = Number(query.get("size"));
    ws.on("message", (data, binary) => {
      // Cut at any byte, so a code point may straddle two frames.
      let at = 0;
      do {
        const end = Math.min(at + size, data.length);
        ws.send(data.subarray(at, end), { binary, fin: end === data.length });
        at = end;
      } while (at < data.length);
    });
  },
  "/send"(ws, request, query) {
    const size = Number(query.get("size"));
    ws.send(query.get("kind") === "text" ? "x".repeat(size) : Buffer.alloc(size));
  },
  async "/ping"(ws) {
    ws.pong("nobody asked");
    const microseconds = [];
    for (const payload of PINGS) {
      const start = process.hrtime.bigint();
      await new Promise((resolve) => {
        const onPong = (data) => {
          if (!data.equals(payload)) return;
          ws.off("pong", onPong);
          resolve();
        };
        ws.on("pong", onPong);
        ws.ping(payload);
      });
      microseconds.push(Number((process.hrtime.bigint() - start) / 1000n));
    }
    ws.send(JSON.stringify({ microseconds }));
  },
  "/request"(ws, request) {
    ws.send(JSON.stringify({ target: request.url, headers: request.headers, subprotocol: ws.protocol || null }));
  },
  "/close"(ws, request, query) {
    if (query.has("code")) ws.close(Number(query.get("code")), query.get("reason"));
    else ws.close();
  },
  "/fail"(ws) {
    ws.close(1011);
  },
  async "/seen"(ws, request, query) {
    ws.send(JSON.stringify(await ending(query.get("id")).promise));
  },
  "/shutdown"() {
    shutDown();
  },
};

function answerHttp({ url }) {
  const { pathname } = new URL(url, "http://localhost");
  if (pathname === "/page") {
    const body = "<!doctype html><title>interop</title><p>A page, not a socket.\n";
    return [200, { "Content-Type": "text/html; charset=utf-8" }, body];
  }
  if (pathname === "/refuse") return [401, { "WWW-Authenticate": 'Basic realm="interop"' }, "no entry\n"];
  if (!(pathname in commands)) return [404, {}, "no such path\n"];
  return null;
}

function reject(socket, status, headers, body) {
  const lines = [`HTTP/1.1 ${status} Rejected`, "Connection: close", `Content-Length: ${Buffer.byteLength(body)}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  socket.end(lines.join("\r\n") + "\r\n\r\n" + body);
}

const servers = [];
const directory = process.argv[2]?.replace(/^certificates=/, "");
const read = (file) => readFileSync(join(directory, file));
const identity = (name) => ({ cert: read(`${name}.pem`), key: read(`${name}.key`) });

async function listen(options) {
  const { origins, tls = directory && identity("server"), ...rest } = options;
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 32 * MIB, perMessageDeflate: false, ...rest });
  sockets.on("headers", (headers) => headers.push("X-Served-By: ws"));
  const serve = (request, response) => {
    const [status, headers, body] = answerHttp(request) ?? [426, { Upgrade: "websocket" }, "a WebSocket endpoint\n"];
    response.writeHead(status, headers).end(body);
  };
  const server = tls ? createSecureServer(tls, serve) : createServer(serve);
  server.on("upgrade", (request, socket, head) => {
    const answer = answerHttp(request);
    if (answer) return reject(socket, ...answer);
    if (origins && !origins.includes(request.headers.origin)) return reject(socket, 403, {}, "not from there\n");
    sockets.handleUpgrade(request, socket, head, (ws) => {
      const url = new URL(request.url, "http://localhost");
      const id = url.searchParams.get("id");
      // What breaks the rules, such as a message over the limit, shows in the code of "close".
      ws.on("error", () => {});
      if (id !== null && url.pathname !== "/seen") {
        ws.on("close", (code, reason) => ending(id).resolve({ code, reason: reason.toString() }));
      }
      commands[url.pathname](ws, request, url.searchParams);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  servers.push({ server, sockets });
  return `${tls ? "wss" : "ws"}://127.0.0.1:${server.address().port}`;
}

function shutDown() {
  for (const { server, sockets } of servers) {
    server.close();
    for (const ws of sockets.clients) ws.close(1001);
  }
}

process.on("SIGINT", shutDown);
process.on("SIGTERM", shutDown);

const guarded = {
  origins: ["https://allowed.example"],
  handleProtocols: (offered) => ["chat.v2", "chat.v1"].find((name) => offered.has(name)) ?? false,
};
const listeners = {
  main: {},
  limited: { maxPayload: MIB, perMessageDeflate: true },
  guarded,
  deflate: { perMessageDeflate: true },
  alone: { perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } },
};
if (directory) {
  for (const name of ["expired", "early", "misnamed", "stranger"]) listeners[name] = { tls: identity(name) };
  listeners.mutual = { tls: { ...identity("server"), ca: read("ca.pem"), requestCert: true } };
}
const ready = ["ready"];
for (const [name, options] of Object.entries(listeners)) ready.push(`${name}=${await listen(options)}`);
console.log(ready.join(" "));
