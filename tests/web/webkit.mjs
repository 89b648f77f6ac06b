/**
 * The machine of threads in WebKit, which has neither JSPI nor multi-memory.
 *
 *     node --test-reporter=spec webkit.mjs
 *
 * Needs WebKitGTK's driver: apt-get install --no-install-recommends webkit2gtk-driver xvfb xauth. It is no part of
 * the suite, which cannot count on that engine; run it after a change of `host-web/src/threads`.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { boot } from "./lib/machine.mjs";
import { serve, target } from "./lib/server.mjs";
import { checks, passed } from "./lib/threads.mjs";
import { start } from "./lib/webkit.mjs";

const open = {};
before(async () => {
  open.server = await serve({ isolated: true });
  open.plain = await serve({ isolated: false });
  open.browser = await start();
});
after(async () => {
  await open.browser?.close();
  await open.server?.close();
  await open.plain?.close();
});

const machine = async (options) => boot(await open.browser.open(open.server.url("/bare.html")), options);

for (const [name, check] of Object.entries(checks)) {
  test(name, { timeout: 120_000 }, async () => check(await machine()));
}

test("is refused in a page that is not isolated", async () => {
  const page = await open.browser.open(open.plain.url("/bare.html"));
  await assert.rejects(boot(page), /without JavaScript Promise Integration \(JSPI\) and WebAssembly multi-memory.*isolated/);
});

test("usertests", { timeout: 400_000 }, async () => {
  const vk = await machine();
  await vk.put("/usertests/usertests.wasm", open.server, join(target, "wasm32-wasip1/wasm/usertests.wasm"));
  const { output } = await vk.run("exec /usertests/usertests.wasm", { timeout: 380_000 });
  // Grows a memory to the limit, a megabyte at a time. This engine copies it each time, and the test's time is over.
  await passed(vk, output, ["limits.memory"]);
});
