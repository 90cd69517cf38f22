// Headless Chromium on the page of two instances of `ws serve` behind nginx, while one of them is killed, and then Redis.
//
// usage: browser.mjs commands=JSON ports=JSON browser=PATH profile=DIRECTORY out=DIRECTORY-FOR-SCREENSHOTS-AND-LOGS
//
// The commands are those of redis, one, two and nginx; this script starts and kills them.
// One line per check: `ok<TAB>name` or `fail<TAB>name<TAB>why`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { openSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { args, check, isOpen, launch, require, shows, status, waitFor } from "../harness/checks.mjs";

const { WebSocket } = require("ws");
const commands = JSON.parse(args.commands);
const ports = JSON.parse(args.ports);
const running = {};

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function start(name) {
  const log = openSync(join(args.out, `${name}.log`), "a");
  const [program, ...rest] = commands[name];
  running[name] = spawn(program, rest, { stdio: ["ignore", log, log] });
  assert(await waitFor(() => isOpen(ports[name])), `${name} does not listen, see ${name}.log`);
}

async function kill(name) {
  const ended = new Promise((resolve) => running[name].once("exit", resolve));
  running[name].kill("SIGKILL");
  await ended;
}

/** Waits until a value is as wanted. */
async function until(what, read, isWanted) {
  let value;
  if (await waitFor(async () => isWanted((value = await read())))) return value;
  throw new Error(`${what} is ${JSON.stringify(value)}`);
}

const textOf = (page, selector) => page.locator(selector).innerText();

/** What was said, without the times. Lines of one instance only are marked. */
const lines = (page) =>
  page.$$eval("#chat-log div:not(.note)", (items) =>
    items.filter((item) => !item.querySelector(".local")).map((item) => item.textContent.replace(/^\[[\d:]+\] /, "")),
  );
const notes = (page) => page.$$eval("#chat-log .note", (items) => items.map((item) => item.textContent));
const locals = (page) => page.$$eval("#chat-log div:has(.local)", (items) => items.map((item) => item.textContent));

async function say(page, text) {
  await page.fill("#chat-input", text);
  await page.press("#chat-input", "Enter");
}

/** Somebody at an instance itself, not through nginx. */
async function visitor(name) {
  const ws = new WebSocket(`ws://127.0.0.1:${ports[name]}/chat?name=${name}`);
  await new Promise((resolve, reject) => (ws.once("open", resolve), ws.once("error", reject)));
  return ws;
}

const said = [];
/** All pages have everything that was said, in its order, once. */
async function allHave(pages) {
  for (const [index, page] of pages.entries()) {
    await until(`what page ${index} shows`, () => lines(page), (shown) => JSON.stringify(shown) === JSON.stringify(said));
  }
}

for (const name of ["redis", "one", "two", "nginx"]) await start(name);
const context = await launch({ viewport: { width: 1100, height: 720 }, colorScheme: "light" });
const complaints = [];
context.on("page", (page) => {
  page.on("pageerror", (error) => complaints.push(error.message));
  // A connection that fails is told on the console, too, and is no fault here.
  page.on("console", (message) => {
    if (message.type() === "error" && !/WebSocket connection to/.test(message.text())) complaints.push(message.text());
  });
});
const url = `http://127.0.0.1:${ports.nginx}/`;
const ready = async (page) => {
  for (const name of ["chat", "counter", "time"]) await shows(page, `#status-${name}`, /^connected/);
};
const open = async () => {
  const page = await context.newPage();
  await page.goto(url);
  await ready(page);
  return page;
};
const names = new Map();
const pages = [];

await check("two pages at two instances hear each other", async () => {
  for (let n = 0; n < 2; n++) pages.push(await open());
  for (const page of pages) names.set(page, await page.evaluate(() => JSON.parse(sessionStorage.me).name));
  for (const page of pages) {
    const text = `hello from ${names.get(page)}`;
    said.push(text);
    await say(page, text);
    await allHave(pages);
  }
});

let value = 0;
const press = async (page, id, by) => {
  await page.click(id);
  value += by;
  for (const each of pages) await shows(each, "#counter-value", new RegExp(`^${value}$`));
};

await check("the counter is one", async () => {
  for (const page of pages) {
    await press(page, "#counter-plus", 1);
    await press(page, "#counter-plus", 1);
  }
  await press(pages[0], "#counter-minus", -1);
  // At the same time: none is lost.
  await Promise.all(pages.flatMap((page) => Array.from({ length: 5 }, () => page.click("#counter-plus"))));
  value += 10;
  for (const page of pages) await shows(page, "#counter-value", new RegExp(`^${value}$`));
});

