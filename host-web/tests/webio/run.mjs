// Tests of the blob store and of the disks in browsers: `node run.mjs [chromium|firefox] [name]`.
// Builds what they need first: see build() below.
import { execFileSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { browsers } from "./browsers.mjs";
import { Server } from "./server.mjs";
import { tests as blobs } from "./blobs.test.mjs";
import { tests as disks } from "./disks.test.mjs";

const here = dirname(fileURLToPath(import.meta.url));

/** host_web.js and host_web_bg.wasm of the crate in this folder. */
function build() {
  if (process.env.WEBIO_OUT) return process.env.WEBIO_OUT;
  const target = process.env.CARGO_TARGET_DIR ?? join(here, "target");
  const cargo = (args) => execFileSync("cargo", args, { cwd: here, stdio: "inherit", env: { ...process.env, CARGO_TARGET_DIR: target } });
  cargo(["build", "--release", "--lib", "--target", "wasm32-unknown-unknown"]);
  const out = join(target, "webio");
  cargo(["run", "--manifest-path", "bindgen/Cargo.toml", "--", join(target, "wasm32-unknown-unknown/release/host_web_webio.wasm"), out]);
  return out;
}

const out = build();
const address = Object.values(networkInterfaces()).flat().find((i) => i.family === "IPv4" && !i.internal)?.address;
const [wanted, filter] = process.argv.slice(2);
let failed = 0;
for (const [name, launch] of Object.entries(browsers)) {
  if (wanted && wanted !== name) continue;
  const browser = await launch();
  for (const [title, test] of [blobs, disks].flatMap(Object.entries)) {
    if (filter && !title.includes(filter) && !(filter === "disks" && test === disks[title])) continue;
    const server = await new Server().start();
    for (const file of ["page.html", "worker.mjs", "faulty.mjs", "fault.mjs"]) server.files.set("/" + file, join(here, file));
    server.files.set("/disk.js", join(here, "../../js/disk.js"));
    for (const file of ["host_web.js", "host_web_bg.wasm"]) server.files.set("/" + file, join(out, file));
    const opened = [];
    const world = {
      server, browser: browser.name,
      /** The same server under an address that browsers call insecure; none on a machine without a network. */
      insecure: server.origin.replace("localhost", address ?? "localhost"), address,
      /** A page with a worker; `run(f, arg)` runs f in it. */
      async page(path = "/page.html", origin = server.origin) {
        const page = await browser.page();
        opened.push(page);
        await page.goto(origin + path);
        page.run = (f, arg, nr = 0) => page.evaluate(([nr, code, arg]) => window.run(nr, code, arg), [nr, String(f), arg]);
        page.disk = (how) => page.evaluate((how) => window.disk(how), how);
        return page;
      },
    };
    const before = performance.now();
    try {
      await Promise.race([test(world), new Promise((_, no) => setTimeout(() => no(new Error("takes too long")), 90_000).unref())]);
      console.log(`ok   ${name} ${title} (${Math.round(performance.now() - before)} ms)`);
    } catch (e) {
      failed++;
      console.log(`FAIL ${name} ${title}\n     ${e.stack}`);
    }
    for (const page of opened) await page.close().catch(() => {});
    server.stop();
  }
  await browser.close();
}
console.log(failed ? `${failed} failed` : "all passed");
process.exit(failed ? 1 : 0);
