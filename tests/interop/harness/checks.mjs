// What the scripts that run in Node share: their arguments, the line that tells how a check ended, waiting, and the browser.

import { createRequire } from "node:module";
import { connect } from "node:net";

/** Loads the packages that the harness installed. */
export const require = createRequire(process.env.INTEROP_NODE + "/");

/** The arguments NAME=VALUE of the script. */
export const args = Object.fromEntries(
  process.argv.slice(2).map((arg) => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)]),
);

/** How long something may take, in milliseconds. */
const PATIENCE = 20_000;

const wanted = args.checks?.split("|");
let failures = 0;

/** Runs a check, if the argument `checks` (NAME|NAME…) has it. Prints one line: `ok<TAB>name` or `fail<TAB>name<TAB>why`. */
export async function check(name, body) {
  if (wanted && !wanted.includes(name)) return;
  try {
    await body();
    console.log(`ok\t${name}`);
  } catch (error) {
    failures += 1;
    console.log(`fail\t${name}\t${String(error?.stack ?? error).replace(/\s+/g, " ")}`);
  }
}

/** The status with which the script ends. */
export const status = () => (failures ? 1 : 0);

/** Waits until something answers yes. Returns whether it did. */
export async function waitFor(isSo) {
  for (const deadline = Date.now() + PATIENCE; Date.now() < deadline; ) {
    if (await isSo()) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

/** Waits until the element's text is as `wanted` (a string or a pattern) says. Returns it. */
export async function shows(page, selector, wanted) {
  let text;
  const isSo = async () => {
    text = await page.locator(selector).innerText();
    return wanted instanceof RegExp ? wanted.test(text) : text === wanted;
  };
  if (await waitFor(isSo)) return text;
  throw new Error(`${selector} shows ${JSON.stringify(text)}, expected ${wanted}`);
}

/** Whether something listens on a port of the loopback interface. */
export function isOpen(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}

/** A headless Chromium: that of the argument `browser`, with its profile in the folder of the argument `profile`. */
export async function launch(options = {}) {
  const { chromium } = require("playwright-core");
  const context = await chromium.launchPersistentContext(args.profile, {
    executablePath: args.browser,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
    ...options,
  });
  context.setDefaultTimeout(PATIENCE);
  return context;
}
