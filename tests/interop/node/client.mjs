// The interop checks with npm `ws` as the client.
//
// usage: client.mjs main=URL limited=URL guarded=URL deflate=URL alone=URL [count=URL] [checks=NAME|NAME…], over TLS with
// `NODE_EXTRA_CA_CERTS` and certificates=DIRECTORY mutual=URL expired=URL early=URL misnamed=URL stranger=URL
//
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(process.env.INTEROP_NODE + "/");
const { WebSocket } = require("ws");

const MIB = 1024 * 1024;
const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const BEYOND_ASCII = "Grüße, 世界, \u0000 \u200f \ufffd 🦀";
const BIG_BINARY = Buffer.alloc(16 * MIB, EVERY_BYTE);
const BIG_TEXT = "é€🦀x".repeat(Math.floor((16 * MIB) / 10)) + "x".repeat((16 * MIB) % 10);
// 123 bytes, the longest reason a Close can carry.
const LONG_REASON = "é".repeat(61) + "!";
const CLOSES = [
  ["1000", 1000, "done"],
  ["1001", 1001, "leaving"],
  ["3000", 3000, "registered"],
  ["4999", 4999, "Schluß 🦀"],
  ["1000, longest reason", 1000, LONG_REASON],
  ["no code", undefined, ""],
];

const args = Object.fromEntries(
  process.argv.slice(2).map((arg) => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)]),
);
const checks = [];
let ids = 0;

function check(name, body) {
  checks.push([name, body]);
}

/** A connection whose messages are read one at a time. */
class Peer {
  #arrived = [];
  #waiting = [];

