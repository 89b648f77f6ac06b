// The blob store: see host-web/src/blobs.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { image, wasm } from "./image.mjs";
import { cut } from "./server.mjs";

const text = (s) => Buffer.from(s);
const prog = () => ({ path: "bin/prog", bytes: wasm(1000), prepared: wasm(1 << 21) });
const usual = () => image([
  { title: "base", boot: true, blobs: [{ path: "etc/motd", bytes: text("hello\n") }, { path: "etc/empty", bytes: text("") }, prog()] },
  { title: "extras", blobs: [{ path: "usr/big", bytes: randomBytes(3 << 20) }, { path: "usr/small", bytes: text("small") }] },
]);
const sha = (bytes) => createHash("sha256").update(bytes).digest("hex");
const blob = (img, path) => img.blobs.find((b) => b.path === path);

/** In the worker: opens the store and reads blobs; answers hashes, what was told and errors. */
async function read(w, { blobs, pause = 0 }) {
  const told = [], hashes = [];
  const store = (w.state.store ??= await w.open_store(w.base, (t) => told.push(t)));
  for (const blob of blobs) {
    try {
      const bytes = await store.bytes(blob);
      const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
      hashes.push([...digest].map((b) => b.toString(16).padStart(2, "0")).join(""));
    } catch (e) {
      hashes.push(e.message);
    }
  }
  // Writes to the cache are nobody's to wait for.
  await new Promise((done) => setTimeout(done, pause));
  return { hashes, told, index: sum(store.index()) };
  function sum(bytes) { return bytes.reduce((a, b) => (a * 31 + b) >>> 0, 7); }
}

