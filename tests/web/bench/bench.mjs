/**
 * What the machine takes in a browser: `cargo xtask bench --web` builds everything and runs this.
 *
 *     node bench.mjs [--browser chromium|firefox] [--isolated|--plain] [--quick] [--rounds N] [--json FILE]
 *                    [--write FILE] [--from FILE]... [MEASURE...]
 *
 * Prints a table; `--json` writes the records besides, `--write` puts the table into a text between two marks, `--from`
 * takes records of earlier runs instead of measuring. A measure is a file of `measures/`: it adds records to the run,
 * each with a value, perhaps a peer of the same run, and perhaps a goal. Everything is the median over rounds (5
 * unless told otherwise). Measures that can't be taken are said; only a goal that is missed is no error.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { start } from "../lib/browser.mjs";
import { boot } from "../lib/machine.mjs";
import { serve } from "../lib/server.mjs";
import { parse, tools } from "./lib/guest.mjs";
import { judge, median, summary, table } from "./lib/table.mjs";
import { calls } from "./measures/calls.mjs";
import { idle } from "./measures/idle.mjs";
import { preempt } from "./measures/preempt.mjs";
import { processes } from "./measures/processes.mjs";
import { prompt } from "./measures/prompt.mjs";
import { signals } from "./measures/signals.mjs";
import { unix } from "./measures/unix.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const MEASURES = { calls, unix, processes, signals, prompt, preempt, idle };

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string" },
    isolated: { type: "boolean", default: false },
    plain: { type: "boolean", default: false },
    quick: { type: "boolean", default: false },
    rounds: { type: "string", default: "5" },
    json: { type: "string" },
    write: { type: "string" },
    from: { type: "string", multiple: true },
  },
});
const engines = options.browser ? [options.browser] : ["chromium", "firefox"];
const pages = options.isolated ? [true] : options.plain ? [false] : [true, false];
const wanted = positionals.length ? positionals : Object.keys(MEASURES);
for (const name of wanted) if (!MEASURES[name]) throw new Error(`${name}: no such measure; there are ${Object.keys(MEASURES).join(", ")}`);

/** Puts what the benchmark's own pages need under `/-/bench/`. */
function mount(server) {
  const dirs = { "": "page", "shim/": "node_modules/@bjorn3/browser_wasi_shim/dist" };
  for (const [at, dir] of Object.entries(dirs)) {
    for (const file of readdirSync(join(here, dir))) server.mount(`/-/bench/${at}${file}`, join(here, dir, file));
  }
  server.mount("/-/bench/microbench-wasi.wasm", join(tools, "microbench-wasi.wasm"));
}

/** One kind of page in one browser. */
class Context {
  constructor(engine, isolated, browser, server, records) {
    Object.assign(this, { engine, isolated, browser, server, records, quick: options.quick, rounds: Number(options.rounds) });
    // Pages that are not isolated get a coarser clock.
    this.coarseClock = !isolated || engine === "firefox";
  }
  /** A page without anything but the bare mechanisms. */
  async open() {
    const page = await this.browser.open(this.server.url("/bare.html"));
    await page.evaluate(() => import("/-/bench/bare.js").then(() => 0));
    return page;
  }
  boot(page, how) {
    return boot(page, how);
  }
  /** A bare mechanism: nanoseconds, the median of samples. */
  async bare(page, name, samples, ms) {
    return median(await page.evaluate(([w, n, t]) => bare[w](n, t), [name, samples, ms]));
  }
  async shim(page, samples, ms) {
    const names = { clock: "sys.clock_gettime", write: "rw.write64_file", read: "rw.read64_file" };
    const args = ["-r", String(samples), "-t", String(ms), ...Object.values(names)];
    const found = parse(await page.evaluate((a) => bare.shim(a), args));
    return Object.fromEntries(Object.entries(names).map(([as, name]) => [as, found.get(name)?.value]));
  }
  add(record) {
    const full = { engine: this.engine, page: this.isolated ? "isolated" : "plain", ...record };
    judge(full);
    this.records.push(full);
  }
}

async function measure(engine, isolated, records) {
  const server = await serve({ isolated });
  mount(server);
  let browser = await start(engine);
  try {
    for (const name of wanted) {
      const ctx = new Context(engine, isolated, browser, server, records);
      ctx.page = await ctx.open();
      process.stderr.write(`${engine}, ${isolated ? "isolated" : "plain"}: ${name}\n`);
      try {
        await MEASURES[name](ctx);
      } catch (e) {
        ctx.add({ name, error: String(e.stack ?? e) });
      }
      // A measure may have changed it.
      browser = ctx.browser;
      await ctx.page.close();
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

/** The table in place of the one that is there. */
function write(file, records) {
  const [begin, end] = ["<!-- web: begin -->\n", "<!-- web: end -->"];
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`${file}: no ${begin.trim()} and ${end}`);
  writeFileSync(file, `${text.slice(0, from + begin.length)}${table(records)}\n\n${summary(records)}\n${text.slice(to)}`);
}

const records = (options.from ?? []).flatMap((file) => JSON.parse(readFileSync(file, "utf8")));
if (!options.from) for (const engine of engines) for (const isolated of pages) await measure(engine, isolated, records);
console.log(table(records));
console.log(`\n${summary(records)}`);
if (options.json) writeFileSync(options.json, `${JSON.stringify(records, undefined, 1)}\n`);
if (options.write) write(options.write, records);
process.exit(records.some((r) => r.error) ? 1 : 0);