  constructor(ws) {
    this.ws = ws;
    this.closed = new Promise((resolve) => {
      ws.on("close", (code, reason) => {
        for (const { fail } of this.#waiting) fail(new Error(`closed with ${code} instead of a message`));
        resolve([code, reason.toString()]);
      });
    });
    ws.on("error", () => {});
    ws.on("message", (data, binary) => {
      const message = binary ? data : data.toString();
      if (this.#waiting.length > 0) this.#waiting.shift().take(message);
      else this.#arrived.push(message);
    });
  }

  next() {
    if (this.#arrived.length > 0) return Promise.resolve(this.#arrived.shift());
    return new Promise((take, fail) => this.#waiting.push({ take, fail }));
  }

  /** Both kinds have to match: a string is a text message, a Buffer a binary one. */
  async echoes(...messages) {
    for (const message of messages) {
      this.ws.send(message);
      same(await this.next(), message);
    }
  }

  /** The extensions that the server agreed to. */
  get answer() {
    return this.response.headers["sec-websocket-extensions"] ?? "";
  }

  async pong(payload) {
    const pong = once(this.ws, "pong");
    this.ws.ping(payload);
    const [data] = await pong;
    same(data, Buffer.from(payload));
  }

  /** How the connection ended, as seen from here; it must not linger. */
  async ended() {
    const start = performance.now();
    const ending = await this.closed;
    const took = performance.now() - start;
    assert(took < 3000, `the connection took ${(took / 1000).toFixed(1)} s to end`);
    return ending;
  }

  async done() {
    this.ws.close(1000);
    await this.ended();
  }
}

function same(actual, expected) {
  const equal =
    Buffer.isBuffer(actual) && Buffer.isBuffer(expected) ? actual.equals(expected) : actual === expected;
  if (!equal) throw new Error(`got ${brief(actual)}, expected ${brief(expected)}`);
}

function brief(value) {
  const text = Buffer.isBuffer(value) ? `Buffer ${value.subarray(0, 40).toString("hex")}` : JSON.stringify(value);
  return `${text?.slice(0, 120)}${value?.length > 120 ? `… (${value.length} long)` : ""}`;
}

function dial(path, { listener = "main", subprotocols = [], ...options } = {}) {
  const ws = new WebSocket(args[listener] + path, subprotocols, {
    perMessageDeflate: false,
    maxPayload: 32 * MIB,
    ...options,
  });
  const peer = new Peer(ws);
  return new Promise((resolve, reject) => {
    ws.on("upgrade", (response) => (peer.response = response));
    ws.on("open", () => resolve(peer));
    ws.on("error", reject);
    ws.on("unexpected-response", (_request, response) => {
      const rejection = new Error(`rejected with ${response.statusCode}`);
      rejection.response = response;
      reject(rejection);
    });
  });
}

async function on(path, options, body) {
  const peer = await dial(path, options);
  try {
    await body(peer);
    await peer.done();
  } finally {
    peer.ws.terminate();
  }
}

/** How the server saw connection `id` end. */
async function seen(id) {
  let ending;
  await on(`/seen?id=${id}`, {}, async (peer) => (ending = JSON.parse(await peer.next())));
  return ending;
}

check("text", () =>
  on("/echo", {}, (peer) =>
    peer.echoes("hello", "x".repeat(125), "x".repeat(126), "x".repeat(65535), "x".repeat(65536)),
  ),
);

check("text beyond ASCII", () => on("/echo", {}, (peer) => peer.echoes(BEYOND_ASCII)));

check("empty text", () => on("/echo", {}, (peer) => peer.echoes("", "still here")));

check("binary, every byte value", () => on("/echo", {}, (peer) => peer.echoes(EVERY_BYTE)));

check("empty binary", () => on("/echo", {}, (peer) => peer.echoes(Buffer.alloc(0), Buffer.from("still here"))));

check("1,000 messages keep their order", () =>
  on("/echo", {}, async (peer) => {
    for (let i = 0; i < 1000; i++) peer.ws.send(`message ${i}`);
    for (let i = 0; i < 1000; i++) same(await peer.next(), `message ${i}`);
  }),
);

check("20 connections at once", () =>
  Promise.all(
    Array.from({ length: 20 }, (_, i) =>
      on("/echo", {}, async (peer) => {
        for (let j = 0; j < 20; j++) await peer.echoes(`connection ${i}, message ${j}`);
      }),
    ),
  ),
);

function sendFragments(ws, binary, parts) {
  parts.forEach((part, i) => ws.send(part, { binary, fin: i === parts.length - 1 }));
}

check("fragmented text, sent", () =>
  on("/echo", {}, async (peer) => {
    sendFragments(peer.ws, false, ["Grü", "", "ße, ", "🦀"]);
    same(await peer.next(), "Grüße, 🦀");
    sendFragments(peer.ws, false, ["", "", ""]);
    same(await peer.next(), "");
  }),
);

check("fragmented binary, sent", () =>
  on("/echo", {}, async (peer) => {
    sendFragments(peer.ws, true, [Buffer.from([0]), Buffer.alloc(0), EVERY_BYTE, Buffer.from([255])]);
    same(await peer.next(), Buffer.concat([Buffer.from([0]), EVERY_BYTE, Buffer.from([255])]));
    const parts = Array.from({ length: 1024 }, (_, i) => Buffer.alloc(2, i % 256));
    sendFragments(peer.ws, true, parts);
    same(await peer.next(), Buffer.concat(parts));
  }),
);

check("fragmented text, received", () =>
  on("/fragments?size=4", {}, (peer) => peer.echoes(BEYOND_ASCII, "", "x")),
);

check("fragmented binary, received", () =>
  on("/fragments?size=1", {}, (peer) => peer.echoes(Buffer.concat(Array(4).fill(EVERY_BYTE)), Buffer.alloc(0))),
);

check("code point split across frames", () =>
  on("/echo", {}, async (peer) => {
    const crab = Buffer.from("🦀");
    const parts = [
      Buffer.concat([Buffer.from("a"), crab.subarray(0, 1)]),
      crab.subarray(1, 3),
      Buffer.alloc(0),
      Buffer.concat([crab.subarray(3), Buffer.from("z")]),
    ];
    sendFragments(peer.ws, false, parts);
    same(await peer.next(), "a🦀z");
  }),
);

check("ping between fragments", () =>
  on("/echo", {}, async (peer) => {
    peer.ws.send("before ", { fin: false });
    await peer.pong("between");
    peer.ws.send("after", { fin: true });
    same(await peer.next(), "before after");
  }),
);

check("16 MiB of text", () => on("/echo", {}, (peer) => peer.echoes(BIG_TEXT)));

check("16 MiB of binary", () => on("/echo", {}, (peer) => peer.echoes(BIG_BINARY)));

check("16 MiB in fragments", () =>
  on("/fragments?size=65536", {}, async (peer) => {
    const parts = Array.from({ length: 256 }, (_, i) => BIG_BINARY.subarray(i * 65536, (i + 1) * 65536));
    sendFragments(peer.ws, true, parts);
    same(await peer.next(), BIG_BINARY);
  }),
);

check("16 MiB echoed while they are sent", () =>
  on("/echo?streamed", {}, async (peer) => {
    const parts = Array.from({ length: 256 }, (_, i) => BIG_BINARY.subarray(i * 65536, (i + 1) * 65536));
    sendFragments(peer.ws, true, parts);
    same(await peer.next(), BIG_BINARY);
    await peer.echoes(BIG_TEXT, "", "x");
  }),
);

check("pings we send are answered", () =>
  on("/echo", {}, async (peer) => {
    peer.ws.pong("nobody asked");
    for (const payload of [Buffer.alloc(0), Buffer.from("are you there?"), Buffer.alloc(125, 0xff)]) {
      await peer.pong(payload);
    }
    const pongs = [];
    const all = new Promise((resolve) => {
      peer.ws.on("pong", (data) => pongs.push(data.toString()) === 10 && resolve());
    });
    for (let i = 0; i < 10; i++) peer.ws.ping(`ping ${i}`);
    await all;
    same(pongs.join(), Array.from({ length: 10 }, (_, i) => `ping ${i}`).join());
    await peer.echoes("still here");
  }),
);

check("pings we get are answered", () =>
  on("/ping", {}, async (peer) => {
    const { microseconds } = JSON.parse(await peer.next());
    const sane = microseconds.length > 0 && microseconds.every((latency) => latency >= 0 && latency < 5e6);
    assert(sane, `latencies of ${microseconds} µs`);
  }),
);

for (const [name, code, reason] of CLOSES) {
  check(`we close: ${name}`, async () => {
    const id = `node-${++ids}`;
    const peer = await dial(`/echo?id=${id}`);
    await peer.echoes("before the end");
    if (code === undefined) peer.ws.close();
    else peer.ws.close(code, reason);
    same((await peer.ended())[0], code ?? 1005);
    const ending = await seen(id);
    same(ending.code, code ?? 1005);
    same(ending.reason, reason);
  });
}

for (const [name, code, reason] of CLOSES) {
  check(`they close: ${name}`, async () => {
    const query = code === undefined ? "" : new URLSearchParams({ code, reason });
    const peer = await dial(`/close?${query}`);
    const [theirCode, theirReason] = await peer.ended();
    same(theirCode, code ?? 1005);
    same(theirReason, reason);
  });
}

check("a failing handler closes with 1011", async () => {
  const peer = await dial("/fail");
  same((await peer.ended())[0], 1011);
});

check("a message over their limit: 1009", async () => {
  const peer = await dial("/echo", { listener: "limited" });
  await peer.echoes(Buffer.alloc(MIB));
  peer.ws.send(Buffer.alloc(MIB + 1));
  same((await peer.ended())[0], 1009);
});

check("a message over our limit: 1009", async () => {
  const id = `node-${++ids}`;
  const peer = await dial(`/send?kind=text&size=${MIB + 1}&id=${id}`, { maxPayload: MIB });
  await peer.ended();
  same((await seen(id)).code, 1009);
});

check("subprotocol", async () => {
  const origin = "https://allowed.example";
  for (const [offered, chosen] of [
    [["unknown", "chat.v1"], "chat.v1"],
    [["chat.v1", "chat.v2"], "chat.v2"],
  ]) {
    await on("/request", { listener: "guarded", origin, subprotocols: offered }, async (peer) => {
      same(peer.ws.protocol, chosen);
      same(JSON.parse(await peer.next()).subprotocol, chosen);
    });
  }
});

check("request headers and target arrive", () => {
  const path = "/request?a=b%20c&d=%C3%A9";
  return on(path, { headers: { "X-Interop": "from the client" } }, async (peer) => {
    const request = JSON.parse(await peer.next());
    same(request.target, path);
    same(request.headers["x-interop"], "from the client");
    same(request.headers.host, new URL(args.main).host);
  });
});

check("an Origin not on the list: 403", async () => {
  const guarded = { listener: "guarded", subprotocols: ["chat.v1"] };
  await refused(403, "/echo", { ...guarded, origin: "https://evil.example" });
  await on("/echo", { ...guarded, origin: "https://allowed.example" }, (peer) => peer.echoes("welcome"));
});

check("a refusal shows status, headers, body", async () => {
  const { headers, body } = await refused(401, "/refuse");
  same(headers["www-authenticate"], 'Basic realm="interop"');
  same(body, "no entry\n");
  await refused(404, "/nowhere");
});

async function refused(status, path, options) {
  let peer;
  try {
    peer = await dial(path, options);
  } catch (error) {
    if (!error.response) throw error;
    same(error.response.statusCode, status);
    let body = "";
    for await (const chunk of error.response) body += chunk;
    return { headers: error.response.headers, body };
  }
  peer.ws.terminate();
  throw new Error(`connected instead of ${status}`);
}

check("a GET gets the page", async () => {
  const response = await fetch(args.main.replace(/^ws/, "http") + "/page");
  same(response.status, 200);
  same(response.headers.get("content-type").split(";")[0], "text/html");
  const body = await response.text();
  assert(body.includes("<title>interop</title>"), `got ${brief(body)}`);
});

/** 2 KiB that a compressor makes about half of, unless it has seen them before. */
function noise() {
  let state = 1;
  return Array.from({ length: 2048 }, () => {
    state = (state * 75) % 65537;
    return "0123456789abcdef"[(state >> 8) & 15];
  }).join("");
}

/** Echoes messages that are much alike; their share of bytes on the wire must lie in between, each way. */
async function compressed(peer, least, most) {
  const { bytesWritten, bytesRead } = peer.ws._socket;
  let plain = 0;
  for (let i = 0; i < 10; i++) {
    const message = `${noise()} ${i}`;
    await peer.echoes(message, Buffer.from(message));
    plain += 2 * message.length;
  }
  const shares = { sent: peer.ws._socket.bytesWritten - bytesWritten, received: peer.ws._socket.bytesRead - bytesRead };
  for (const [way, bytes] of Object.entries(shares)) {
    const share = bytes / plain;
    assert(least < share && share < most, `${share} of the bytes ${way}, expected ${least} to ${most}`);
  }
}

// What a server leaves out of its own compressor's settings holds all the same.
async function withoutTakeover(peer, named = ["client_no_context_takeover"]) {
  for (const parameter of named) {
    assert(peer.answer.includes(parameter), `the answer is ${peer.answer}`);
  }
  await compressed(peer, 0.4, 0.8);
}

const deflating = (options) => ({ listener: "deflate", perMessageDeflate: true, ...options });

check("compression offered, declined", () =>
  on("/echo", { perMessageDeflate: true }, async (peer) => {
    same(peer.answer, "");
    await peer.echoes("x".repeat(2000), Buffer.alloc(2000, "x"));
  }),
);

check("their compression left alone", () =>
  on("/echo", { listener: "deflate" }, async (peer) => {
    same(peer.answer, "");
    await peer.echoes("x".repeat(2000), Buffer.alloc(2000, "x"));
  }),
);

check("compression with context takeover", () =>
  on("/echo", deflating(), async (peer) => {
    same(peer.answer.split(";")[0], "permessage-deflate");
    assert(!peer.answer.includes("no_context_takeover"), `the answer is ${peer.answer}`);
    await compressed(peer, 0.01, 0.2);
  }),
);

check("compression without takeover, as they want", () =>
  on("/echo", deflating({ listener: "alone" }), (peer) => withoutTakeover(peer)),
);

check("compression without takeover, as we want", () =>
  on(
    "/echo",
    deflating({ perMessageDeflate: { serverNoContextTakeover: true, clientNoContextTakeover: true } }),
    (peer) => withoutTakeover(peer, ["server_no_context_takeover", "client_no_context_takeover"]),
  ),
);

check("compression with the smallest windows", () =>
  on(
    "/echo",
    deflating({ perMessageDeflate: { serverMaxWindowBits: 9, clientMaxWindowBits: 8 } }),
    async (peer) => {
      for (const parameter of ["server_max_window_bits=9", "client_max_window_bits=8"]) {
        assert(peer.answer.includes(parameter), `the answer is ${peer.answer}`);
      }
      // A window shorter than a message: nothing to look back on.
      await compressed(peer, 0.4, 0.8);
    },
  ),
);

check("compression of 16 MiB in fragments", () =>
  on("/fragments?size=65536", deflating(), async (peer) => {
    const parts = Array.from({ length: 256 }, (_, i) => BIG_BINARY.subarray(i * 65536, (i + 1) * 65536));
    sendFragments(peer.ws, true, parts);
    same(await peer.next(), BIG_BINARY);
    await peer.echoes(BIG_TEXT);
    const { bytesWritten, bytesRead } = peer.ws._socket;
    assert(Math.max(bytesWritten, bytesRead) < 4 * MIB, `${bytesWritten} bytes sent, ${bytesRead} received`);
  }),
);

check("compressed beyond their limit: 1009", async () => {
  const peer = await dial("/echo", { listener: "limited", perMessageDeflate: true });
  same(peer.answer.split(";")[0], "permessage-deflate");
  await peer.echoes(Buffer.alloc(MIB));
  peer.ws.send(Buffer.alloc(MIB + 1));
  const { bytesWritten } = peer.ws._socket;
  same((await peer.ended())[0], 1009);
  assert(bytesWritten < MIB / 10, `${bytesWritten} bytes sent`);
});

if (args.count) {
  check("fragments leave as fragments", () =>
    on("/count", { listener: "count" }, async (peer) => {
      sendFragments(peer.ws, false, ["a", "b", "c"]);
      same(await peer.next(), "3");
    }),
  );
}

if (args.mutual) {
  check("a certificate that cannot be trusted is refused", async () => {
    for (const [listener, why] of [
      ["expired", "CERT_HAS_EXPIRED"],
      ["early", "CERT_NOT_YET_VALID"],
      ["misnamed", "ERR_TLS_CERT_ALTNAME_INVALID"],
      ["stranger", "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ]) {
      const outcome = await dial("/echo", { listener }).then(() => "it connected", ({ code }) => code);
      same(outcome, why);
    }
  });

  check("a client's certificate", async () => {
    const outcome = await dial("/echo", { listener: "mutual" }).then(() => "it connected", ({ code }) => code);
    same(outcome, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED");
    const [cert, key] = ["client.pem", "client.key"].map((file) => readFileSync(join(args.certificates, file)));
    await on("/echo", { listener: "mutual", cert, key }, (peer) => peer.echoes("it is me"));
  });
}

check("their shutdown: 1001", async () => {
  const bystander = await dial("/echo");
  await bystander.echoes("nothing to see here");
  const peer = await dial("/shutdown");
  same((await peer.ended())[0], 1001);
  same((await bystander.ended())[0], 1001);
});

function deadline(promise, seconds) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing for ${seconds} s`)), seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

let failures = 0;
const wanted = args.checks?.split("|");
for (const [name, body] of checks) {
  if (wanted && !wanted.includes(name)) continue;
  try {
    await deadline(body(), 30);
    console.log(`ok\t${name}`);
  } catch (error) {
    failures += 1;
    console.log(`fail\t${name}\t${String(error?.message ?? error).replace(/\s+/g, " ")}`);
  }
}
process.exit(failures === 0 ? 0 : 1);
