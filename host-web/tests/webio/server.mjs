// A web server that can be told to fail.
import { createServer } from "node:http";
import { readFileSync } from "node:fs";

const TYPES = { html: "text/html", js: "text/javascript", mjs: "text/javascript", wasm: "application/wasm", json: "application/json" };

export class Server {
  /** Every path asked for, with its Range header. */
  log = [];
  /** (path, req, res) => true when it has answered. */
  fault = () => false;
  /** URL path -> Buffer or file name. */
  files = new Map();

  async start() {
    this.http = createServer((req, res) => this.#answer(req, res));
    await new Promise((done) => this.http.listen(0, done));
    this.origin = `http://localhost:${this.http.address().port}`;
    return this;
  }
  stop() {
    this.http.closeAllConnections();
    this.http.close();
  }
  /** Serves an image beneath /vk/. */
  image(image) {
    for (const path of this.files.keys()) if (path.startsWith("/vk/")) this.files.delete(path);
    for (const [name, bytes] of image.files) this.files.set("/vk/" + name, bytes);
    this.log = [];
    this.fault = () => false;
  }
  asked(part) {
    return this.log.filter((line) => line.includes(part)).length;
  }

  #answer(req, res) {
    const path = new URL(req.url, "http://x").pathname;
    this.log.push(path + (req.headers.range ? " " + req.headers.range : ""));
    if (this.fault(path, req, res)) return;
    let body = this.files.get(path);
    if (typeof body === "string") body = readFileSync(body);
    if (!body) return void res.writeHead(404).end();
    const headers = { "Content-Type": TYPES[path.split(".").pop()] ?? "application/octet-stream", "Cache-Control": "max-age=3600", "Accept-Ranges": "bytes" };
    const range = /^bytes=(\d+)-$/.exec(req.headers.range ?? "");
    if (range) {
      headers["Content-Range"] = `bytes ${range[1]}-${body.length - 1}/${body.length}`;
      body = body.subarray(Number(range[1]));
    }
    res.writeHead(range ? 206 : 200, { ...headers, "Content-Length": body.length });
    res.end(body);
  }
}

/** A fault: sends the first `n` bytes of a body and hangs up. */
export function cut(server, path, res, n) {
  const body = server.files.get(path);
  res.writeHead(200, { "Content-Length": body.length, "Accept-Ranges": "bytes" });
  res.write(body.subarray(0, n), () => setTimeout(() => res.destroy(), 50));
  return true;
}
