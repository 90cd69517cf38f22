// Headless Chromium on the pages of the examples.
//
// usage: pages.mjs time_push=PAGE counter=PAGE origin_check=URL counter-pid=PID browser=PATH profile=DIRECTORY
//
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`. The last interrupts the counter.

import assert from "node:assert/strict";
import { args, check, launch, shows, status } from "../harness/checks.mjs";

const context = await launch();
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
process.exit(status());
