/** How soon a program that computes hears of signals, and the page's input gets through while programs compute. */
import { install, ME } from "../lib/guest.mjs";
import { percentile } from "../lib/table.mjs";

const LIMIT_MS = 20;
const SHELL = "echo pid $$; echo burning; while :; do :; done";
const PROGRAM = `echo pid $$; exec ${ME} --burn`;

export async function signals(ctx) {
  const { page, quick } = ctx;
  const vk = await ctx.boot(page);
  await install(vk, ctx.server);
  await page.evaluate(() => import("/-/bench/tries.js").then(() => 0));
  const count = quick ? 10 : 200;
  for (const [name, script, by] of [
    ["Ctrl-C, shell loop", SHELL, "key"],
    ["Ctrl-C, computing program", PROGRAM, "key"],
    ["kill -9, computing program", PROGRAM, "kill"],
  ]) {
    const took = await page.evaluate(([a, b, n]) => tries.ends(a, b, n), [["sh", "-c", script], by, count]);
    add(ctx, name, took);
  }
  const took = await page.evaluate(([a, s, n]) => tries.echoes(a, s, n), [[ME, "--burn"], vk.cpus, count]);
  add(ctx, "key to echo, all CPUs computing", took);
}

function add(ctx, name, took) {
  const of = { unit: "ms", tries: took.length };
  ctx.add({ name: `${name}, p50`, value: percentile(took, 0.5), ...of });
  ctx.add({ name: `${name}, p99`, value: percentile(took, 0.99), max: Math.max(...took), ...of, goal: { limit: LIMIT_MS } });
}
