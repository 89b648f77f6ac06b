/** What a machine takes that does nothing: a shell at its prompt, nobody types. */
import { start } from "../../lib/browser.mjs";
import { boot } from "../../lib/machine.mjs";
import { usage } from "../lib/os.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function idle(ctx) {
  if (!usage()) return;
  const ms = ctx.quick ? 2000 : 10_000;
  // The other one goes: it would free memory meanwhile. A browser that has just started is busy for a while.
  await ctx.browser.close();
  ctx.browser = await start(ctx.engine);
  ctx.page = await ctx.open();
  const vk = await boot(ctx.page);
  await vk.start("shell", ["sh"]);
  await vk.until("shell", "$ ").catch(() => vk.until("shell", "# "));
  await pause(12_000);
  const booted = await during(ms);
  await ctx.page.close();
  ctx.page = await ctx.open();
  await pause(5000);
  const bare = await during(ms);
  ctx.add({ name: "CPU of an idle machine", unit: "%", value: Math.max(0, booted.cpu - bare.cpu), goal: { limit: 1 } });
  ctx.add({ name: "memory of an idle machine", unit: "MiB", value: booted.memory - bare.memory });
}

/** Percent of a CPU over a while, and the least memory in it. */
async function during(ms) {
  const before = usage();
  const memory = [before.memory];
  for (let i = 0; i < 5; i++) {
    await pause(ms / 5);
    memory.push(usage().memory);
  }
  return { cpu: ((usage().cpu - before.cpu) / (ms / 1000)) * 100, memory: Math.min(...memory) };
}
