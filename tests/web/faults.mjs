/**
 * What goes wrong around the machine, and in it: networks, servers, disks, workers, programs.
 *
 *     node --test-reporter=spec faults.mjs [chromium|firefox] [isolated|plain] [--all]
 *
 * What only Chromium's DevTools can do is done there only.
 */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { boot } from "./lib/machine.mjs";
import * as modules from "./lib/modules.mjs";
import { playground } from "./lib/playground.mjs";
import { root, site, target } from "./lib/server.mjs";
import { all, browser, engine, isolated, machine, server, suite, until } from "./lib/suite.mjs";

suite();
const limit = { timeout: 90_000 };
const inChromium = engine === "chromium" ? test : () => {};
const work = mkdtempSync(join(tmpdir(), "vkernel-web-"));
after(() => rmSync(work, { recursive: true }));

/** A small program in the guest; `trap` is a word of the shell's own. */
async function put(vk, name) {
  const file = join(work, name);
  writeFileSync(file, modules[name]);
  await vk.put(`/bin/a-${name}`, server, file);
}

// The network and the server.

test("a lost network is told, and waited for", limit, async (t) => {
  t.after(() => server.noFaults());
  server.fault(/\/vk\/packs\//, "drop");
  const p = await playground(t, { ready: false });
  await until("a notice", async () => /trying .* again in \d+ s/i.test(`${await p.page.text("#notices")}${await p.page.text("#boot-text")}`));
  await p.accessible();
  server.noFaults();
  // By itself.
  await p.prompt();
  assert.equal(await p.output("echo back"), "back\n");
  p.page.complaints.length = 0;
});

test("a server that only fails is told from a network that is not there", limit, async (t) => {
  t.after(() => server.noFaults());
  server.fault(/\/vk\/packs\//, "error");
  const page = await browser.open(server.url("/bare.html"));
  t.after(() => page.close());
  await assert.rejects(boot(page, { persist: false }), /the server answers 503/);
});

test("when the network stays away there is a message, a button, and another try", { timeout: 120_000 }, async (t) => {
  t.after(() => server.noFaults());
  server.fault(/\/vk\/(packs|host_web)/, "drop");
  const p = await playground(t, { ready: false });
  await until("a message", async () => /network/i.test(await p.page.text("#boot-error")), 60_000);
  assert.match(await p.page.text("#boot-text"), /Trying again in \d+ s/);
  server.noFaults();
  await p.page.click("#boot-retry");
  await p.prompt();
  p.page.complaints.length = 0;
  // The machine's own patience comes to an end, too. Without the first one's cache.
  server.fault(/\/vk\/packs\//, "drop");
  const q = await playground(t, { ready: false });
  await until("a message again", async () => /network/i.test(await q.page.text("#boot-error")), 60_000);
  server.noFaults();
  await until("another try without the user", async () => /[#$] ?$/.test(await q.text()), 40_000);
  q.page.complaints.length = 0;
});

for (const [how, file, says] of [
  ["missing", /\/vk\/packs\//, /404/],
  ["wrong", /\/vk\/packs\//, /hash|damaged|wrong|do(es)? not match/i],
  ["page", /\/vk\/manifest\.json/, /manifest/i],
  ["missing", /\/vk\/host_web_bg\.wasm/, /./],
]) {
  test(`a server's answer (${how}) for ${file.source.replaceAll("\\", "")} is told`, limit, async (t) => {
    server.fault(file, how);
    t.after(() => server.noFaults());
    const p = await playground(t, { ready: false });
    const said = () => p.page.text("#boot-error");
    await until(async () => `a message, not ${await said()}`, async () => says.test(await said()));
    // A pack is named, so that whoever runs the server finds it.
    if (file.source.includes("packs")) assert.match(await said(), /[0-9a-f]{16}|packs/);
    await until("no other dialog", () => p.page.evaluate(() => !document.querySelector("dialog[open]")), 1000);
    server.noFaults();
    await p.page.click("#boot-retry");
    await p.prompt();
    p.page.complaints.length = 0;
  });
}

test("an answer that is cut is asked for again", limit, async (t) => {
  server.fault(/\/vk\/packs\//, "cut", 2);
  t.after(() => server.noFaults());
  const p = await playground(t);
  assert.equal(await p.output("echo whole"), "whole\n");
  p.page.complaints.length = 0;
});

test("a pack lost while the machine runs fails the program, and is fetched the next time", limit, async (t) => {
  const vk = await machine(t);
  await vk.ok("ls / >/dev/null; cd /");
  server.fault(/\/packs\//, "missing");
  t.after(() => server.noFaults());
  const lost = await vk.run("sqlite3 -version");
  assert.notEqual(lost.status, 0);
  server.noFaults();
  server.fault(/\/packs\//, "wrong");
  assert.notEqual((await vk.run("sqlite3 -version")).status, 0);
  assert.match((await vk.notices()).join("\n") + lost.output + (await vk.said()), /SQLite|sqlite3|[0-9a-f]{16}/);
  server.noFaults();
  server.fault(/\/packs\//, { wait: 1500 });
  assert.match(await vk.ok("sqlite3 -version"), /^3\./);
});

// Disks.

const persist = { persist: true };

inChromium("a full store is ENOSPC, and is written to again when there is room", limit, async (t) => {
  const profile = await browser.profile();
  t.after(() => profile.close());
  const page = await profile.open(server.url("/bare.html"));
  const devtools = await page.devtools();
  const quota = (quotaSize) => devtools.send("Storage.overrideQuotaForOrigin", { origin: server.url("").replace(/\/$/, ""), ...(quotaSize && { quotaSize }) });
  await quota(24e6);
  const vk = await boot(page, persist);
  await vk.ok("echo precious >/home/precious; sync");
  const { output } = await vk.run("dd if=/dev/zero of=/home/big bs=65536 count=2000; sync");
  assert.match(output, /No space left on device/);
  assert.equal(await vk.ok("cat /home/precious"), "precious\n");
  await vk.ok("rm /home/big; sync; echo more >/home/more; sync");
  await quota();
  await vk.ok("dd if=/dev/zero of=/home/big bs=65536 count=600 2>/dev/null; sync; rm /home/big; sync");
  await page.goto(server.url("/bare.html"));
  const again = await boot(page, persist);
  assert.equal(await again.ok("cat /home/precious /home/more"), "precious\nmore\n");
});

test("what was synced is there after the tab was killed while it wrote", limit, async (t) => {
  const profile = await browser.profile();
  t.after(() => profile.close());
  for (let round = 0; round < (all ? 8 : 3); round++) {
    const page = await profile.open(server.url("/bare.html"));
    const vk = await boot(page, persist);
    const kept = await vk.ok("cd /home; for f in kept.*; do [ -e $f ] && cat $f; done; :");
    assert.deepEqual(kept.split("\n").filter(Boolean), Array.from({ length: round }, (_, i) => `round ${i}`));
    // Nobody would find something wrong with the tree while reading all of it.
    await vk.ok("du -a /home /var >/dev/null; rm -rf /home/junk; mkdir /home/junk");
    await vk.ok(`echo round ${round} >/home/kept.${round}; sync`);
    await vk.start("writer", ["sh", "-c", "cd /home/junk; i=0; while :; do i=$((i+1)); echo $i $i >f$((i%50)); mv f$((i%50)) g$((i%31)); [ $((i%40)) = 0 ] && sync; done"]);
    await new Promise((resolve) => setTimeout(resolve, 300 + 217 * round));
    if (engine === "chromium") {
      const devtools = await page.devtools();
      devtools.send("Page.crash").catch(() => {});
      await until("the crash", () => page.complaints.some((c) => /crash/.test(c)));
    }
    await page.close();
  }
});

// The machine itself.

/** Keeps the workers that a page makes. */
const keepWorkers = () => {
  globalThis.workers = [];
  const { Worker } = globalThis;
  globalThis.Worker = class extends Worker {
    constructor(...args) {
      super(...args);
      workers.push(this);
    }
  };
};

for (const [how, strike, says] of [
  ["pid 1 is killed", (p) => p.run("kill -9 1"), /ended|panic/i],
  [
    "a worker dies",
    // Only an engine can make a worker die; what the page then gets is this.
    (p) => p.page.evaluate(() => (workers[0].terminate(), workers[0].dispatchEvent(new ErrorEvent("error", { message: "struck by lightning" })), true)),
    /struck by lightning/,
  ],
]) {
  inChromium(`a sudden end is told, with a way out: ${how}`, limit, async (t) => {
    const p = await playground(t, { ready: false, address: "about:blank" });
    await p.page.raw.addInitScript(keepWorkers);
    await p.page.goto(server.url("/?persist=0"));
    await p.prompt();
    await strike(p);
    await p.page.waitFor("#ended");
    await p.accessible();
    assert.match(await p.page.text("#ended"), says);
    p.page.complaints.length = 0;
    await p.page.click("#ended button.primary");
    await until("a new machine", () => p.page.evaluate(() => !document.querySelector("#ended")).catch(() => false));
    await p.prompt();
    assert.equal(await p.output("echo again"), "again\n");
  });
}

test("terminate() ends a machine that spins on every CPU", limit, async (t) => {
  const vk = await machine(t);
  await put(vk, "spin");
  for (let i = 0; i < vk.cpus + 1; i++) await vk.start(`spin${i}`, ["/bin/a-spin"], { tty: false });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await vk.page.evaluate(() => vkt.state.vk.terminate());
  assert.deepEqual(Object.keys(await vk.ended()).length > 0, true);
  assert.equal(await vk.exited("spin0", 10_000), 137);
});

// Programs.

test("programs that trap, recurse, take all memory or spin end alone", limit, async (t) => {
  const vk = await machine(t);
  for (const name of ["trap", "grow", "recurse", "spin"]) await put(vk, name);
  assert.equal(await vk.ok("a-trap; echo $?"), "sh: 1: Illegal instruction\n132\n");
  assert.equal(await vk.ok("a-recurse; echo $?"), "sh: 1: Segmentation fault\n139\n");
  assert.equal(await vk.ok("a-grow; echo $?", { timeout: 60_000 }), "0\n");
  assert.equal(await vk.ok("timeout 1 a-spin; echo $?"), "124\n");
  assert.equal(await vk.ok("a-spin & a-spin & a-spin & sleep 1; kill -9 %1 %2 %3; wait; echo ended"), "ended\n");
  assert.equal(await vk.ok("echo still here"), "still here\n");
  assert.equal(await vk.ended(), undefined, await vk.said());
});

test("one program that spins takes no other's time away", limit, async (t) => {
  const vk = await machine(t);
  await put(vk, "spin");
  await vk.ok("true; ls / >/dev/null");
  for (let i = 0; i < vk.cpus; i++) await vk.start(`spin${i}`, ["/bin/a-spin"], { tty: false });
  await new Promise((resolve) => setTimeout(resolve, 300));
  const { ms } = await vk.run("for i in 1 2 3 4 5; do true; done; echo done");
  assert.ok(ms < 3000, `${ms} ms`);
});

test("100 processes at once, the next get EAGAIN, and the shell goes on", limit, async (t) => {
  const vk = await machine(t);
  // The limit is the browser's. Everything in the loop is the shell's own: nothing else could be started after it.
  const script = "i=0; pids=; while [ $i -lt 200 ]; do i=$((i+1)); sleep 300 & pids=\"$pids $!\"; done; echo went on; kill -9 $pids; wait; echo all gone";
  const { status, output } = await vk.run(script, { timeout: 80_000 });
  const refused = output.match(/Resource temporarily unavailable/g)?.length ?? 0;
  const rest = output.replace(/.*Resource temporarily unavailable\n/g, "");
  // And init, and the shell.
  const alive = 202 - refused;
  t.diagnostic(`${alive} processes alive at once`);
  assert.match(rest, /went on\n(.*\n)*all gone\n$/, rest.slice(-2000));
  assert.ok(alive >= 100, `only ${alive} processes`);
  if (engine === "chromium") assert.ok(refused > 0, "Chromium has no room for 200 memories");
  assert.equal(status, 0);
  assert.equal(await vk.ok("for i in 1 2 3; do sleep 0 & done; wait; echo works"), "works\n");
});

/** A program of `programs/`, compiled for the guest. */
async function compiled(vk, name) {
  const file = join(work, `${name}.wasm`);
  const source = join(root, "tests/web/programs", `${name}.c`);
  await promisify(execFile)(join(target, "release/vk"), ["cc", "-O1", source, "-o", file]);
  await vk.put(`/bin/${name}`, server, file);
}

/** In a worker's first file: no memory is enlarged by more than 8 MiB but by its program. */
const noRoom = `{
  const grow = WebAssembly.Memory.prototype.grow;
  WebAssembly.Memory.prototype.grow = function (pages) {
    if (pages > 128) throw new RangeError("no room, for a test");
    return grow.call(this, pages);
  };
}
`;

for (const options of isolated ? [{}, { cpus: 1 }, { machine: "threads" }] : [{}]) {
  test(`a fork without room for its memory fails with ENOMEM, and nothing else does: ${JSON.stringify(options)}`, limit, async (t) => {
    const cpu = readFileSync(join(site, "vk/cpu.js"), "utf8");
    server.mountText("/vk/cpu.js", noRoom + cpu, "text/javascript");
    t.after(() => server.mountText("/vk/cpu.js", cpu, "text/javascript"));
    const vk = await machine(t, options);
    await compiled(vk, "forks");
    const said = "small: exit 7\nbig: Out of memory\nparent: 5\n";
    for (let i = 0; i < 3; i++) assert.equal(await vk.ok("forks memory 16"), said);
    // On every CPU: the child of one that has company goes elsewhere. No memory of one that has ended is of use to another.
    const { output } = await vk.run("for i in 1 2 3 4 5 6; do forks memory $((16 + 9 * i)) & done; wait; echo waited");
    assert.equal(output.match(/big: Out of memory/g)?.length, 6, output);
    assert.equal(await vk.ok("forks memory 4"), "small: exit 7\nbig: exit 7\nparent: 5\n");
  });

  test(`forks until there is no room for more, and then goes on: ${JSON.stringify(options)}`, limit, async (t) => {
    const vk = await machine(t, options);
    await compiled(vk, "forks");
    for (let i = 0; i < 3; i++) {
      const output = await vk.ok("forks bomb 300", { timeout: 60_000 });
      const [, born] = /^(\d+): (?:Resource temporarily unavailable|Out of memory|all)\nthen: exit 7\n$/.exec(output) ?? [];
      t.diagnostic(`${born} children`);
      assert.ok(born >= (options.machine ? 20 : 60), output);
    }
    assert.equal(await vk.ok("for i in 1 2 3; do sleep 0 & done; wait; echo works"), "works\n");
  });
}

inChromium("processes in turn leave nothing behind in the page", { timeout: all ? 400_000 : 120_000 }, async (t) => {
  const vk = await machine(t);
  const devtools = await vk.page.devtools();
  const memory = async () => {
    await devtools.send("HeapProfiler.collectGarbage");
    const report = await vk.report();
    return { report, page: await residentSet(vk.page) };
  };
  const rounds = (n) => vk.ok(`i=0; while [ $i -lt ${n} ]; do i=$((i+1)); ./true; done`, { timeout: 300_000, cwd: "/bin" });
  await rounds(all ? 1000 : 300);
  const before = await memory();
  const n = all ? 10_000 : 2000;
  const started = Date.now();
  await rounds(n);
  const perProcess = (Date.now() - started) / n;
  const after = await memory();
  const growth = (after.page - before.page) / 1e6;
  t.diagnostic(`${n} processes, ${perProcess.toFixed(2)} ms each; the renderer has ${(before.page / 1e6).toFixed(1)} MB before and ${(after.page / 1e6).toFixed(1)} MB after`);
  // A memory that is left over is 64 KiB at least, so 2000 of them were 130 MB.
  assert.ok(growth < 40, `${growth} MB more after ${n} processes`);
});

/** What the renderer of a page has in memory, from the operating system. */
async function residentSet(page) {
  const { readdirSync, readFileSync } = await import("node:fs");
  // The renderer says its own number only to its browser; the one with the most memory is ours, as no other page is open.
  const renderers = readdirSync("/proc").filter((p) => /^\d+$/.test(p)).flatMap((pid) => {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!command.includes("--type=renderer") || !isOurs(pid)) return [];
      return [Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024];
    } catch {
      return []; // it ended meanwhile
    }
  });
  return Math.max(...renderers);

  /** Whether a process descends from us: others may test with browsers on this machine, too. */
  function isOurs(pid) {
    for (let p = Number(pid); p > 1; ) {
      if (p === process.pid) return true;
      p = Number(/PPid:\s+(\d+)/.exec(readFileSync(`/proc/${p}/status`, "utf8"))?.[1] ?? 0);
    }
    return false;
  }
}
