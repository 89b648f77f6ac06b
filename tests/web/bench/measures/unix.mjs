/** Fork and signals, beside the same program on this machine without a vkernel. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { install, microbench, parse, Rounds, tools, UNIX } from "../lib/guest.mjs";

const NAMES = ["fork.exit_wait", "fork.exec_wait", "sig.self", "sig.round_trip"];

export async function unix(ctx) {
  const vk = await ctx.boot(ctx.page);
  await install(vk, ctx.server);
  const rounds = new Rounds();
  const options = ["-r", "5", "-t", String(ctx.coarseClock ? 30 : 10)];
  const native = (name) => {
    const args = ["-n", join(tools, "microbench-nop"), ...options, name];
    return parse(execFileSync(join(tools, "microbench-unix"), args, { encoding: "utf8" })).get(name);
  };
  for (let round = 0; round < (ctx.quick ? 1 : ctx.rounds); round++) {
    for (const name of NAMES) {
      rounds.add(name, (await microbench(vk, [name], options, UNIX)).get(name));
      rounds.add(`native.${name}`, native(name));
    }
  }
  const us = ({ value, ...rest }) => ({ ...rest, value: value === undefined ? undefined : value / 1000, unit: "us" });
  for (const name of NAMES) {
    const goal = name.startsWith("fork.") && ctx.engine === "chromium" ? { of: "peer", limit: 2 } : undefined;
    ctx.add({ name, ...us(rounds.get(name)), peer: rounds.get(`native.${name}`).value / 1000, goal });
  }
}
