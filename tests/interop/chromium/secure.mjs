// Headless Chromium over TLS: a page, and WebSockets to where it came from. The certificate has to be in order.
//
// usage: secure.mjs main=URL browser=PATH profile=DIRECTORY [stranger=URL] [checks=NAME|NAME…]
//
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`. The last one has the server shut down.

import assert from "node:assert/strict";
import { args, check, launch, status } from "../harness/checks.mjs";

// Whom the browser trusts is in a database in the home directory.
const context = await launch({ env: { ...process.env, HOME: args.profile } });
const page = await context.newPage();

// What runs in the page has no other way to share it.
await context.addInitScript(() => {
  window.dial = (url) => {
    const ws = new WebSocket(url);
    ws.binaryType = "arraybuffer";
    const closed = new Promise((resolve) => {
      ws.onclose = ({ code, reason, wasClean }) => resolve({ code, reason, wasClean });
    });
    const next = () => new Promise((resolve) => (ws.onmessage = ({ data }) => resolve(data)));
    const opened = new Promise((resolve, reject) => {
      ws.onopen = () => resolve({ ws, closed, next });
      closed.then(({ code }) => reject(new Error(`did not open: ${code}`)));
    });
    return opened;
  };
  window.here = location.origin.replace(/^http/, "ws");
});

await check("a page over TLS", async () => {
  const response = await page.goto(args.main.replace(/^ws/, "http") + "/page");
  assert.equal(response.status(), 200);
  assert.equal(await page.title(), "interop");
  const security = await response.securityDetails();
  assert.match(security.protocol, /^TLS 1\.[23]$/);
});

await check("messages both ways", async () => {
  const answers = await page.evaluate(async () => {
    const { ws, next, closed } = await dial(`${here}/echo`);
    const answers = [];
    for (const message of ["hello", "Grüße, 世界, 🦀", "", "x".repeat(70000)]) {
      ws.send(message);
      answers.push((await next()) === message);
    }
    ws.close(1000);
    return [...answers, (await closed).wasClean];
  });
  assert.deepEqual(answers, [true, true, true, true, true]);
});

await check("16 MiB of binary", async () => {
  const same = await page.evaluate(async () => {
    const { ws, next } = await dial(`${here}/echo`);
    const bytes = new Uint8Array(16 << 20);
    for (let i = 0; i < bytes.length; i++) bytes[i] = i ^ (i >> 8);
    ws.send(bytes);
    const echo = new Uint8Array(await next());
    ws.close(1000);
    let same = echo.length === bytes.length;
    for (let i = 0; same && i < bytes.length; i++) same = echo[i] === bytes[i];
    return same;
  });
  assert(same, "it came back otherwise");
});

for (const code of [1000, 3000, 4999]) {
  await check(`the page closes: ${code}`, async () => {
    const [closed, seen] = await page.evaluate(async (code) => {
      const { ws, closed } = await dial(`${here}/echo?id=browser-${code}`);
      ws.close(code, "Schluß 🦀");
      const ending = await closed;
      const { next } = await dial(`${here}/seen?id=browser-${code}`);
      return [ending, JSON.parse(await next())];
    }, code);
    assert.deepEqual([closed.code, closed.wasClean], [code, true]);
    assert.deepEqual(seen, { code, reason: "Schluß 🦀" });
  });
}

for (const [code, path] of [
  [1001, "/close?code=1001&reason=leaving"],
  [4999, "/close?code=4999&reason=leaving"],
  [1005, "/close"],
  [1011, "/fail"],
]) {
  await check(`the server closes: ${code}`, async () => {
    const closed = await page.evaluate(async (path) => (await dial(here + path)).closed, path);
    assert.deepEqual([closed.code, closed.wasClean], [code, true]);
  });
}

await check("sockets are streams of the page's connection", async () => {
  const [page_protocol, request] = await page.evaluate(async () => {
    const [navigation] = performance.getEntriesByType("navigation");
    const { next } = await dial(`${here}/request`);
    return [navigation.nextHopProtocol, JSON.parse(await next())];
  });
  assert.equal(page_protocol, "h2");
  // A proxy names the version in front of it.
  assert.match(request.headers.via ?? request.version, /^(2 |HTTP\/2)/);
});

await check("the server sees the client's address", async () => {
  const client = await page.evaluate(async () => {
    const { next } = await dial(`${here}/request`);
    return JSON.parse(await next()).client;
  });
  assert.equal(client, "127.0.0.1");
});

await check("a certificate of nobody known: no connection", async () => {
  const failed = await page.evaluate((url) => dial(url).then(() => "it opened", String), args.stranger + "/echo");
  assert.equal(failed, "Error: did not open: 1006");
});

await check("the server's shutdown: 1001", async () => {
  const closed = await page.evaluate(async () => {
    const bystander = await dial(`${here}/echo`);
    const ws = await dial(`${here}/shutdown`);
    return Promise.all([ws.closed, bystander.closed]);
  });
  for (const { code, wasClean } of closed) assert.deepEqual([code, wasClean], [1001, true]);
});

await context.close();
process.exit(status());
