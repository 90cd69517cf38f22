// The JavaScript client of the hub against its server: in Node, then in Chromium, with two instances behind nginx over Redis.
//
// usage: checks.mjs client=FILE server=PROGRAM redis=PROGRAM nginx=PROGRAM browser=PROGRAM profile=DIRECTORY home=DIRECTORY
//
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

import { args, check, isOpen, launch, require, status, waitFor } from "../harness/checks.mjs";

const { WebSocket } = require("ws");
const { Hub, HubError, reconnectsAfter } = await import(args.client);
const children = new Set();

async function until(isSo, what = "it took too long") {
  assert(await waitFor(isSo), what);
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

function start(program, parameters, options = {}) {
  const child = spawn(program, parameters, { stdio: ["ignore", "pipe", "inherit"], ...options });
  children.add(child);
  child.ended = once(child, "exit").then(() => children.delete(child));
  return child;
}

async function kill(child, signal = "SIGKILL") {
  child.kill(signal);
  await child.ended;
}

/** An instance of our server. */
async function serve(...parameters) {
  const child = start(args.server, parameters);
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith("ready main=")) continue;
    const base = line.slice("ready main=".length);
    return { child, base, url: `${base}/hub` };
  }
  throw new Error("the server did not start");
}

/** A client whose events are recorded. */
function client(url, options = {}) {
  const states = [];
  const hub = new Hub(url, {
    WebSocket,
    firstDelay: 20,
    longestDelay: 100,
    onState: (state, detail) => states.push([state, detail.code]),
    ...options,
  });
  return { hub, states };
}

/** Subscribes, and records what comes. */
function record(hub, topic, options = {}) {
  const events = [];
  const on = (name) => (event) => events.push([name, event]);
  const names = ["Message", "Gap", "Recovered", "Unrecoverable", "Subscribed", "Error"];
  const callbacks = Object.fromEntries(names.map((name) => [`on${name}`, on(name)]));
  const subscription = hub.subscribe(topic, { ...callbacks, ...options });
  const values = () => events.filter(([name]) => name === "Message").map(([, { data }]) => data);
  const named = (name) => events.filter(([own]) => own === name).map(([, event]) => event);
  return { events, subscription, values, named };
}

const count = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);

/** What the promise is rejected with: the code of an error of the hub. */
async function refusal(promise) {
  const error = await promise.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert(error instanceof HubError, String(error));
  return error.code;
}

