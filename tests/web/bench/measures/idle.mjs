/** What a machine takes that does nothing: a shell at its prompt, nobody types. */
import { usage } from "../lib/os.mjs";

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export async function idle(ctx) {
  if (!usage()) return;
  const ms = ctx.quick ? 2000 : 10_000;
  await pause(3000);
  const bare = await during(ms);
  const vk = await ctx.boot(ctx.page);
  await vk.start("shell", ["sh"]);
  await vk.until("shell", "$ ").catch(() => vk.until("shell", "# "));
  await pause(3000);
  const booted = await during(ms);
  ctx.add({ name: "CPU of an idle machine", unit: "%", value: Math.max(0, booted.cpu - bare.cpu), goal: { limit: 1 } });
  ctx.add({ name: "memory of an idle machine", unit: "MiB", value: booted.memory - bare.memory });
}

/** Percent of a CPU over a while, and the memory at its end. */
async function during(ms) {
  const before = usage();
  await pause(ms);
  const after = usage();
  return { cpu: ((after.cpu - before.cpu) / (ms / 1000)) * 100, memory: after.memory };
}
