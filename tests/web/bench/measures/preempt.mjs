/** What the checks of prepared programs cost, over the same program without: `tests/bench/preempt` in this page's kind. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../../lib/server.mjs";
import { tools } from "../lib/guest.mjs";

export async function preempt(ctx) {
  const args = ["--browser", ctx.engine, "--stub", join(tools, "web-stub.wasm"), "--before", join(tools, "kernels.wasm"), "--after", join(tools, "kernels-prepared.wasm")];
  if (ctx.isolated) args.push("--isolated");
  if (ctx.quick) args.push("--runs", "3");
  const script = join(root, "tests/bench/preempt/bench.mjs");
  // It finds its packages from where it is run.
  const { stdout } = await promisify(execFile)("node", [script, ...args], { cwd: join(root, "tests/web"), maxBuffer: 1 << 24 });
  const { median, geomean } = JSON.parse(stdout);
  const [worst, most] = Object.entries(median[0]).reduce((a, b) => (b[1] > a[1] ? b : a));
  const over = (ratio) => (ratio - 1) * 100;
  ctx.add({ name: "checks, geometric mean", unit: "% over", value: over(geomean.median[0]), goal: { limit: ctx.isolated ? 5 : 12 }, parts: Object.entries(median[0]).map(([k, v]) => `${k} ${v}`) });
  ctx.add({ name: `checks, worst kernel (${worst})`, unit: "% over", value: over(most), goal: { limit: 20 } });
}
