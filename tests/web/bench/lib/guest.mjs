/** The benchmark program of `tests/bench/guest` inside of a machine. */
import { join } from "node:path";
import { target } from "../../lib/server.mjs";
import { median } from "./table.mjs";

/** Where `xtask bench` puts what it builds. */
export const tools = process.env.VK_BENCH_TOOLS ?? join(target, "bench");
export const ME = "/tmp/microbench";
/** The program that forks and sends signals. */
export const UNIX = "/tmp/microbench-unix";

/** Puts the program and the one that does nothing into the machine. */
export async function install(vk, server) {
  for (const name of ["microbench", "microbench-nop", "microbench-unix"]) await vk.put(`/tmp/${name}`, server, join(tools, `${name}.wasm`));
}

/** Measures of the program, by name: `{ value, min, max, unit }` or `{ error }`. `options`: `-r`, `-t`, as a list of words. */
export async function microbench(vk, names, options = [], program = ME) {
  const { output, status } = await vk.run([program, "-d", "/tmp", "-s", ME, "-n", `${ME}-nop`, ...options, ...names], { timeout: 180_000 });
  const found = parse(output);
  for (const name of names) {
    if (!name.endsWith(".") && !found.has(name)) found.set(name, { error: `status ${status}: ${output.slice(-300)} ${await vk.said()}` });
  }
  return found;
}

export function parse(output) {
  const found = new Map();
  for (const line of output.split("\n")) {
    const [name, value, min, max, unit] = line.split("\t");
    if (value === "ERR") found.set(name, { error: min });
    else if (unit) found.set(name, { value: Number(value), min: Number(min), max: Number(max), unit: unit.trim() });
  }
  return found;
}

/** Rounds of samples by name; the median of the rounds' medians is what counts. */
export class Rounds {
  #all = new Map();
  add(name, { value, unit, error }) {
    const of = this.#all.get(name) ?? { values: [], unit };
    if (error) of.error = error;
    else of.values.push(value);
    of.unit ??= unit;
    this.#all.set(name, of);
  }
  get(name) {
    const of = this.#all.get(name);
    if (!of?.values.length) return { error: of?.error ?? "not measured" };
    return { value: median(of.values), min: Math.min(...of.values), max: Math.max(...of.values), unit: of.unit, rounds: of.values.length };
  }
  get names() {
    return [...this.#all.keys()];
  }
}
