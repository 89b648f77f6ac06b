/*
 * The page without a network. Classic script, no dependencies, served as it is.
 *
 * `release.js` (written by tools/stamp.mjs after the site is put together, or by whoever puts it
 * together) names every file of this version with the SHA-256 of its contents. A version is taken
 * whole or not at all: it is complete in the cache before it is used, so the page, the host and the
 * kernel always fit each other. Browsers compare release.js too when they look for a new version.
 *
 * Files are kept by their hash, so a new version fetches only what changed. Packs (vk/packs/) are
 * none of our business: the machine keeps those it used in a cache of its own.
 */
"use strict";
importScripts("./release.js"); // sets self.RELEASE = { version, files: { path: sha256 } }

const FILES = "vkernel-files-1";
const scope = new URL("./", self.location).href;
const release = self.RELEASE;

const key = (hash) => new Request(`${scope}.content/${hash}`);

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

async function fetchFile(cache, path, hash) {
  if (await cache.match(key(hash))) return;
  const response = await fetch(scope + path, { cache: "no-cache" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  const bytes = await response.arrayBuffer();
  // A server in the middle of being updated hands out a mixture; then this version is not taken.
  if ((await sha256(bytes)) !== hash) throw new Error(`${path}: not of version ${release.version}`);
  // Made anew: a redirected response may not answer a navigation. The headers stay, those of isolation among them.
  const headers = new Headers(response.headers);
  headers.delete("content-encoding");
  headers.delete("content-length");
  await cache.put(key(hash), new Response(bytes, { headers }));
}

async function install() {
  const cache = await caches.open(FILES);
  const files = Object.entries(release.files);
  // A few at a time: the terminal may be fetching packs meanwhile.
  const worker = async () => {
    for (let f = files.shift(); f; f = files.shift()) await fetchFile(cache, ...f);
  };
  await Promise.all([worker(), worker(), worker()]);
}

/** Lets go of what no page of this version asks for. */
async function tidy() {
  const cache = await caches.open(FILES);
  const wanted = new Set(Object.values(release.files).map((h) => key(h).url));
  for (const r of await cache.keys()) if (!wanted.has(r.url)) await cache.delete(r);
}

async function file(request, hash) {
  const cache = await caches.open(FILES);
  return (await cache.match(key(hash))) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(tidy().catch(() => {}).then(() => self.clients.claim())));
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !(url.origin + url.pathname).startsWith(scope) || request.headers.has("range")) return;
  const path = (url.origin + url.pathname).slice(scope.length) || "index.html";
  const hash = Object.hasOwn(release.files, path) ? release.files[path] : undefined;
  if (hash) event.respondWith(file(request, hash));
});
