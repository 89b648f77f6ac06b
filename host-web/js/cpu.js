// A CPU's worker: starts the Rust code, without waiting to be told what for.
import init, { cpu_ahead, cpu_main } from "./host_web.js";

/** Has promises looked at by nobody yet. */
const later = (promise) => (promise.catch(() => {}), promise);

/**
 * Asks for what a boot needs while our own code is compiled: of the server the kernel and the list of files, of the
 * browser's cache what the last boot needed, and unpacks that. `ahead.rs` goes on with it, checks it, and does without
 * what fails.
 */
function ask(base) {
  // A browser may have none, or not for us: in a function, that is a refusal like others.
  const cache = (async () => caches.open("vkernel-1"))();
  const cached = async (key) => (await cache).match(base + key);
  // The digest and the unpacking are other threads'.
  const unpacked = async (response) => {
    const file = await response.arrayBuffer();
    const raw = new Response(new Response(file).body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    const [digest, bytes] = await Promise.all([crypto.subtle.digest("SHA-256", file), raw]);
    return { digest, raw: bytes };
  };
  const kept = cached("manifest.json").then((r) => r?.text());
  const packs = {};
  const found = kept.then((text) => {
    const { index, boot } = JSON.parse(text);
    for (const name of [index, ...boot]) packs["packs/" + name] = later(cached("packs/" + name).then((r) => r && unpacked(r)));
    return text;
  });
  return {
    kernel: later(WebAssembly.compileStreaming(fetch(base + "kernel.wasm"))),
    manifest: later(fetch(base + "manifest.json", { cache: "no-cache" }).then((r) => (r.ok ? r.text() : undefined))),
    cache: later(cache),
    kept: later(found),
    packs,
  };
}

// The page gives this name to the worker that it starts before its own code is there.
const ahead = self.name === "ahead";
const base = new URL(".", import.meta.url).href;
const ready = init();
const asked = ahead ? ask(base) : undefined;
if (ahead) ready.then(() => cpu_ahead(base, asked)).catch(() => {});
// Told below, to whoever listens by then.
ready.catch(() => {});

addEventListener("message", async ({ data }) => {
  try {
    await ready;
    cpu_main(data);
  } catch (e) {
    // To whoever made this worker: engines keep it to themselves otherwise.
    reportError(e);
  }
}, { once: true });