/** A server whose answers are written by hand. Returns its URL; `script` gets each connection. */
async function byHand(script) {
  const { WebSocketServer } = require("ws");
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", handleProtocols: () => "ws-hub.v1" });
  await once(server, "listening");
  server.on("connection", (socket) => {
    const say = (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message));
    script({ socket, say, hear: (heard) => socket.on("message", (text) => heard(JSON.parse(text))) });
  });
  return { url: `ws://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

// ---- in Node ----

let one = await serve();

await check("values, bytes, keys, positions", async () => {
  const { hub } = client(one.url);
  const kept = record(hub, "kept/values");
  const other = record(hub, "other");
  await until(() => kept.named("Subscribed").length && other.named("Subscribed").length);
  const values = [0, "text", null, false, [1, { a: [] }], { "ü": "😀\u0000" }, "\ud800", 1e308];
  const positions = [];
  for (const value of values) positions.push(await hub.publish("kept/values", value));
  const bytes = Uint8Array.from({ length: 100_000 }, (_, n) => n % 256);
  assert.equal(await hub.publish("other", bytes, { key: "k" }), null);
  assert.equal(await hub.publish("other", bytes.buffer), null);
  await until(() => kept.values().length === values.length && other.values().length === 2);
  assert.deepEqual(kept.values(), values);
  assert.deepEqual(kept.named("Message").map(({ position }) => position), positions);
  assert.equal(kept.subscription.position, positions.at(-1));
  const [first, second] = other.named("Message");
  assert.deepEqual([first.kind, first.key, first.position, first.local], ["binary", "k", null, false]);
  assert.deepEqual([first.data, second.data, second.key], [bytes, bytes, null]);
  hub.close();
});

await check("what is refused has a code", async () => {
  const { hub } = client(one.url);
  assert.equal(await refusal(hub.publish("kept/a", 1)), "offline");
  await until(() => hub.state === "open");
  assert.equal(await refusal(hub.publish("secret", 1)), "forbidden");
  assert.equal(await refusal(hub.publish("", 1)), "invalid_topic");
  assert.equal(await refusal(hub.publish("other", 1, { idempotencyKey: "k" })), "unsupported");
  await assert.rejects(hub.publish("other", undefined), TypeError);
  await assert.rejects(hub.publish("other", 1n), TypeError);
  assert.throws(() => hub.subscribe(7), TypeError);
  const position = await hub.publish("kept/cas", 1);
  await hub.publish("kept/cas", 2, { after: position });
  assert.equal(await refusal(hub.publish("kept/cas", 3, { after: position })), "conflict");
  const again = await hub.publish("kept/cas", 4, { idempotencyKey: "k" });
  assert.equal(await hub.publish("kept/cas", 4, { idempotencyKey: "k" }), again);
  const secret = record(hub, "secret");
  await until(() => secret.named("Error").length);
  assert.equal(secret.named("Error")[0].code, "forbidden");
  // It is forgotten, and does not come back.
  record(hub, "kept/x");
  assert.throws(() => record(hub, "kept/x"), { code: "already" });
  hub.close();
  assert.equal(await refusal(hub.publish("kept/a", 1)), "ended");
  assert.throws(() => hub.subscribe("a"), { code: "ended" });
});

await check("the last publications, then live ones", async () => {
  const { hub } = client(one.url);
  await until(() => hub.state === "open");
  for (const n of count(0, 10)) await hub.publish("kept/last", n);
  const last = record(hub, "kept/last", { last: 3 });
  await until(() => last.named("Recovered").length);
  await hub.publish("kept/last", 10);
  await until(() => last.values().length === 4);
  assert.deepEqual(last.values(), [7, 8, 9, 10]);
  // Again at once: nothing of the earlier subscription comes.
  last.subscription.unsubscribe();
  const anew = record(hub, "kept/last", { since: last.subscription.position });
  await hub.publish("kept/last", 11);
  await until(() => anew.values().length === 1);
  assert.deepEqual([anew.values(), last.values().length], [[11], 4]);
  hub.close();
});

await check("a callback that throws stops nothing", async () => {
  const reported = [];
  globalThis.reportError = (error) => reported.push(error.message);
  const { hub } = client(one.url);
  const got = [];
  hub.subscribe("kept/throws", {
    onMessage: ({ data }) => {
      got.push(data);
      throw new Error(`thrown ${data}`);
    },
  });
  await until(() => hub.state === "open");
  for (const n of [1, 2]) await hub.publish("kept/throws", n);
  await until(() => got.length === 2);
  assert.deepEqual(reported, ["thrown 1", "thrown 2"]);
  delete globalThis.reportError;
  hub.close();
});

await check("presence", async () => {
  const [{ hub: a }, { hub: b }] = [client(one.url), client(one.url)];
  const seen = [];
  const stop = a.presence("room").watch({
    onMembers: (members) => seen.push(["members", members.map(({ id }) => id)]),
    onJoined: ({ id, data }) => seen.push(["joined", id, data]),
    onChanged: ({ id, data }) => seen.push(["changed", id, data]),
    onLeft: ({ id }) => seen.push(["left", id]),
  });
  await until(() => seen.length === 1);
  await b.presence("room").join("bob", { colour: "red" });
  assert.throws(() => b.presence("room").join("bob"), { code: "already" });
  assert.deepEqual(await b.presence("room").members(), [{ id: "bob", data: { colour: "red" } }]);
  b.presence("room").leave();
  await until(() => seen.length === 3);
  await a.presence("room").join("alice");
  await until(() => seen.length === 4);
  assert.deepEqual(seen, [
    ["members", []],
    ["joined", "bob", { colour: "red" }],
    ["left", "bob"],
    ["joined", "alice", undefined],
  ]);
  stop();
  assert.equal(await refusal(a.presence("secret").join("alice")), "forbidden");
  a.close();
  b.close();
});

await check("close codes: which are final", async () => {
  const final = [1000, 1002, 1003, 1007, 1008, 1010, 3000, 3003, 4000, 4007, 4009, 4999];
  for (const code of final) assert(!reconnectsAfter(code), String(code));
  for (const code of [1001, 1005, 1006, 1009, 1011, 1012, 1013, 1014, 1015, 3001, 4008]) assert(reconnectsAfter(code));
  for (const code of [1000, 1008, 3000, 4001]) {
    const { hub, states } = client(`${one.base}/close/${code}`);
    const { named } = record(hub, "kept/a");
    await until(() => hub.state === "closed");
    assert.deepEqual(states.at(-1), ["closed", code]);
    assert.equal(named("Error")[0].code, "ended");
  }
  for (const code of [1001, 1011, 4008]) {
    const { hub, states } = client(`${one.base}/close/${code}`);
    await until(() => states.filter(([state, was]) => state === "waiting" && was === code).length > 3);
    hub.close();
  }
});

await check("a server that says nothing is given up", async () => {
  const { hub, states } = client(`${one.base}/mute`, { probeInterval: 50, probeTimeout: 50 });
  const lost = until(() => hub.state === "open").then(() => refusal(hub.publish("kept/a", 1)));
  assert.equal(await lost, "disconnected");
  await until(() => states.filter(([state]) => state === "open").length > 2);
  hub.close();
  // One that does not even accept.
  const sockets = [];
  const deaf = createServer((socket) => sockets.push(socket)).listen(0, "127.0.0.1");
  await once(deaf, "listening");
  const other = client(`ws://127.0.0.1:${deaf.address().port}`, { connectTimeout: 50 });
  await until(() => other.states.filter(([state]) => state === "waiting").length > 2);
  other.hub.close();
  deaf.close();
  sockets.forEach((socket) => socket.destroy());
});

