/**
 * The site as a static web server shows it that compresses: what is named by its contents is kept for ever, the rest is
 * asked for again with its ETag. Remembers what it sent.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { gzipSync } from "node:zlib";
import { site } from "../../lib/server.mjs";

const TYPES = { ".css": "text/css", ".html": "text/html", ".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml", ".wasm": "application/wasm", ".webmanifest": "application/manifest+json" };
const ISOLATION = { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp", "cross-origin-resource-policy": "same-origin" };
const kept = (path) => path.startsWith("/assets/") || path.startsWith("/vk/packs/");

export async function serveStatic(isolated) {
  const files = new Map();
  const sent = [];

  /** A file, compressed once. */
  async function file(path) {
    if (!files.has(path)) {
      const plain = await readFile(join(site, normalize(path)));
      const type = TYPES[extname(path)];
      const body = type ? gzipSync(plain, { level: 6 }) : plain;
      const etag = `"${createHash("sha256").update(plain).digest("hex").slice(0, 20)}"`;
      files.set(path, { body, etag, type: type ?? "application/octet-stream", gzip: type !== undefined });
    }
    return files.get(path);
  }

  async function answer(request, response) {
    const asked = new URL(request.url, "http://x").pathname;
    const path = asked.endsWith("/") ? `${asked}index.html` : asked;
    const at = performance.now();
    const found = await file(path).catch(() => undefined);
    if (!found) return void response.writeHead(404).end();
    const headers = { etag: found.etag, vary: "accept-encoding", "cache-control": kept(path) ? "public, max-age=31536000, immutable" : "no-cache", ...(isolated ? ISOLATION : {}) };
    const same = request.headers["if-none-match"] === found.etag;
    const record = { path, at, bytes: same ? 0 : found.body.length, status: same ? 304 : 200 };
    sent.push(record);
    response.once("finish", () => (record.done = performance.now()));
    if (same) return void response.writeHead(304, headers).end();
    response.writeHead(200, { ...headers, "content-type": found.type, "content-length": found.body.length, ...(found.gzip ? { "content-encoding": "gzip" } : {}) });
    response.end(found.body);
  }

  const server = createServer((request, response) => void answer(request, response).catch(() => response.destroy()));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/`,
    /** What was sent since the last call: path, bytes of the body, when. */
    take: () => sent.splice(0),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
