// Headless Chromium on the pages of the examples.
//
// usage: pages.mjs time_push=PAGE counter=PAGE origin_check=URL counter-pid=PID browser=PATH profile=DIRECTORY
//
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`. The last interrupts the counter.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.env.INTEROP_NODE + "/");
const { chromium } = require("playwright-core");

const PATIENCE = 10_000;

const args = Object.fromEntries(
  process.argv.slice(2).map((arg) => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)]),
);
let failures = 0;

async function check(name, body) {
  try {
    await body();
    console.log(`ok\t${name}`);
  } catch (error) {
    failures += 1;
    console.log(`fail\t${name}\t${String(error?.message ?? error).replace(/\s+/g, " ")}`);
  }
}

/** Waits until the element's text is `wanted`. */
async function shows(page, selector, wanted) {
  const deadline = Date.now() + PATIENCE;
  let text;
  do {
    text = await page.locator(selector).innerText();
    if (text === wanted) return;
    await page.waitForTimeout(50);
  } while (Date.now() < deadline);
  throw new Error(`${selector} shows ${JSON.stringify(text)}, expected ${wanted}`);
}

const context = await chromium.launchPersistentContext(args.profile, {
  executablePath: args.browser,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"],
});
context.setDefaultTimeout(PATIENCE);
const [one, two] = [await context.newPage(), await context.newPage()];

await check("time_push: the page lists the times", async () => {
  assert.equal((await one.goto(args.time_push)).status(), 200);
  await shows(one, "#status", "connected");
  await one.waitForFunction(() => document.querySelectorAll("#times li").length >= 3);
  for (const time of await one.locator("#times li").allInnerTexts()) {
    assert.ok(Math.abs(Date.now() - Date.parse(time)) < 60_000, `the page shows ${time}`);
  }
});

await check("counter: two pages share the value", async () => {
  for (const page of [one, two]) assert.equal((await page.goto(args.counter)).status(), 200);
  for (const page of [one, two]) await shows(page, "#users", "2 users");
  for (let n = 0; n < 3; n++) await one.click("#plus");
  await two.click("#minus");
  for (const page of [one, two]) await shows(page, "#value", "2");
});

await check("origin_check: a page of the site, and one of another", async () => {
  const dial = (url) =>
    new Promise((resolve) => {
      const ws = new WebSocket(url);
      ws.onmessage = ({ data }) => resolve(data);
      ws.onclose = ({ code }) => resolve(code);
    });
  const url = args.origin_check.replace("http:", "ws:");
  const other = await context.newPage();
  await other.goto(args.time_push);
  assert.equal(await one.evaluate(dial, url), `Welcome from ${args.counter}`);
  assert.equal(await other.evaluate(dial, url), 1006);
  await other.close();
});

await check("counter: a page that is left no longer counts", async () => {
  await two.goto("about:blank");
  await shows(one, "#users", "1 user");
});

await check("counter: Ctrl-C closes the page's socket with 1001", async () => {
  process.kill(Number(args["counter-pid"]), "SIGINT");
  await shows(one, "#users", "closed: 1001");
});

await context.close();
process.exit(failures === 0 ? 0 : 1);
