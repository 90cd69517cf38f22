// Headless Chromium on the demo page of `ws serve`, in two tabs at once.
//
// usage: demo.mjs url=PAGE server=PID browser=PATH profile=DIRECTORY out=DIRECTORY-FOR-SCREENSHOTS deflate=URL alone=URL
//
// The last two are listeners of the interop server, for the checks of compression.
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`. The last two interrupt the server.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

import { args, check, launch, shows, status } from "../harness/checks.mjs";

async function say(page, text) {
  await page.fill("#chat-input", text);
  await page.click("#chat-send");
}

const heard = (text) => new RegExp(`^\\[\\d\\d:\\d\\d:\\d\\d\\] ${text}$`, "m");

/** Whether the process runs; one that has ended but was not waited for does not. */
function isRunning(pid) {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

async function shot(page, name) {
  const path = join(args.out, name);
  await page.screenshot({ path });
  assert(statSync(path).size > 5000, `${name} has only ${statSync(path).size} bytes`);
}

const context = await launch({ viewport: { width: 1100, height: 720 }, colorScheme: "light" });
// Remembers how each of the page's connections ended; those that never opened do not count.
await context.addInitScript(() => {
  window.interopCloses = [];
  window.WebSocket = class extends WebSocket {
    constructor(...parameters) {
      super(...parameters);
      let opened = false;
      this.addEventListener("open", () => (opened = true));
      this.addEventListener("close", ({ code, wasClean }) => {
        if (opened) window.interopCloses.push({ path: new URL(this.url).pathname, code, wasClean });
      });
    }
  };
});
const complaints = [];
context.on("page", (page) => {
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
});

const [one, two] = [await context.newPage(), await context.newPage()];
const both = [one, two];

await check("the page loads in two tabs", async () => {
  for (const page of both) {
    const response = await page.goto(args.url);
    assert.equal(response.status(), 200);
    for (const name of ["chat", "counter", "time"]) await shows(page, `#status-${name}`, /^connected/);
  }
});

await check("the clock ticks", async () => {
  let last = "";
  for (let tick = 0; tick < 3; tick++) {
    const changed = await shows(two, "#clock", new RegExp(`^(?!${last.replace(/[.+]/g, "\\$&")}$).*\\d\\d:\\d\\d:\\d\\d`));
    const off = Math.abs(Date.now() - Date.parse(changed));
    assert(off < 60_000, `the clock shows ${changed}, ${off} ms away from here`);
    last = changed;
  }
});

await check("both tabs count two users", async () => {
  for (const page of both) await shows(page, "#users", /^2\b/);
});

await check("what one types the other sees", async () => {
  await say(one, "Grüße, Ωμέγα 😀");
  for (const page of both) await shows(page, "#chat-log", heard("Grüße, Ωμέγα 😀"));
  await say(two, "and back");
  for (const page of both) await shows(page, "#chat-log", heard("and back"));
});

await check("markup in a message stays text", async () => {
  const markup = "<img src=x onerror=\"document.title='taken over'\">";
  await say(two, markup);
  for (const page of both) {
    await shows(page, "#chat-log", heard(markup));
    assert.equal(await page.locator("#chat-log img").count(), 0);
    assert.notEqual(await page.title(), "taken over");
  }
});

await check("the counter is shared", async () => {
  const before = Number(await shows(one, "#counter-value", /^-?\d+$/));
  for (let i = 0; i < 5; i++) await one.click("#counter-plus");
  for (let i = 0; i < 2; i++) await two.click("#counter-minus");
  for (const page of both) await shows(page, "#counter-value", String(before + 3));
});

await check("the page fits a phone", async () => {
  await two.setViewportSize({ width: 360, height: 740 });
  const overflow = await two.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert(overflow <= 0, `${overflow} px stick out at 360 px`);
});

await check("screenshots are saved", async () => {
  await shot(one, "demo-light.png");
  await two.screenshot({ path: join(args.out, "demo-phone.png"), fullPage: true });
  await one.emulateMedia({ colorScheme: "dark" });
  await shot(one, "demo-dark.png");
});

