// Checks of our server over HTTP/2 (RFC 8441), with Node's http2 and frames by hand: one connection for a page and all sockets.
//
// usage: node http2.mjs main=wss://… guarded=wss://… checks='a|b'

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import http2 from "node:http2";

const PATIENCE = 30_000;
const { NGHTTP2_CANCEL, NGHTTP2_NO_ERROR } = http2.constants;

const args = Object.fromEntries(
  process.argv.slice(2).map((arg) => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)]),
);
const wanted = args.checks?.split("|");
let failures = 0;

async function check(name, body) {
  if (wanted && !wanted.includes(name)) return;
  try {
    await within(body());
    console.log(`ok\t${name}`);
  } catch (error) {
    failures += 1;
    console.log(`fail\t${name}\t${String(error?.message ?? error).replace(/\s+/g, " ")}`);
  }
}

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("timed out")), PATIENCE)));
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Connects, and waits for the server's SETTINGS. */
async function connect(url) {
  const session = http2.connect(url.replace(/^ws/, "http"), { settings: { enablePush: false } });
  session.on("error", () => {});
  const settings = await new Promise((resolve, reject) => {
    session.once("remoteSettings", resolve);
    session.once("close", () => reject(new Error("no SETTINGS")));
  });
  assert.equal(settings.enableConnectProtocol, true);
  return session;
}

/** A socket: one stream. */
class Socket {
  constructor(session, path, headers = {}) {
    this.stream = session.request(
      { ":method": "CONNECT", ":protocol": "websocket", ":path": path, "sec-websocket-version": "13", ...headers },
      { endStream: false },
    );
    this.buffer = Buffer.alloc(0);
    this.frames = [];
    this.waiting = [];
    this.stream.on("data", (data) => {
      this.buffer = Buffer.concat([this.buffer, data]);
      for (let frame; (frame = this.parse()); ) this.frames.push(frame);
      this.pass();
    });
    this.stream.on("error", () => {});
    this.ended = new Promise((resolve) => this.stream.once("end", resolve));
    this.closed = new Promise((resolve) => this.stream.once("close", () => resolve(this.stream.rstCode)));
  }

  async opened() {
    const headers = await new Promise((resolve, reject) => {
      this.stream.once("response", resolve);
      this.stream.once("close", () => reject(new Error(`closed: ${this.stream.rstCode}`)));
    });
    this.headers = headers;
    return headers[":status"];
  }

  parse() {
    if (this.buffer.length < 2) return null;
    let [length, at] = [this.buffer[1] & 0x7f, 2];
    if (length === 126) {
      if (this.buffer.length < 4) return null;
      [length, at] = [this.buffer.readUInt16BE(2), 4];
    } else if (length === 127) {
      if (this.buffer.length < 10) return null;
      [length, at] = [Number(this.buffer.readBigUInt64BE(2)), 10];
    }
    if (this.buffer.length < at + length) return null;
    const frame = { opcode: this.buffer[0] & 0xf, payload: this.buffer.subarray(at, at + length) };
    this.buffer = this.buffer.subarray(at + length);
    return frame;
  }

  pass() {
    while (this.frames.length && this.waiting.length) this.waiting.shift()(this.frames.shift());
  }

  next() {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.pass();
    });
  }

  send(opcode, payload, end = false) {
    payload = Buffer.from(payload);
    const size = payload.length;
    const header = size < 126 ? Buffer.alloc(2) : size < 65536 ? Buffer.alloc(4) : Buffer.alloc(10);
    header[0] = 0x80 | opcode;
    header[1] = 0x80 | (size < 126 ? size : size < 65536 ? 126 : 127);
    if (header.length === 4) header.writeUInt16BE(size, 2);
    if (header.length === 10) header.writeBigUInt64BE(BigInt(size), 2);
    const key = randomBytes(4);
    const masked = Buffer.from(payload);
    for (let i = 0; i < size; i++) masked[i] ^= key[i & 3];
    const frame = Buffer.concat([header, key, masked]);
    if (end) this.stream.end(frame);
    else this.stream.write(frame);
  }

  close(code, end) {
    const body = Buffer.alloc(2);
    body.writeUInt16BE(code);
    this.send(8, body, end);
  }
}

async function open(session, path, headers) {
  const socket = new Socket(session, path, headers);
  assert.equal(await socket.opened(), 200);
  return socket;
}

const closeCode = ({ opcode, payload }) => [opcode, payload.length < 2 ? 1005 : payload.readUInt16BE(0)];
const text = ({ payload }) => payload.toString();

async function get(session, path) {
  const stream = session.request({ ":path": path });
  let body = "";
  stream.setEncoding("utf8").on("data", (data) => (body += data));
  const [headers] = await Promise.all([
    new Promise((resolve) => stream.once("response", resolve)),
    new Promise((resolve) => stream.once("end", resolve)),
  ]);
  return [headers[":status"], body];
}

