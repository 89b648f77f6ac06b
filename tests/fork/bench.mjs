// Ratios over the first of the modules, all made of bench.c: node bench.mjs MODULE ...
import { readFileSync } from "node:fs";
const files = process.argv.slice(2);
const noop = new Proxy({}, { get: (_, n) => n === "proc_exit" ? () => { throw 1; } : () => 0 });
const ks = ["fib", "table", "qsort", "switch", "tree", "doubles", "sieve"];
const inst = files.map((f) => new WebAssembly.Instance(new WebAssembly.Module(readFileSync(f)), { vkernel: noop, wasi_snapshot_preview1: noop }).exports);
const t = (f, n) => { const b = performance.now(); f(n); return performance.now() - b; };
const geo = files.map(() => 0);
for (const k of ks) {
  const fs = inst.map((i) => i[`k_${k}`]);
  let n = 1; for (const f of fs) { const until = performance.now() + 250; while (performance.now() < until) f(1); }
  while (t(fs[0], n) < 8) n *= 2;
  const best = files.map(() => Infinity);
  for (let r = 0; r < 30; r++) fs.forEach((f, i) => (best[i] = Math.min(best[i], t(f, n))));
  console.log(k.padEnd(8), best.map((b) => (b / best[0]).toFixed(2)).join("  "), `${(best[0] / n * 1000).toFixed(1)} us`);
  best.forEach((b, i) => (geo[i] += Math.log(b / best[0])));
}
console.log("mean    ", geo.map((g) => Math.exp(g / ks.length).toFixed(2)).join("  "));