await check("a subscription that stood is tried again, a membership that is refused is told", async () => {
  // What each subscription is answered, then `ok`; joins after the first are refused.
  const answers = { "kept/full": [null, "topic_full", "unavailable", "new_code"], "kept/secret": [null, ...Array(9).fill("forbidden")] };
  const sent = [];
  let joins = 0;
  let current = null;
  const { url, stop } = await byHand(({ socket, say, hear }) => {
    current = socket;
    hear(({ type, id, topic }) => {
      sent.push(`${type} ${topic}`);
      let code = type === "subscribe" ? answers[topic].shift() : null;
      if (type === "join" && joins++ > 0) code = "forbidden";
      say(code ? { type: "error", id, code, text: code } : { type: "ok", id });
    });
  });
  const { hub } = client(url);
  const retries = [];
  const onRetry = ({ error }) => retries.push(error.code);
  const full = record(hub, "kept/full", { onRetry });
  const secret = record(hub, "kept/secret", { onRetry: () => {} });
  const refused = [];
  await hub.presence("room").join("alice", null, { onError: ({ code }) => refused.push(code) });
  await until(() => full.named("Subscribed").length === 1 && secret.named("Subscribed").length === 1);
  current.terminate();
  await until(() => full.named("Subscribed").length === 2 && secret.named("Error").length === 1 && refused.length === 1);
  assert.deepEqual(retries, ["topic_full", "unavailable", "new_code"]);
  assert.deepEqual(full.named("Error"), []);
  assert.equal(secret.named("Error")[0].code, "forbidden");
  assert.deepEqual(refused, ["forbidden"]);
  assert.equal(sent.filter((one) => one === "subscribe kept/secret").length, 5);
  // A refused first subscription ends at once, as before.
  const first = record(hub, "kept/first");
  answers["kept/first"] = ["topic_full"];
  await until(() => first.named("Error").length === 1);
  assert.equal(first.named("Error")[0].code, "topic_full");
  hub.close();
  stop();
});

