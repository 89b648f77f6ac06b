// Writes release.js for the service worker: every file of a put-together site, with its hash.
//   node tools/stamp.mjs [DIR]       DIR is dist/ unless told; run it when vk/ is in its place
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** Left out: packs are fetched when needed and named by their contents; the worker cannot hold itself. */
const LEFT_OUT = /^(sw\.js|release\.js|vk\/packs\/.*|.*\.d\.ts|.*\.map|\..*|.*\/\..*)$/;

export function stamp(dir) {
  const files = {};
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const full = join(entry.parentPath ?? entry.path, entry.name);
    const path = full.slice(resolve(dir).length + 1).replaceAll("\\", "/");
    if (!LEFT_OUT.test(path)) files[path] = createHash("sha256").update(readFileSync(full)).digest("hex");
  }
  const sorted = Object.fromEntries(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
  const version = createHash("sha256").update(JSON.stringify(sorted)).digest("hex").slice(0, 12);
  writeFileSync(join(dir, "release.js"), `self.RELEASE = ${JSON.stringify({ version, files: sorted }, null, 1)};\n`);
  return version;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const dir = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), "../dist"));
  console.log(`release ${stamp(dir)}`);
}