const hereAre = async (visitors) => {
  for (const page of visitors) {
    const others = visitors.filter((other) => other !== page).map((other) => names.get(other));
    await until(
      "the list of visitors",
      () => textOf(page, "#people"),
      (text) => text.startsWith(`Here: ${names.get(page)} (you)`) && others.every((name) => text.includes(name)),
    );
    await shows(page, "#users", new RegExp(`^${visitors.length}\\b`));
  }
};

await check("each page names the other", () => hereAre(pages));

// The instance that has the chat of the first page, and the other one.
const logged = (name) => readFileSync(join(args.out, `${name}.log`), "utf8").split("\n").find((line) => line.includes('path="/chat"'));
const [victim, witnesses] = (logged("one") ?? "~") < (logged("two") ?? "~") ? ["one", "two"] : ["two", "one"];

await check("kill -9 of an instance: the page has every message, once", async () => {
  const witness = await visitor(witnesses);
  await kill(victim);
  // Before the pages are connected again, and after.
  for (let n = 0; n < 5; n++) {
    said.push(`meanwhile ${n}`);
    witness.send(`meanwhile ${n}`);
    await sleep(100);
  }
  for (const beginning of ["Connection lost (1006)", "Connected again. "]) {
    await until("the first page's notes", () => notes(pages[0]), (all) => all.some((note) => note.startsWith(beginning)));
  }
  await allHave(pages);
  for (const page of pages) {
    await ready(page);
    said.push(`${names.get(page)} is back`);
    await say(page, said.at(-1));
    await allHave(pages);
  }
  witness.close();
});

await check("then the counter and the visitors are right", async () => {
  for (const page of pages) await press(page, "#counter-plus", 1);
  await hereAre(pages);
  await pages[0].screenshot({ path: join(args.out, "instance-killed.png") });
});

await check("kill -9 of Redis: the pages stay, and say so", async () => {
  await start(victim);
  await kill("redis");
  for (const page of pages) {
    await shows(page, "#broker", /cannot be reached/);
    await say(page, `alone, ${names.get(page)}`);
    await until("the lines of this instance", () => locals(page), (all) => all.some((line) => line.includes("alone, ")));
    await page.click("#counter-plus");
    await shows(page, "#counter-error", /^not counted: /);
    await shows(page, "#counter-value", new RegExp(`^${value}$`));
    await ready(page);
  }
  await pages[1].setViewportSize({ width: 360, height: 740 });
  await pages[1].screenshot({ path: join(args.out, "redis-killed-phone.png"), fullPage: true });
  await pages[0].screenshot({ path: join(args.out, "redis-killed.png") });
});

await check("the page with its notes fits a phone", async () => {
  const overflow = await pages[1].evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert(overflow <= 0, `${overflow} px stick out at 360 px`);
});

await check("Redis is back: chat and counter go on where they were", async () => {
  await start("redis");
  for (const page of pages) await shows(page, "#broker", /^$/);
  for (const page of pages) {
    said.push(`${names.get(page)} again`);
    await say(page, said.at(-1));
    await allHave(pages);
    await press(page, "#counter-plus", 1);
  }
  const quarrels = (await Promise.all(pages.map(notes))).flat().filter((note) => /missing|certain/.test(note));
  assert.deepEqual(quarrels, []);
});

await check("a page that is opened now has all of it", async () => {
  const late = await open();
  pages.push(late);
  names.set(late, await late.evaluate(() => JSON.parse(sessionStorage.me).name));
  await allHave(pages);
  await shows(late, "#counter-value", new RegExp(`^${value}$`));
  await hereAre(pages);
  await late.screenshot({ path: join(args.out, "redis-back.png") });
});

await check("a graceful stop: visitors who do not come back leave the list", async () => {
  const passer = await visitor(victim);
  for (const page of pages) await until("the list", () => textOf(page, "#people"), (text) => text.includes(`, ${victim}`));
  running[victim].kill("SIGTERM");
  for (const page of pages) {
    await until("the list", () => textOf(page, "#people"), (text) => !text.includes(`, ${victim}`));
    await ready(page);
  }
  passer.terminate();
  await hereAre(pages);
  await allHave(pages);
});

await check("no error on the console of the pages", async () => {
  assert.equal(complaints.join("; "), "");
});

await context.close();
for (const name of ["nginx", "one", "two", "redis"]) running[name].kill("SIGTERM");
process.exit(status());