await check("the page's sockets are compressed", async () => {
  const answers = await one.evaluate(async () => {
    const ws = new WebSocket(`ws://${location.host}/echo`);
    await new Promise((resolve) => (ws.onopen = resolve));
    const closed = new Promise((resolve) => (ws.onclose = resolve));
    ws.close();
    await closed;
    // Not one of the page's own.
    window.interopCloses.pop();
    return ws.extensions;
  });
  assert.match(answers, /^permessage-deflate\b/);
  // Longer than what is left alone.
  const long = "Grüße, Ωμέγα 😀 ".repeat(200).trim();
  await say(one, long);
  for (const page of both) await shows(page, "#chat-log", heard(long));
});

/** Passes bytes on to a server, and counts them. */
async function counting(url) {
  const counted = { sent: 0, received: 0 };
  const { hostname, port } = new URL(url);
  const proxy = createServer((near) => {
    const far = connect(Number(port), hostname);
    near.on("data", (data) => (counted.sent += data.length));
    far.on("data", (data) => (counted.received += data.length));
    for (const end of [near, far]) end.on("error", () => {});
    near.pipe(far).pipe(near);
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return { counted, proxy, url: `ws://127.0.0.1:${proxy.address().port}/echo` };
}

/** Echoes messages that are much alike; their share of bytes on the wire must lie in between, each way. */
async function compressed(target, alone, least, most) {
  const { counted, proxy, url } = await counting(target);
  const [answer, plain] = await one.evaluate(async (url) => {
    const ws = new WebSocket(url);
    await new Promise((resolve, reject) => Object.assign(ws, { onopen: resolve, onerror: reject }));
    // 2 KiB that a compressor makes about half of, unless it has seen them before.
    let state = 1;
    const noise = Array.from({ length: 2048 }, () => {
      state = (state * 75) % 65537;
      return "0123456789abcdef"[(state >> 8) & 15];
    }).join("");
    let plain = 0;
    for (let i = 0; i < 40; i++) {
      const message = `${noise} ${i}`;
      const echo = new Promise((resolve) => (ws.onmessage = resolve));
      ws.send(message);
      if ((await echo).data !== message) throw new Error(`message ${i} came back otherwise`);
      plain += message.length;
    }
    const closed = new Promise((resolve) => (ws.onclose = resolve));
    ws.close(1000);
    if (!(await closed).wasClean) throw new Error("not a clean end");
    window.interopCloses.pop();
    return [ws.extensions, plain];
  }, url);
  proxy.close();
  assert.equal(answer.includes("no_context_takeover"), alone, `the answer is ${answer}`);
  for (const [way, bytes] of Object.entries(counted)) {
    const share = bytes / plain;
    assert(least < share && share < most, `${share} of the bytes ${way}, expected ${least} to ${most}`);
  }
}

await check("compression with context takeover", () => compressed(args.deflate, false, 0.01, 0.2));

await check("compression without takeover", () => compressed(args.alone, true, 0.4, 0.8));

await check("closing a tab leaves one user", async () => {
  const three = await context.newPage();
  await three.goto(args.url);
  await shows(one, "#users", /^3\b/);
  await three.close();
  await shows(one, "#users", /^2\b/);
  // A page that is left, and not only closed, takes its connections along.
  await two.goto("about:blank");
  await shows(one, "#users", /^1\b/);
  await two.goto(args.url);
  await shows(one, "#users", /^2\b/);
});

await check("no error on the console", async () => {
  assert.equal(complaints.join("; "), "");
});

// A browser connects ahead of need: such a connection says nothing, and stays.
const idle = connect(Number(new URL(args.url).port), "127.0.0.1");
idle.on("error", () => {});
await once(idle, "connect");

await check("Ctrl-C on the server: every socket gets 1001", async () => {
  process.kill(Number(args.server), "SIGINT");
  for (const page of both) {
    await page.waitForFunction(() => window.interopCloses.length >= 3);
    const closes = await page.evaluate(() => window.interopCloses);
    closes.sort((a, b) => a.path.localeCompare(b.path));
    assert.deepEqual(
      closes,
      ["/chat", "/counter", "/time"].map((path) => ({ path, code: 1001, wasClean: true })),
      `the sockets report ${JSON.stringify(closes)}`,
    );
  }
});

await check("then the server ends, though the browser stays", async () => {
  const deadline = Date.now() + 5000;
  while (isRunning(args.server)) {
    assert(Date.now() < deadline, "it still runs after 5 s");
    await one.waitForTimeout(50);
  }
});

idle.destroy();
await context.close();
process.exit(status());
