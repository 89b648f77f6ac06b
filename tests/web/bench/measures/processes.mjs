/** Many processes, and processes on several CPUs. */
import { install, microbench, Rounds } from "../lib/guest.mjs";

export async function processes(ctx) {
  const vk = await ctx.boot(ctx.page);
  await install(vk, ctx.server);
  const rounds = new Rounds();
  const names = ["proc.two_in_turn", "proc.two_at_once", ...(ctx.engine === "chromium" ? ["proc.hundred"] : [])];
  for (let round = 0; round < (ctx.quick ? 1 : ctx.rounds); round++) {
    for (const name of names) rounds.add(name, (await microbench(vk, [name], ["-r", "1"])).get(name));
  }
  const ms = (name) => {
    const { value, error } = rounds.get(name);
    return { value: value === undefined ? undefined : value / 1000, error, unit: "ms" };
  };
  ctx.add({ name: `two that compute at once (${vk.cpus} CPU)`, ...ms("proc.two_at_once"), peer: ms("proc.two_in_turn").value });
  if (ctx.engine === "chromium") ctx.add({ name: "100 processes at the same time, made", ...ms("proc.hundred") });
}