await check("delays are random and have a bound", async () => {
  const delays = [];
  const port = await freePort();
  const { hub } = client(`ws://127.0.0.1:${port}`, {
    firstDelay: 2,
    longestDelay: 16,
    onState: (state, { delay }) => state === "waiting" && delays.push(delay),
  });
  await until(() => delays.length > 40);
  hub.close();
  assert(delays.every((delay, n) => delay <= Math.min(2 * 2 ** n, 16)), String(delays));
  assert(new Set(delays).size > 35 && delays.some((delay) => delay < 4) && delays.some((delay) => delay > 12), String(delays));
});

await check("a connection that is cut in the middle of a recovery", async () => {
  const log = [];
  let connections = 0;
  const server = await byHand(({ socket, say, hear }) => {
    const n = connections;
    connections += 1;
    hear(({ type, id, since, last }) => {
      if (type !== "subscribe") return;
      log.push({ since, last });
      say({ type: "ok", id, position: "p9", unknown: [1] });
      say({ type: "unheard-of", topic: "t" });
      if (n === 0) return socket.terminate();
      if (n === 1) {
        say({ type: "publication", topic: "t", position: "p2", data: 2 });
        setTimeout(() => socket.terminate(), 20);
        return;
      }
      for (const n of [3, 4]) say({ type: "publication", topic: "t", position: `p${n}`, data: n });
      say({ type: "recovered", topic: "t", publications: 2 });
    });
  });
  const { hub } = client(server.url);
  const { values, named } = record(hub, "t", { last: 5 });
  await until(() => named("Recovered").length);
  assert.deepEqual(values(), [2, 3, 4]);
  assert.deepEqual(log, [{ since: undefined, last: 5 }, { since: undefined, last: 5 }, { since: "p2", last: 5 }]);
  assert.deepEqual(named("Gap"), []);
  hub.close();
  server.stop();
});

await check("where there is no position, a gap is told", async () => {
  let connections = 0;
  const server = await byHand(({ socket, say, hear }) => {
    const n = connections;
    connections += 1;
    hear(({ type, id, topic, since }) => {
      if (type !== "subscribe") return;
      if (topic === "none") return say({ type: "ok", id });
      say({ type: "ok", id, position: `start${n}` });
      if (n === 1) {
        assert.equal(since, "start0");
        say({ type: "unrecoverable", topic, reason: "some-new-reason", text: "…" });
      }
      if (n === 2) assert.equal(since, "start1");
      if (n < 2) setTimeout(() => socket.terminate(), 20);
      else say({ type: "publication", topic, position: "x", data: since });
    });
  });
  const { hub } = client(server.url);
  const [none, some] = [record(hub, "none"), record(hub, "some")];
  await until(() => some.values().length);
  assert.deepEqual(some.values(), ["start1"]);
  assert.deepEqual(some.named("Unrecoverable").map(({ reason }) => reason), ["some-new-reason"]);
  assert.deepEqual(none.named("Gap").map(({ cause }) => cause), ["disconnected", "disconnected"]);
  assert.deepEqual(some.named("Gap"), []);
  hub.close();
  server.stop();
});

await check("a server that speaks something else", async () => {
  const server = await byHand(({ say }) => say("hello"));
  const { hub, states } = client(server.url);
  await until(() => hub.state === "closed");
  assert.deepEqual(states.at(-1), ["closed", 1007]);
  server.stop();
  const invalid = client("nonsense");
  assert.equal(invalid.hub.state, "closed");
});

