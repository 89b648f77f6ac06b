// What the checks of prepared programs cost in a browser, as ratios over the same module without them.
//
//   node bench.mjs --browser chromium|firefox [--isolated] [--runs 21] [--ms 15] [--only fib,sha256]
//                  --stub STUB --before MODULE --after MODULE [--after MODULE ...]
//
// Writes JSON to standard output. `cargo run -p loader --example prepare` makes the stub and the modules.
import { createServer } from "node:http";
import { readFileSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

const { values: opts } = parseArgs({
  options: {
    browser: { type: "string", default: "chromium" },
    isolated: { type: "boolean", default: false },
    runs: { type: "string", default: "21" },
    ms: { type: "string", default: "15" },
    budget: { type: "string" },
    only: { type: "string" },
    stub: { type: "string" },
    before: { type: "string" },
    after: { type: "string", multiple: true },
    table: { type: "boolean", default: false },
    flags: { type: "string", default: "" },
  },
});

const files = { "/stub.wasm": opts.stub, "/0.wasm": opts.before };
opts.after.forEach((file, i) => (files[`/${i + 1}.wasm`] = file));

const headers = opts.isolated
  ? { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" }
  : {};
const server = createServer((request, response) => {
  const path = new URL(request.url, "http://x").pathname;
  if (files[path]) response.writeHead(200, { ...headers, "Content-Type": "application/wasm" }).end(readFileSync(files[path]));
  else if (path === "/page.js")
    response.writeHead(200, { ...headers, "Content-Type": "text/javascript" }).end(readFileSync(new URL("page.js", import.meta.url)));
  else response.writeHead(200, { ...headers, "Content-Type": "text/html" }).end('<!doctype html><script src="page.js"></script>');
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const address = `http://127.0.0.1:${server.address().port}/`;

// Packages are looked up from the working directory, so that one installation serves all of tests/.
const require = createRequire(join(process.cwd(), "x.js"));

async function chromium(work) {
  const { chromium } = require("playwright-core");
  const args = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: [...args.split(" "), ...opts.flags.split(" ").filter(Boolean)] });
  try {
    const page = await browser.newPage();
    await page.goto(address);
    return await work((argument) => page.evaluate((a) => measure(a), argument));
  } finally {
    await browser.close();
  }
}

async function firefox(work) {
  const puppeteer = require("puppeteer-core");
  const userDataDir = mkdtempSync(join(tmpdir(), "preempt-"));
  const browser = await puppeteer.launch({ browser: "firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr", headless: true, userDataDir, protocolTimeout: 600_000 });
  try {
    const page = await browser.newPage();
    await page.goto(address);
    return await work((argument) => page.evaluate((a) => measure(a), argument));
  } finally {
    await browser.close();
    rmSync(userDataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}

const argument = {
  modules: Object.keys(files).filter((f) => f !== "/stub.wasm").map((url) => ({ url: url.slice(1) })),
  runs: Number(opts.runs),
  ms: Number(opts.ms),
  // Nobody can ring the bell of a page that is not isolated: the host looks for itself now and then.
  budget: Number(opts.budget ?? (opts.isolated ? 2 ** 31 - 1 : 100)),
  only: opts.only?.split(","),
};
const result = await { chromium, firefox }[opts.browser]((measure) => measure(argument));
server.close();

const geomean = (values) => Math.exp(values.reduce((sum, v) => sum + Math.log(v), 0) / values.length);
const round = (v) => Math.round(v * 1000) / 1000;
const rows = Object.entries(result.kernels);
const ratios = (of) => opts.after.map((_, i) => Object.fromEntries(rows.map(([name, t]) => [name, round(t[i + 1][of] / t[0][of])])));
const report = { browser: opts.browser, isolated: result.isolated, asked: result.asked, median: ratios("median"), least: ratios("least") };
report.geomean = { median: report.median.map((r) => round(geomean(Object.values(r)))), least: report.least.map((r) => round(geomean(Object.values(r)))) };
if (opts.table) {
  for (const [name] of rows) console.log(name.padEnd(12), ...report.median.map((m, i) => `${m[name].toFixed(3)} (${report.least[i][name].toFixed(3)})`));
  console.log("geomean".padEnd(12), ...report.geomean.median.map((m, i) => `${m.toFixed(3)} (${report.geomean.least[i].toFixed(3)})`), "asked", result.asked.join(" "), "isolated", result.isolated);
} else console.log(JSON.stringify(report, null, 2));
