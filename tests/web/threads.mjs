/**
 * The machine of an engine without JSPI or multi-memory: a worker for each process (`host-web/src/threads`).
 *
 *     node --test-reporter=spec threads.mjs chromium [isolated|plain]
 *
 * In engines that have both it is asked for with the boot option `machine`. `webkit.mjs` is the same in an engine that
 * takes it by itself.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { boot } from "./lib/machine.mjs";
import { target } from "./lib/server.mjs";
import { browser, isolated, machine, server, suite } from "./lib/suite.mjs";
import { checks, passed } from "./lib/threads.mjs";

suite();

/** A page whose engine lacks what `without` takes away. */
async function lacking(t, without) {
  const page = await browser.open(server.url("/bare.html"));
  t.after(() => page.close());
  await page.evaluate(without);
  return page;
}
const noJspi = () => void (delete WebAssembly.Suspending, delete WebAssembly.promising);
const noMultiMemory = () => void (WebAssembly.validate = () => false);

if (isolated) {
  for (const [name, without] of [["JSPI", noJspi], ["multi-memory", noMultiMemory]]) {
    test(`is what an engine without ${name} gets`, async (t) => {
      const vk = await boot(await lacking(t, without));
      assert.equal(vk.machine, "threads");
      assert.equal(await vk.ok("echo hello"), "hello\n");
    });
  }

  const threads = (t) => machine(t, { machine: "threads" });
  for (const [name, check] of Object.entries(checks)) {
    test(name, { timeout: 120_000 }, async (t) => check(await threads(t)));
  }

  test("usertests", { timeout: 240_000 }, async (t) => {
    const vk = await threads(t);
    await vk.put("/usertests/usertests.wasm", server, join(target, "wasm32-wasip1/wasm/usertests.wasm"));
    const { output } = await vk.run("exec /usertests/usertests.wasm", { timeout: 220_000 });
    // They want 40 processes at once, or more. Chromium has room for 124 memories in a page, of which each worker of ours takes one, and
    // those of programs that have ended count until it collects them.
    await passed(vk, output, ["procs.many_at_once", "limits.processes", "dead.zombies_up_to_the_limit"]);
  });

  test("random system calls, and the system works", { timeout: 120_000 }, async (t) => {
    const vk = await threads(t);
    await vk.put("/bin/fuzz", server, join(target, "wasm32-wasip1/wasm/fuzz.wasm"));
    const { status, output } = await vk.run(["fuzz", "3", "20000", "3"], { timeout: 100_000 });
    assert.equal(status, 0, `${output}${await vk.said()}`);
    assert.equal(await vk.ok("echo still here"), "still here\n");
  });
} else {
  for (const [name, without] of [["JSPI", noJspi], ["multi-memory", noMultiMemory]]) {
    test(`an engine without ${name} is told why it gets no machine`, async (t) => {
      const page = await lacking(t, without);
      await assert.rejects(boot(page), new RegExp(`without .*${name}.* isolated.*tab of its own`, "s"));
    });
  }

  test("cannot be asked for", async (t) => {
    await assert.rejects(machine(t, { machine: "threads" }), /isolated/);
  });
}