export const tests = {
  async "packs come when they are needed, and once"({ server, page }) {
    const img = usual();
    server.image(img);
    const p = await page();
    const first = await p.run(read, { blobs: [blob(img, "etc/motd").number, blob(img, "etc/empty").number] });
    assert.deepEqual(first.hashes, [sha(text("hello\n")), sha(text(""))]);
    assert.equal(first.index, img.index.reduce((a, b) => (a * 31 + b) >>> 0, 7));
    assert.equal(server.asked(img.pack("extras").name), 0);
    const big = blob(img, "usr/big"), small = blob(img, "usr/small");
    const second = await p.run(read, { blobs: [big.number, small.number, 99] });
    assert.deepEqual(second.hashes, [sha(big.bytes), sha(small.bytes), "ENOENT: there is no blob 99"]);
    assert.equal(server.asked(img.pack("extras").name), 1);
    const told = first.told.concat(second.told).filter((t) => t.what === "fetch" && t.title === "base");
    assert.equal(told.at(-1).done, img.pack("base").bytes);
  },

  async "many ask for the same pack at once"({ server, page }) {
    const img = usual();
    server.image(img);
    const p = await page();
    const lengths = await p.run(async (w, [big, small]) => {
      const store = await w.open_store(w.base, () => {});
      const all = await Promise.all([big, small, big, small].map((blob) => store.bytes(blob)));
      return [all.map((b) => b.length), store.try_bytes(big).length, store.try_bytes(small).length];
    }, [blob(img, "usr/big").number, blob(img, "usr/small").number]);
    assert.deepEqual(lengths, [[3 << 20, 5, 3 << 20, 5], 3 << 20, 5]);
    assert.equal(server.asked(img.pack("extras").name), 1);
  },

  async "a program's prepared form is compiled"({ server, page }) {
    const img = usual();
    server.image(img);
    const p = await page();
    const { number, preparedNumber } = blob(img, "bin/prog");
    const got = await p.run(async (w, [number, other]) => {
      const told = [];
      const store = await w.open_store(w.base, (t) => told.push(t));
      const module = await store.module(number);
      const error = await store.module(other).catch((e) => e.message);
      return { f: new WebAssembly.Instance(module).exports.f(), prepared: store.prepared(number), none: store.prepared(other), error,
        told: told.filter((t) => t.what === "compile") };
    }, [number, blob(img, "etc/motd").number]);
    assert.deepEqual(got.f, 42);
    assert.equal(got.prepared, preparedNumber);
    assert.equal(got.none ?? null, null);
    assert.equal(got.error, "ENOEXEC: /etc/motd has no prepared form");
    assert.deepEqual(got.told.map((t) => [t.title, t.done === t.total]), [["/bin/prog", false], ["/bin/prog", true]]);
  },

  async "a second visit needs no network"({ server, page }) {
    const img = usual();
    server.image(img);
    const blobs = [blob(img, "etc/motd").number, blob(img, "usr/big").number];
    let p = await page();
    const before = await p.run(read, { blobs, pause: 500 });
    p = await page();
    server.fault = (path, _, res) => path.startsWith("/vk/") && !!res.destroy();
    const after = await p.run(read, { blobs });
    assert.deepEqual(after.hashes, before.hashes);
    assert.deepEqual(after.told.filter((t) => typeof t === "string"), []);
    assert.equal(server.asked("/vk/packs/"), 3);
  },

  async "a transfer that breaks is taken up where it broke"({ server, page }) {
    const img = usual();
    server.image(img);
    const { name } = img.pack("extras");
    let broken = 0;
    server.fault = (path, req, res) => path.includes(name) && broken++ < 1 && cut(server, path, res, 1 << 20);
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "usr/big").number] });
    assert.deepEqual(got.hashes, [sha(blob(img, "usr/big").bytes)]);
    assert.match(got.told.find((t) => typeof t === "string"), /^no network, trying extras again in 1 s$/);
    const again = server.log.filter((line) => line.includes(name))[1];
    assert.match(again, / bytes=[1-9]\d{4,}-$/);
  },

  async "a server in trouble is asked again"({ server, page }) {
    const img = usual();
    server.image(img);
    let asked = 0;
    server.fault = (path, _, res) => path.endsWith("manifest.json") && asked++ < 3 && !!res.writeHead(503).end();
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "etc/motd").number] });
    assert.deepEqual(got.hashes, [sha(text("hello\n"))]);
    assert.equal(got.told.filter((t) => typeof t === "string").length, 2);
  },

  async "a network that stays away is an error that names the file"({ server, page }) {
    const img = usual();
    server.image(img);
    const { name } = img.pack("extras");
    server.fault = (path, _, res) => path.includes(name) && !!res.destroy();
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "usr/small").number] });
    assert.match(got.hashes[0], new RegExp(`^EIO: cannot fetch extras \\(.*${name}\\)`));
    // It is not given up for ever.
    server.fault = () => false;
    const later = await p.run(read, { blobs: [blob(img, "usr/small").number] });
    assert.deepEqual(later.hashes, [sha(text("small"))]);
  },

  async "a pack that is gone from the server is not asked for again"({ server, page }) {
    const img = usual();
    server.image(img);
    server.files.delete("/vk/packs/" + img.pack("extras").name);
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "usr/small").number] });
    assert.match(got.hashes[0], /^EIO: the server answers 404 for .*site has changed/);
    assert.equal(server.asked(img.pack("extras").name), 1);
  },

  async "a pack of the wrong content is refused and named"({ server, page }) {
    const img = usual();
    server.image(img);
    const { name, bytes } = img.pack("extras");
    const wrong = Buffer.from(server.files.get("/vk/packs/" + name));
    wrong[bytes >> 1] ^= 1;
    server.files.set("/vk/packs/" + name, wrong);
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "usr/small").number] });
    assert.match(got.hashes[0], new RegExp(`^EIO: extras \\(.*${name}\\) is not what its name says`));
    assert.equal(server.asked(name), 2);
  },

  async "a proxy's wrong copy is asked for again"({ server, page }) {
    const img = usual();
    server.image(img);
    const { name } = img.pack("extras");
    let asked = 0;
    server.fault = (path, _, res) => path.includes(name) && asked++ < 1 && !!res.end(randomBytes(img.pack("extras").bytes));
    const p = await page();
    const got = await p.run(read, { blobs: [blob(img, "usr/small").number] });
    assert.deepEqual(got.hashes, [sha(text("small"))]);
  },

  async "a blob without a hash is what its pack's name says"({ server, page }) {
    const none = Buffer.alloc(32);
    const img = image([{ title: "base", boot: true, blobs: [{ path: "etc/a", bytes: text("a") }] },
      { title: "lib", blobs: [{ path: "lib/a.h", bytes: text("one"), sha256: none }, { path: "lib/b.h", bytes: text("two"), sha256: none }] }]);
    server.image(img);
    const blobs = ["lib/b.h", "lib/a.h"].map((path) => blob(img, path).number);
    let p = await page();
    assert.deepEqual((await p.run(read, { blobs, pause: 500 })).hashes, [sha(text("two")), sha(text("one"))]);
    // Well packed, but something else, in the cache; then on the server, too.
    await p.run(async (w, [name, bytes]) => {
      const cache = await caches.open("vkernel-1");
      await cache.put(w.base + "packs/" + name, new Response(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))));
    }, [img.pack("lib").name, gzipSync(text("twoone")).toString("base64")]);
    p = await page();
    assert.deepEqual((await p.run(read, { blobs })).hashes, [sha(text("two")), sha(text("one"))]);
    await p.run((w) => caches.delete("vkernel-1"));
    server.fault = (path, _, res) => path.includes(img.pack("lib").name) && !!res.end(gzipSync(text("twoone")));
    p = await page();
    assert.match((await p.run(read, { blobs })).hashes[0], /^EIO: lib .* is not what its name says/);
  },

  async "what was changed in the cache is found and fetched again"({ server, page }) {
    const img = usual();
    server.image(img);
    const small = blob(img, "usr/small");
    let p = await page();
    await p.run(read, { blobs: [small.number], pause: 500 });
    // Both kinds of damage: gzip that is none, and another content that unpacks well.
    const raw = Buffer.concat([blob(img, "usr/big").bytes, text("smaxx")]);
    for (const damage of [randomBytes(1000), gzipSync(raw)]) {
      await p.run(async (w, [name, bytes]) => {
        const cache = await caches.open("vkernel-1");
        await cache.put(w.base + "packs/" + name, new Response(Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))));
      }, [img.pack("extras").name, damage.toString("base64")]);
      const asked = server.asked(img.pack("extras").name);
      p = await page();
      const got = await p.run(read, { blobs: [small.number], pause: 500 });
      assert.deepEqual(got.hashes, [sha(small.bytes)]);
      assert.equal(server.asked(img.pack("extras").name), asked + 1);
    }
  },

  async "packs of an older image are dropped"({ server, page }) {
    const old = usual(), img = usual();
    server.image(old);
    let p = await page();
    await p.run(read, { blobs: [blob(old, "usr/small").number], pause: 500 });
    server.image(img);
    p = await page();
    await p.run(read, { blobs: [blob(img, "usr/small").number], pause: 500 });
    const keys = await p.run(async (w) => {
      await w.state.store.sweep();
      return (await (await caches.open("vkernel-1")).keys()).map((r) => r.url.slice(w.base.length));
    });
    const expected = ["manifest.json", ...img.manifest.packs.map((p) => "packs/" + p.name)];
    assert.deepEqual(keys.sort(), expected.sort());
  },

  async "a program prepared in the page is kept"({ server, page }) {
    server.image(usual());
    const visit = async (w) => {
      const store = await w.open_store(w.base, () => {});
      const original = new Uint8Array(2 << 20).fill(7), prepared = new Uint8Array(3 << 20).fill(8);
      const kept = await store.program(original, prepared);
      const small = await store.program(new Uint8Array(10), prepared);
      await new Promise((done) => setTimeout(done, 500));
      return [kept?.length ?? null, small?.length ?? null];
    };
    assert.deepEqual(await (await page()).run(visit), [null, null]);
    assert.deepEqual(await (await page()).run(visit), [3 << 20, null]);
  },

  async "nothing may be kept: it works without a cache"({ server, page }) {
    const img = usual();
    server.image(img);
    for (const how of ["missing", "forbidden", "full"]) {
      const p = await page();
      const told = await p.run((w, how) => {
        const forbid = () => { throw new DOMException("no storage for you", "SecurityError"); };
        if (how === "missing") Object.defineProperty(globalThis, "caches", { value: undefined });
        if (how === "forbidden") Object.defineProperty(globalThis, "caches", { get: forbid });
        if (how === "full") Cache.prototype.put = async () => { throw new DOMException("full", "QuotaExceededError"); };
      }, how);
      const got = await p.run(read, { blobs: [blob(img, "usr/small").number], pause: 100 });
      assert.deepEqual(got.hashes, [sha(text("small"))]);
      assert.equal(got.told.filter((t) => typeof t === "string").length, how === "full" ? 1 : 0);
    }
  },

  async "without crypto.subtle hashes are computed here"({ server, page }) {
    const img = image([{ title: "base", boot: true, blobs: [{ path: "etc/big", bytes: randomBytes(300_001) }] },
      { title: "extras", blobs: [{ path: "etc/bad", bytes: text("bad") }] }]);
    server.image(img);
    const { name } = img.pack("extras");
    server.files.set("/vk/packs/" + name, gzipSync(text("dab")));
    const p = await page();
    const got = await p.run(async (w, [bad, big]) => {
      Object.defineProperty(globalThis, "crypto", { value: {} });
      const store = await w.open_store(w.base, () => {});
      return [await store.bytes(bad).catch((e) => e.message), (await store.bytes(big)).length];
    }, [blob(img, "etc/bad").number, blob(img, "etc/big").number]);
    assert.match(got[0], new RegExp(`^EIO: extras \\(.*${name}\\) is not what its name says`));
    assert.equal(got[1], 300_001);
  },

  async "an insecure address has neither cache nor digests nor disks"({ server, page, insecure, address }) {
    if (!address) return;
    const img = usual();
    server.image(img);
    const p = await page("/page.html", insecure);
    const got = await p.run(async (w, big) => {
      const store = await w.open_store(w.base, () => {});
      return [isSecureContext, typeof caches, typeof crypto.subtle, (await store.bytes(big)).length];
    }, blob(img, "usr/big").number);
    assert.deepEqual(got, [false, "undefined", "undefined", 3 << 20]);
    assert.equal((await p.disk()).units, 0);
  },
};
