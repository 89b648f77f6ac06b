// A static server for the page's own tests: serves a directory beneath a path, `vk/` from elsewhere.
//   node tools/serve.mjs [--port N] [--base /some/path/] [--vk DIR|fake] [--isolate] [DIR]
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { dirname, extname, join, normalize, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const www = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const TYPES = {
  ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".json": "application/json",
  ".wasm": "application/wasm", ".svg": "image/svg+xml", ".webmanifest": "application/manifest+json", ".png": "image/png",
};

const EMPTY_MODULE = Buffer.from("\0asm\x01\0\0\0", "latin1");
/** What the page's head asks for; the fake machine has no use for it. */
export const FAKES = { "vk/host_web_bg.wasm": EMPTY_MODULE, "vk/kernel.wasm": EMPTY_MODULE, "vk/manifest.json": "{}" };

/** Serves `dir` at `base`; answers the server, listening. */
export function serve({ dir = join(www, "dist"), port = 0, base = "/", vk = undefined, headers = {} } = {}) {
  const fileOf = (path) => {
    if (vk === "fake" && path === "vk/host_web.js") return join(www, "test/fake-host.js");
    if (vk === "fake" && ["vk/cpu.js", "vk/disk.js"].includes(path)) return join(www, "test/fake-cpu.js");
    if (vk && vk !== "fake" && path.startsWith("vk/")) return join(vk, path.slice(3));
    return join(dir, path);
  };
  const server = createServer((req, res) => {
    const path = decodeURIComponent(new URL(req.url, "http://x").pathname);
    if (!path.startsWith(base)) return res.writeHead(404).end();
    let rest = normalize(path.slice(base.length)).replace(/^(\.\.[/\\])+/, "");
    if (rest === "." || rest === "" || rest.endsWith("/")) rest = join(rest, "index.html");
    const type = TYPES[extname(rest)] ?? "application/octet-stream";
    if (vk === "fake" && FAKES[rest]) return res.writeHead(200, { "content-type": type, ...headers }).end(FAKES[rest]);
    const file = fileOf(rest);
    if (!existsSync(file) || !statSync(file).isFile()) return res.writeHead(404, headers).end("not found");
    res.writeHead(200, { "content-type": type, "cache-control": "no-cache", ...headers });
    createReadStream(file).pipe(res);
  });
  return new Promise((ok) => server.listen(port, "127.0.0.1", () => ok(server)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const opt = (name, or) => (args.includes(name) ? args.splice(args.indexOf(name), 2)[1] : or);
  const port = Number(opt("--port", 8080));
  const base = opt("--base", "/");
  const vk = opt("--vk");
  const isolate = args.includes("--isolate");
  const dir = args.find((a) => !a.startsWith("--"));
  const headers = isolate ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } : {};
  await serve({ port, base, vk, headers, ...(dir ? { dir: resolve(dir) } : {}) });
  console.log(`http://localhost:${port}${base}`);
}
