/**
 * What all test files begin with: the words after a file's name say in which browser it runs and whether the server
 * isolates the page; a server and a browser are there before the first test and gone after the last.
 *
 *     node --test-reporter=spec FILE [chromium|firefox] [isolated|plain] [--all]
 *
 * A test is node:test's. None is tried twice: one that fails now and then has found something.
 */
import { after, before } from "node:test";
import { start } from "./browser.mjs";
import { boot } from "./machine.mjs";
import { serve } from "./server.mjs";

const words = process.argv.slice(2);
export const engine = words.includes("firefox") ? "firefox" : "chromium";
export const isolated = !words.includes("plain");
/** Tests that take minutes, too. */
export const all = words.includes("--all");

const open = {};
/** The server and the browser of this file, once its first test runs. */
export const server = new Proxy({}, { get: (_, name) => open.server[name], set: (_, name, value) => ((open.server[name] = value), true) });
export const browser = new Proxy({}, { get: (_, name) => open.browser[name] });

/** Call it once. `options` go to the browser's start. */
export function suite(options) {
  before(async () => {
    open.server = await serve({ isolated });
    open.browser = await start(engine, options);
  });
  after(async () => {
    await open.browser?.close();
    await open.server?.close();
  });
}

/** A machine in a bare page of its own; the page goes with the test `t`. */
export async function machine(t, options) {
  const page = await browser.open(server.url("/bare.html"));
  t.after(() => page.close());
  return boot(page, options);
}

/** Waits until `f` answers something true, and answers that. */
export async function until(what, f, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await f();
    if (value) return value;
    if (Date.now() > end) throw new Error(`waited ${ms} ms for: ${typeof what === "function" ? await what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}
