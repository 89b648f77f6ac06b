/**
 * A web server of static files for the tests, with the ways in which servers and networks fail.
 *
 *     const server = await serve({ isolated: true });
 *     server.url("/bare.html")          a page without anything of ours but what a test loads into it
 *     server.url("/")                   the site
 *     server.fault(/\/vk\/packs\//, "drop", 2)   the next two requests for a pack lose their connection
 *     server.offline = true             the server is gone: connections are refused
 *     server.mount("/-/p.wasm", path)   a file of any place
 *     await server.close()
 *
 * `127.0.0.1` and `localhost` are two sites to a browser: `server.url(path, "localhost")` is the other one.
 */
import { createServer } from "node:http";
import { createReadStream } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's directory. */
export const root = fileURLToPath(new URL("../../../", import.meta.url));
/** Everything that is built. */
export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
/** The site under test. */
export const site = process.env.VK_SITE ?? join(target, "site");

const TYPES = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
  ".webmanifest": "application/manifest+json",
};
const BARE = "<!doctype html><html lang=en><title>bare</title><link rel=icon href=data:,><script type=module src=/-/lib/in-page.js></script>";
const LIB = fileURLToPath(new URL(".", import.meta.url));

/**
 * Starts a server on a free port.
 *
 * @param {{ isolated?: boolean, headers?: Record<string, string>, dir?: string }} options
 *   `isolated`: with the headers that make a page `crossOriginIsolated`; `dir`: what is served, the site if not given.
 */
export async function serve({ isolated = true, headers = {}, dir = site } = {}) {
  const mounts = new Map();
  const faults = [];
  const state = { offline: false, requests: [] };

  async function answer(request, response) {
    const path = decodeURIComponent(new URL(request.url, "http://x").pathname);
    state.requests.push(path);
    if (state.offline) return request.socket.destroy();
    const fault = take(faults, path);
    if (fault === "drop") return request.socket.destroy();
    if (fault === "missing") return void response.writeHead(404).end();
    if (fault === "error") return void response.writeHead(503).end();
    if (fault?.wait) await new Promise((resolve) => setTimeout(resolve, fault.wait));
    const found = await find(path);
    if (!found) return void response.writeHead(404).end();
    const out = {
      "content-type": found.type ?? TYPES[extname(found.file ?? path)] ?? "application/octet-stream",
      "cache-control": "no-cache",
      ...(isolated ? { "cross-origin-opener-policy": "same-origin", "cross-origin-embedder-policy": "require-corp" } : {}),
      ...headers,
    };
    if (fault === "cut") return cut(response, out, await bytesOf(found));
    if (fault === "wrong") return void response.writeHead(200, out).end(flipped(await bytesOf(found)));
    if (fault === "page") return void response.writeHead(200, out).end("<!doctype html><title>Nothing is here</title>");
    if (found.text !== undefined) return void response.writeHead(200, out).end(found.text);
    response.writeHead(200, { ...out, "content-length": found.size });
    createReadStream(found.file).pipe(response);
  }

  /** What a path names: a text, or a file that is there. */
  async function find(path) {
    if (path === "/bare.html") return { text: BARE, type: TYPES[".html"] };
    const mounted = mounts.get(path);
    if (mounted?.text !== undefined) return mounted;
    const file = mounted?.file ?? (path.startsWith("/-/lib/") ? join(LIB, path.slice(7)) : join(dir, normalize(path.endsWith("/") ? `${path}index.html` : path)));
    const s = await stat(file).catch(() => undefined);
    return s?.isFile() ? { file, size: s.size } : undefined;
  }

  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  // `localhost` is ::1 to some browsers first.
  const second = createServer((request, response) => answer(request, response).catch(() => response.destroy()));
  await new Promise((resolve) => second.once("error", resolve).listen(port, "::1", resolve));

  return {
    /** The paths that were asked for, in order. */
    requests: state.requests,
    url: (path = "/", host = "127.0.0.1") => `http://${host}:${port}${path}`,
    set offline(value) {
      state.offline = value;
      if (value) for (const s of [server, second]) s.closeAllConnections();
    },
    get offline() {
      return state.offline;
    },
    /**
     * The next `times` requests whose path matches fail: `"drop"` the connection ends before the answer, `"cut"` in its
     * middle, `"missing"` 404, `"error"` 503, `"wrong"` a byte is another one, `"page"` it is what some servers have for
     * files that they lack, `{ wait: ms }` it comes late.
     */
    fault(match, how, times = Infinity) {
      faults.push({ match, how, times });
    },
    noFaults() {
      faults.length = 0;
    },
    /** Serves a file of the machine, or a text as HTML, at a path. */
    mount(path, file) {
      mounts.set(path, { file });
    },
    mountText(path, text, type = TYPES[".html"]) {
      mounts.set(path, { text, type });
    },
    async close() {
      for (const s of [server, second]) {
        s.closeAllConnections();
        if (s.listening) await new Promise((resolve) => s.close(resolve));
      }
    },
  };
}

function take(faults, path) {
  const fault = faults.find((f) => f.times > 0 && f.match.test(path));
  if (fault) fault.times--;
  return fault?.how;
}

const bytesOf = async (found) => (found.text === undefined ? readFile(found.file) : Buffer.from(found.text));

/** Another byte in the middle, the length as it was. */
function flipped(bytes) {
  bytes[bytes.length >> 1] ^= 1;
  return bytes;
}

/** Half of it, and then the connection is lost. */
function cut(response, headers, bytes) {
  response.writeHead(200, { ...headers, "content-length": bytes.length });
  response.write(bytes.subarray(0, bytes.length >> 1), () => response.destroy());
}
