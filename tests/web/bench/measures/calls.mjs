/**
 * System calls, pipes, spawning, in nanoseconds, beside what the engine takes for the bare mechanism and what a library
 * takes that has WASI in JavaScript. All in turns, in one page.
 */
import { install, microbench, Rounds } from "../lib/guest.mjs";

const CALLS = ["sys.getppid", "sys.clock_gettime", "rw.write1_devnull", "rw.write64_file", "rw.read64_file", "fs.open_close", "fs.stat"];
/** On one CPU nobody has to be looked for. */
const pipes = (cpus) => ["pipe.self_rt", ...(cpus > 1 ? ["pipe.pingpong_near", "pipe.pingpong_far"] : ["pipe.pingpong_proc"]), "pipe.bw_64k"];
const PROCESSES = ["proc.posix_spawn_wait"];

const us = ({ value, ...rest }) => ({ ...rest, value: value === undefined ? undefined : value / 1000, unit: "us" });

export async function calls(ctx) {
  const { page, isolated, quick } = ctx;
  const vk = await ctx.boot(page);
  await install(vk, ctx.server);
  const far = vk.cpus > 1;
  const names = [...CALLS, ...pipes(vk.cpus), ...PROCESSES];
  const rounds = new Rounds();
  const ms = ctx.coarseClock ? 30 : 10;
  const options = ["-r", "5", "-t", String(ms), "-m", "8"];
  for (let round = 0; round < (quick ? 1 : ctx.rounds); round++) {
    // A name at a time: a program that fails takes none of the others with it.
    for (const name of names) rounds.add(name, (await microbench(vk, [name], options)).get(name));
    const bare = ["calls", "switches", ...(isolated ? ["waits"] : [])];
    for (const name of bare) rounds.add(`bare.${name}`, { value: await ctx.bare(page, name, 5, ms), unit: "ns" });
    for (const [name, value] of Object.entries(await ctx.shim(page, 5, ms))) rounds.add(`shim.${name}`, { value, unit: "ns" });
  }
  report(ctx, rounds, far);
  if (isolated) await oneCpu(ctx, options);
}

function report(ctx, rounds, far) {
  const get = (name) => rounds.get(name);
  const peer = (name) => get(name).value;
  ctx.add({ name: "bare call", ...get("bare.calls") });
  ctx.add({ name: "getppid", ...get("sys.getppid"), peer: peer("bare.calls"), goal: { limit: 20 } });
  for (const name of CALLS.slice(1)) ctx.add({ name, ...get(name) });
  for (const [name, shim] of [["sys.clock_gettime", "clock"], ["rw.write64_file", "write"], ["rw.read64_file", "read"]]) {
    ctx.add({ name: `${name}, browser_wasi_shim`, ...get(name), peer: peer(`shim.${shim}`), goal: { of: "speedup", limit: 5 } });
  }
  ctx.add({ name: "pipe, one process", ...us(get("pipe.self_rt")) });
  ctx.add({ name: "bare JSPI round trip", ...us(get("bare.switches")) });
  ctx.add({ name: "pipe round trip, one CPU", ...us(get(far ? "pipe.pingpong_near" : "pipe.pingpong_proc")), peer: peer("bare.switches") / 1000, goal: { limit: 3 } });
  if (far) {
    ctx.add({ name: "bare Atomics round trip", ...us(get("bare.waits")) });
    ctx.add({ name: "pipe round trip, two CPUs", ...us(get("pipe.pingpong_far")), peer: peer("bare.waits") / 1000, goal: { of: "peer", limit: 1.3 } });
  }
  ctx.add({ name: "pipe.bw_64k", ...get("pipe.bw_64k") });
  ctx.add({ name: "spawn, exit, wait", ...us(get("proc.posix_spawn_wait")), goal: { limit: 300 } });
}

/** The isolated page with one CPU only. */
async function oneCpu(ctx, options) {
  const page = await ctx.open();
  const vk = await ctx.boot(page, { cpus: 1 });
  await install(vk, ctx.server);
  // The other pages have made some hundred thousand calls when their pipes are measured. Here nothing has been
  // called yet: the engine's first code for all of it would be measured.
  await microbench(vk, ["pipe.self_rt", "pipe.pingpong_proc"], options);
  const rounds = new Rounds();
  for (let round = 0; round < (ctx.quick ? 1 : ctx.rounds); round++) {
    for (const name of ["pipe.pingpong_proc", ...PROCESSES]) rounds.add(name, (await microbench(vk, [name], options)).get(name));
    rounds.add("bare.switches", { value: await ctx.bare(page, "switches", 5, 10), unit: "ns" });
  }
  const one = { page: "isolated, cpus: 1" };
  ctx.add({ name: "pipe round trip, one CPU", ...us(rounds.get("pipe.pingpong_proc")), peer: rounds.get("bare.switches").value / 1000, goal: { limit: 3 }, ...one });
  ctx.add({ name: "spawn, exit, wait", ...us(rounds.get("proc.posix_spawn_wait")), goal: { limit: 300 }, ...one });
  await page.close();
}
