/** What the browser takes from the system: CPU time and memory of its processes. Linux only; elsewhere undefined. */
import { readFileSync, readdirSync } from "node:fs";

const TICKS_PER_S = 100;

function text(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has ended
  }
}

/** The processes that this one has started, and those that they have. */
function descendants(pid) {
  let threads = [];
  try {
    threads = readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
  const children = threads.flatMap((t) => text(`/proc/${pid}/task/${t}/children`).split(" ").filter(Boolean));
  return children.flatMap((c) => [c, ...descendants(c)]);
}

/** Seconds of CPU time and MiB of memory (each page counted once) of all browsers started here. */
export function usage() {
  if (process.platform !== "linux") return undefined;
  let cpu = 0;
  let memory = 0;
  for (const pid of descendants(process.pid)) {
    const stat = text(`/proc/${pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    cpu += (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / TICKS_PER_S;
    memory += Number(/^Pss:\s+(\d+)/m.exec(text(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0) / 1024;
  }
  return { cpu, memory };
}