await check("the server is killed and comes back without its topics", async () => {
  const address = one.base.slice("ws://".length);
  const { hub, states } = client(one.url);
  const kept = record(hub, "kept/lost");
  await until(() => kept.named("Subscribed").length);
  await hub.publish("kept/lost", 1);
  await until(() => kept.values().length === 1);
  await kill(one.child);
  await until(() => hub.state !== "open");
  assert.equal(await refusal(hub.publish("kept/lost", 2)), "offline");
  one = await serve(`listen=${address}`);
  await until(() => kept.named("Unrecoverable").length);
  assert.equal(kept.named("Unrecoverable")[0].reason, "epoch");
  await hub.publish("kept/lost", 3);
  await until(() => kept.values().length === 2);
  assert.deepEqual(kept.values(), [1, 3]);
  assert(states.some(([state]) => state === "waiting"));
  hub.close();
});

await check("a slow client is closed, and recovers everything", async () => {
  const { hub: publisher } = client(one.url);
  await until(() => publisher.state === "open");
  let closes = 0;
  // A client that reads nothing for a while.
  let socket;
  class Slow extends WebSocket {
    constructor(...parameters) {
      super(...parameters);
      socket = this;
    }
  }
  const slow = client(one.url, { WebSocket: Slow, onState: (state, { code }) => (closes += code === 4008) });
  const { values, named } = record(slow.hub, "closing/a");
  await until(() => named("Subscribed").length);
  socket._socket.pause();
  // Nothing that compression makes small.
  const large = randomBytes(45_000).toString("base64");
  for (const n of count(0, 200)) await publisher.publish("closing/a", [n, large]);
  socket._socket.resume();
  await until(() => values().length === 200);
  assert.deepEqual(values().map(([n]) => n), count(0, 200));
  assert(closes > 0, "it was not slow");
  assert.deepEqual(named("Gap"), []);
  slow.hub.close();
  publisher.close();
});

await kill(one.child, "SIGTERM");

// ---- in Chromium, over Redis, behind nginx ----

const redisPort = await freePort();
const redis = start(args.redis, ["--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--dir", args.home], { stdio: "ignore" });
await until(() => isOpen(redisPort), "Redis did not start");
let instances = [await serve(`redis=redis://127.0.0.1:${redisPort}`), await serve(`redis=redis://127.0.0.1:${redisPort}`)];
const addresses = instances.map(({ base }) => base.slice("ws://".length));

const nginxPort = await freePort();
const nginxHome = join(args.home, "nginx");
rmSync(nginxHome, { recursive: true, force: true });
mkdirSync(nginxHome, { recursive: true });
const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${nginxHome}/${name};`);
writeFileSync(join(nginxHome, "nginx.conf"), `
  daemon off; worker_processes 1; pid ${nginxHome}/pid; error_log ${nginxHome}/error.log;
  events { worker_connections 256; }
  http {
    access_log off; ${temporary.join(" ")}
    upstream hubs { ${addresses.map((address) => `server ${address} max_fails=1 fail_timeout=1s;`).join(" ")} }
    server {
      listen 127.0.0.1:${nginxPort};
      location / {
        proxy_pass http://hubs;
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection upgrade;
        proxy_next_upstream error timeout;
      }
    }
  }`);
const nginx = start(args.nginx, ["-p", nginxHome, "-c", join(nginxHome, "nginx.conf"), "-e", join(nginxHome, "error.log")], { stdio: "ignore" });
await until(() => isOpen(nginxPort), "nginx did not start");

const context = await launch();
const complaints = [];
const page = await context.newPage();
page.on("pageerror", (error) => complaints.push(error.message));
await page.goto(`http://127.0.0.1:${nginxPort}/`);
await page.waitForFunction(() => window.Hub);

