/**
 * The POSIX tests in C (`tests/posix`) in a page: each goes as it goes under `vk`.
 *
 *     node --test-reporter=spec posix.mjs [chromium|firefox] [isolated|plain] [--all]
 *
 * Needs `target/release/vk` and the programs in `target/posix/vk` (`cargo xtask posix` compiles them). That they pass
 * natively and under `vk` is a test of its own; what fails in a page only is in `known-failures` there, with "page:" before it.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { root, target } from "./lib/server.mjs";
import { machine, server, suite } from "./lib/suite.mjs";

const programs = join(target, "posix/vk");
const script = join(root, "tests/posix/run.sh");

suite();

/** What `run.sh` prints, as `{ "subject.program test": "ok" | "skip" | "not ok: why" }`. */
function results(text) {
  const all = {};
  let program = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# ")) program = line.slice(2);
    const [, how, name, why] = /^(ok|skip|not ok) ([^:]+)(: .*)?$/.exec(line) ?? [];
    if (how) all[`${program} ${name}`] = how === "not ok" ? how + why : how;
  }
  return all;
}

/** Tests that fail in a page only. */
function known() {
  const lines = readFileSync(join(root, "tests/posix/known-failures"), "utf8").split("\n");
  return lines.flatMap((line) => /^page: (.*?)\s*(#|$)/.exec(line)?.[1] ?? []);
}

async function under() {
  const args = ["run", "--timeout", "120", "--dir", `${programs}::/posix:ro`, "--dir", `${join(root, "tests/posix")}::/script:ro`, "sh", "/script/run.sh", "/posix"];
  return results((await promisify(execFile)(join(target, "release/vk"), args, { maxBuffer: 1 << 24 })).stdout);
}

test("each test goes as under vk", { timeout: 180_000 }, async (t) => {
  const names = readdirSync(programs).filter((name) => name.endsWith(".test"));
  assert.ok(names.length > 0, `no programs in ${programs}`);
  const expected = under();
  const vk = await machine(t);
  for (const name of names) await vk.put(`/posix/${name}`, server, join(programs, name));
  await vk.put("/posix/run.sh", server, script, "644");
  const { status, output, ms } = await vk.run(["sh", "/posix/run.sh", "/posix"], { timeout: 150_000 });
  assert.equal(status, 0, output + (await vk.said()));
  const [here, there] = [results(output), await expected];
  const excused = known();
  const differ = Object.keys({ ...there, ...here }).flatMap((id) => {
    const fails = (how) => how === undefined || how.startsWith("not ok");
    if (excused.includes(id)) return fails(here[id]) ? [] : [`${id}: passes, and is in known-failures`];
    const same = here[id] === there[id] || (fails(here[id]) && fails(there[id]));
    return same ? [] : [`${id}: ${here[id] ?? "nothing"}; under vk: ${there[id] ?? "nothing"}`];
  });
  assert.deepEqual(differ, [], await vk.said());
  t.diagnostic(`${names.length} programs, ${Object.keys(here).length} tests, ${Math.round(ms)} ms`);
});
