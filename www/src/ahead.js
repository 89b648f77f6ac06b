// In the page's head (vite.config.ts puts it there): starts the machine's first workers and asks for what they will need while
// they and the page's own code are still on their way. src/vk.ts takes the workers. host-web/js/cpu.js and disk.js hear of
// each thing as { ahead: name, value }; without a value it could not be had, and they ask for it themselves.
try {
  const base = new URL("vk/", document.baseURI).href;
  const worker = (file) => new Worker(base + file, { type: "module", name: "ahead" });
  const first = worker("cpu.js");
  const disk = /[?&]persist=0(&|$)/.test(location.search) ? undefined : worker("disk.js");
  const tell = (to, name, promise, given = () => []) =>
    promise.then((value) => to.postMessage({ ahead: name, value }, given(value))).catch(() => to.postMessage({ ahead: name }));
  // A browser may have no such function, or not for us: in an async function, that is a refusal like others.
  const compiled = async (file) => WebAssembly.compileStreaming(fetch(base + file));
  const host = compiled("host_web_bg.wasm");
  tell(first, "host", host);
  if (disk) tell(disk, "host", host);
  const directory = async () => (await navigator.storage.getDirectory()).getDirectoryHandle("vkernel", { create: true });
  if (disk) tell(disk, "directory", directory());
  tell(first, "kernel", compiled("kernel.wasm"));
  tell(first, "manifest", fetch(base + "manifest.json", { cache: "no-cache" }).then((r) => (r.ok ? r.text() : undefined)));

  // What the last boot needed, unpacked; it is checked by who uses it (host-web/src/blobs/packs.rs). The digest is another thread's.
  const unpacked = async (response) => {
    const file = await response.arrayBuffer();
    const stream = new Response(file).body.pipeThrough(new DecompressionStream("gzip"));
    const [digest, raw] = await Promise.all([crypto.subtle.digest("SHA-256", file), new Response(stream).arrayBuffer()]);
    return { digest, raw };
  };
  const kept = async () => {
    const cache = await caches.open("vkernel-1");
    const text = await (await cache.match(base + "manifest.json"))?.text();
    if (!text) return undefined;
    const { index, boot } = JSON.parse(text);
    const packs = {};
    const one = async (key) => void (packs[key] = await unpacked(await cache.match(base + key)));
    await Promise.allSettled([index, ...boot].map((name) => one("packs/" + name)));
    return { text, packs };
  };
  const told = tell(first, "kept", kept(), (of) => Object.values(of?.packs ?? {}).map((pack) => pack.raw));
  globalThis.vkAhead = { first, disk, host, told };
} catch {
  // The page starts them itself.
}
document.currentScript.remove();