async function seen(session, id) {
  const socket = await open(session, `/seen?id=${id}`);
  const ending = JSON.parse(text(await socket.next()));
  socket.close(1000, true);
  return ending;
}

const main = await connect(args.main);

await check("a page and a socket on one connection", async () => {
  const [status, body] = await get(main, "/page");
  assert.deepEqual([status, body.includes("interop")], [200, true]);
  const socket = await open(main, "/request", { cookie: ["a=1", "b=2"] });
  const { version, headers } = JSON.parse(text(await socket.next()));
  assert.deepEqual([version, headers.cookie], ["HTTP/2.0", "a=1; b=2"]);
  assert.equal(socket.headers["sec-websocket-accept"], undefined);
  socket.close(1000, true);
});

await check("messages both ways", async () => {
  const socket = await open(main, "/echo");
  for (const message of ["hello", "Grüße, 世界, 🦀", "", "x".repeat(70000)]) {
    socket.send(1, message);
    assert.equal(text(await socket.next()), message);
  }
  socket.close(1000, true);
  assert.deepEqual(closeCode(await socket.next()), [8, 1000]);
});

await check("16 MiB of binary", async () => {
  const socket = await open(main, "/echo");
  const bytes = randomBytes(16 << 20);
  socket.send(2, bytes);
  assert((await socket.next()).payload.equals(bytes), "it came back otherwise");
  socket.close(1000, true);
});

await check("200 sockets on one connection", async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => open(main, "/echo")));
  sockets.forEach((socket, n) => socket.send(1, `socket ${n}`));
  const echoes = await Promise.all(sockets.map((socket) => socket.next()));
  assert(echoes.every((frame, n) => text(frame) === `socket ${n}`));
  for (const socket of sockets) socket.close(1000, true);
  await Promise.all(sockets.map((socket) => socket.ended));
});

await check("the client closes with END_STREAM", async () => {
  const socket = await open(main, "/echo?id=with");
  socket.close(4999, true);
  assert.deepEqual(closeCode(await socket.next()), [8, 4999]);
  await socket.ended;
  assert.deepEqual(await seen(main, "with"), { code: 4999, reason: "" });
});

await check("the client closes and never ends its half: NO_ERROR", async () => {
  const socket = await open(main, "/echo?id=without");
  socket.close(4999, false);
  assert.deepEqual(closeCode(await socket.next()), [8, 4999]);
  await socket.ended;
  assert.equal(await socket.closed, NGHTTP2_NO_ERROR);
  assert.deepEqual(await seen(main, "without"), { code: 4999, reason: "" });
});

await check("the server closes: 4999", async () => {
  const socket = await open(main, "/close?code=4999&reason=leaving");
  const frame = await socket.next();
  assert.deepEqual([closeCode(frame), frame.payload.subarray(2).toString()], [[8, 4999], "leaving"]);
  socket.close(4999, true);
  await socket.ended;
});

await check("a client that resets the stream: 1006", async () => {
  const socket = await open(main, "/echo?id=reset");
  socket.send(1, "hello");
  await socket.next();
  socket.stream.close(NGHTTP2_CANCEL);
  assert.equal((await seen(main, "reset")).code, 1006);
});

await check("an error Close arrives: 1002", async () => {
  const socket = await open(main, "/echo");
  socket.send(3, "a reserved opcode");
  assert.deepEqual(closeCode(await socket.next()), [8, 1002]);
  await socket.ended;
  socket.stream.end();
});

await check("an Origin not on the list: 403", async () => {
  const guarded = await connect(args.guarded);
  const refused = new Socket(guarded, "/echo", { origin: "https://other.example" });
  assert.equal(await refused.opened(), 403);
  const allowed = { origin: "https://allowed.example", "sec-websocket-protocol": "chat.v1, chat.v2" };
  const socket = await open(guarded, "/echo", allowed);
  assert.equal(socket.headers["sec-websocket-protocol"], "chat.v2");
  socket.close(1000, true);
  await socket.ended;
  guarded.close();
});

await check("other requests get an answer", async () => {
  assert.equal((await get(main, "/echo"))[0], 405);
  assert.equal((await get(main, "/refuse"))[0], 401);
  assert.equal((await get(main, "/nowhere"))[0], 404);
  const other = new Socket(main, "/echo", { ":protocol": "connect-udp" });
  assert.equal(await other.opened(), 501);
});

await check("their shutdown: 1001", async () => {
  const goaway = new Promise((resolve) => main.once("goaway", (code) => resolve(code)));
  const [bystander, socket] = [await open(main, "/echo"), await open(main, "/shutdown")];
  for (const one of [bystander, socket]) {
    assert.deepEqual(closeCode(await one.next()), [8, 1001]);
    one.close(1001, true);
    await one.ended;
  }
  assert.equal(await goaway, NGHTTP2_NO_ERROR);
});

main.destroy();
process.exit(failures === 0 ? 0 : 1);
