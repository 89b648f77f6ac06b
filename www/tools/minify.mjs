// Makes modules small, in place: what is not exported gets a short name, what is never used goes.
//   node tools/minify.mjs FILE...
import { readFileSync, writeFileSync } from "node:fs";
import { minify } from "vite";

for (const file of process.argv.slice(2)) {
  const { code, errors } = await minify(file, readFileSync(file, "utf8"), { module: true, compress: true, mangle: { toplevel: true } });
  if (errors.length > 0) throw new Error(`${file}: ${errors.map((e) => e.message).join("\n")}`);
  writeFileSync(file, code);
}