/** Connects the page, which records what comes. */
await page.evaluate((url) => {
  window.log = { values: [], events: [], states: [] };
  window.hub = new Hub(url, {
    firstDelay: 100,
    longestDelay: 1000,
    onState: (state, { code }) => log.states.push([state, code ?? null]),
  });
  hub.subscribe("kept/page", {
    last: 5,
    onMessage: ({ data, local }) => log.values.push(local ? ["local", data] : data),
    onGap: (event) => log.events.push(["gap", event.cause]),
    onUnrecoverable: (event) => log.events.push(["unrecoverable", event.reason]),
    onRecovered: (event) => log.events.push(["recovered", event.publications]),
    onSubscribed: () => log.events.push(["subscribed"]),
  });
}, `ws://127.0.0.1:${nginxPort}/hub`);
const log = () => page.evaluate(() => window.log);
await page.waitForFunction(() => log.events.length);

await check("Chromium: an instance is killed, and the page has every message", async () => {
  // Publishes at each instance that lives, without a pause.
  let next = 0;
  let running = true;
  const publishers = instances.map(({ url }) => client(url).hub);
  const publishing = (async () => {
    while (running || next < 300) {
      const publisher = publishers.filter((hub) => hub.state === "open")[next % 2] ?? publishers.find((hub) => hub.state === "open");
      if (!publisher) {
        await sleep(5);
        continue;
      }
      const n = next;
      next += 1;
      // Until it is known that it was published: with its name it is published once.
      for (let isPublished = false; !isPublished; ) {
        const open = publishers.filter((hub) => hub.state === "open");
        try {
          await open[n % open.length].publish("kept/page", n, { idempotencyKey: `n${n}` });
          isPublished = true;
        } catch {
          await sleep(20);
        }
      }
    }
  })();
  for (const victim of [0, 1]) {
    const seen = (await log()).values.length;
    await until(async () => (await log()).values.length > seen + 50, "no messages");
    // The page is at one of the two. The first that is killed may be the other one.
    const address = addresses[victim];
    await kill(instances[victim].child);
    await sleep(500);
    instances[victim] = await serve(`listen=${address}`, `redis=redis://127.0.0.1:${redisPort}`);
    await until(async () => (await log()).states.at(-1)[0] === "open", "the page did not come back");
  }
  running = false;
  await publishing;
  publishers.forEach((hub) => hub.close());
  await until(async () => (await log()).values.length >= next, `${(await log()).values.length} of ${next}`).catch(() => {});
  const { values, states, events } = await log();
  assert.deepEqual(values, count(0, next));
  assert(states.some(([state, code]) => state === "waiting" && code === 1006), JSON.stringify(states));
  assert.deepEqual(events.filter(([name]) => name === "gap" || name === "unrecoverable"), [], JSON.stringify(events));
});

await check("Chromium: the broker is killed and comes back empty, and the page is told", async () => {
  await kill(redis);
  await sleep(1000);
  const again = start(args.redis, ["--port", redisPort, "--bind", "127.0.0.1", "--save", "", "--dir", args.home], { stdio: "ignore" });
  await until(() => isOpen(redisPort));
  const told = async () => (await log()).events.some(([name]) => name === "gap" || name === "unrecoverable");
  const { hub } = client(instances[0].url);
  let n = 0;
  await until(async () => {
    n += 1;
    await hub.publish("kept/page", `after ${n}`).catch(() => {});
    await sleep(100);
    return (await told()) && (await log()).values.some((value) => typeof value === "string");
  });
  // No socket was closed for it.
  assert.equal((await log()).states.at(-1)[0], "open");
  hub.close();
  void again;
});

await check("Chromium: offline, and online again", async () => {
  const opened = (await log()).states.filter(([state]) => state === "open").length;
  await page.evaluate(() => window.dispatchEvent(new Event("online")));
  await page.evaluate(() => hub.publish("kept/page", "online"));
  assert.equal((await log()).states.filter(([state]) => state === "open").length, opened);
});

await check("Chromium: no error on the page", async () => assert.deepEqual(complaints, []));

await context.close();
for (const child of children) await kill(child);
process.exit(status());
