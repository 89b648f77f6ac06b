/**
 * The same programs on both hosts: what they say in a page is what they say under `vk`.
 *
 *     node --test-reporter=spec differential.mjs [chromium|firefox] [isolated|plain] [--all]
 *
 * usertests, the fuzzer, the shell's cases, and programs that were not made for this system. Needs
 * `target/release/vk`, the programs of usertests, and a site with the packages that are run.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root, target } from "./lib/server.mjs";
import { all, isolated, machine, server, suite } from "./lib/suite.mjs";

const wasm = join(target, "wasm32-wasip1/wasm");
const programs = join(root, "tests/programs");
const cases = join(root, "user/sh/tests/cases");
const read = (...path) => readFileSync(join(...path), "utf8");

suite();

test("has as many CPUs as the page allows", async (t) => {
  const vk = await machine(t);
  assert.equal(vk.isolated, isolated);
  const cores = await vk.page.evaluate(() => navigator.hardwareConcurrency);
  assert.equal(vk.cpus, isolated ? Math.min(cores, 4) : 1);
});

/** TAP without times; the lines of failed tests with what they said. */
function verdicts(text) {
  const kept = text.split("\n").filter((l) => /^(1\.\.|ok |not ok |#|\d+ passed)/.test(l));
  return kept.map((l) => l.replace(/ # \d+ ms$/, ""));
}

test("usertests say what they say under vk", { timeout: 240_000 }, async (t) => {
  const under = promisify(execFile)(join(target, "release/vk"), ["run", "--timeout", "200", "--dir", `${wasm}::/usertests:ro`, "sh", "-c", "exec /usertests/usertests.wasm"], { maxBuffer: 1 << 24 });
  // A failure there is one of the other host's tests; here it is compared.
  const expected = under.then((r) => r.stdout, (e) => e.stdout);
  const vk = await machine(t);
  await vk.put("/usertests/usertests.wasm", server, join(wasm, "usertests.wasm"));
  const { status, output } = await vk.run("exec /usertests/usertests.wasm", { timeout: 200_000 });
  assert.deepEqual(verdicts(output), verdicts(await expected), await vk.said());
  assert.equal(status, 0);
});

test("the shell's cases", { timeout: 120_000 }, async (t) => {
  const vk = await machine(t);
  for (const file of readdirSync(cases).filter((f) => f.endsWith(".sh"))) {
    await t.test(file, { timeout: 60_000 }, async () => {
      await vk.put(`/cases/${file}`, server, join(cases, file), "644");
      const { output } = await vk.run(`exec sh /cases/${file} 2>/dev/null`, { timeout: 50_000 });
      assert.equal(output, read(cases, file.replace(/\.sh$/, ".out")), await vk.said());
    });
  }
});

for (const seed of all ? [1, 2, 3, 4, 5, 6] : [1, 2]) {
  test(`random system calls, seed ${seed}, and the system works`, { timeout: 120_000 }, async (t) => {
    const vk = await machine(t);
    await vk.put("/bin/fuzz", server, join(wasm, "fuzz.wasm"));
    // What the calls do to the processes doesn't matter; fuzz looks at the system when they are gone.
    const { status, output } = await vk.run(["fuzz", String(seed), all ? "200000" : "20000", "3"], { timeout: 100_000 });
    assert.equal(status, 0, `${output}${await vk.said()}`);
    assert.equal(await vk.ok("echo still here"), "still here\n");
  });
}

test("CPython walks, writes, renames, stats", { timeout: 120_000 }, async (t) => {
  const vk = await machine(t);
  const output = await vk.ok('cd / && exec python3 -c "$(cat)"', { input: read(programs, "python.py"), timeout: 100_000 });
  assert.equal(output, read(programs, "python.out"));
});

test("SQLite fills and queries 100,000 rows", { timeout: 120_000 }, async (t) => {
  const vk = await machine(t);
  const output = await vk.ok("cd /tmp && exec sqlite3 -batch t.db", { input: read(programs, "sqlite.sql"), timeout: 100_000 });
  assert.equal(output, read(programs, "sqlite.out"));
});

if (all) {
  test("PHP runs a script from a pipe", { timeout: 180_000 }, async (t) => {
    const vk = await machine(t);
    assert.equal(await vk.ok("cd / && exec php -q", { input: read(programs, "php.php"), timeout: 170_000 }), read(programs, "php.out"));
  });

  test("Ruby runs a script from a pipe", { timeout: 180_000 }, async (t) => {
    const vk = await machine(t);
    const output = await vk.ok("cd / && exec ruby --disable-gems -", { input: read(programs, "ruby.rb"), timeout: 170_000 });
    assert.equal(output, read(programs, "ruby.out"));
  });

  test("clang compiles, wasm-ld links, the result runs", { timeout: 400_000 }, async (t) => {
    const vk = await machine(t);
    const command = "cd /tmp && cat >hello.c && cc -O1 hello.c -o hello && ./hello a b; echo status $?";
    const output = await vk.ok(command, { input: read(programs, "hello.c"), timeout: 390_000 });
    assert.equal(output, read(programs, "hello.out"));
  });
}
