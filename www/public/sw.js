/*
 * The page without a network. Classic script, no dependencies, served as it is.
 *
 * `release.js` (written by tools/stamp.mjs after the site is put together, or by whoever puts it
 * together) names every file of this version with the SHA-256 of its contents. A version is taken
 * whole or not at all: it is complete in the cache before it is used, so the page, the host and the
 * kernel always fit each other. Browsers compare release.js too when they look for a new version.
 *
 * Each version has a cache of its own, with the files under their own addresses: a browser that has static routing
 * answers from it by itself, and a visit does not wait for this worker to start. A file that an older version has, too,
 * is taken from there, so a new version fetches only what changed. Packs (vk/packs/) are none of our business: the
 * machine keeps those it used in a cache of its own.
 */
"use strict";
importScripts("./release.js"); // sets self.RELEASE = { version, files: { path: sha256 } }

const scope = new URL("./", self.location).href;
const release = self.RELEASE;
// The origin's caches are shared with what else it serves. The 2: files' addresses are the keys since.
const PREFIX = `vkernel-files-2 ${scope} `;
const CACHE = PREFIX + release.version;
const BEFORE = "vkernel-files-1";
// Opened once: every fetch would wait for it.
let opened;
const ours = () => (opened ??= caches.open(CACHE).catch((e) => ((opened = undefined), Promise.reject(e))));

async function sha256(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}

/** The caches of this scope's other versions. */
const older = async () => (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== CACHE);

/** A response and its bytes, if they are this file's. */
async function checked(response, hash) {
  const bytes = await response?.arrayBuffer();
  return bytes && (await sha256(bytes)) === hash ? { response, bytes } : undefined;
}

async function fetchFile(cache, others, path, hash) {
  const url = scope + path;
  if (await cache.match(url)) return;
  let found;
  for (const other of others) found ??= await checked(await other.match(url), hash);
  if (!found) {
    const response = await fetch(url, { cache: "no-cache" });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    // A server in the middle of being updated hands out a mixture; then this version is not taken.
    found = await checked(response, hash);
    if (!found) throw new Error(`${path}: not of version ${release.version}`);
  }
  // Made anew: a redirected response may not answer a navigation. The headers stay, those of isolation among them.
  const headers = new Headers(found.response.headers);
  for (const name of ["content-encoding", "content-length", "vary"]) headers.delete(name);
  const keep = () => new Response(found.bytes, { headers });
  if (path === "index.html") await cache.put(scope, keep());
  await cache.put(url, keep());
}

/**
 * What is asked for by exactly the address of a file does without us, where the browser has static routing; the rest
 * comes to `fetch` below. Holds for this version alone, once it is the one in use.
 */
function route(event) {
  const escaped = (text) => text.replace(/[{}()*+?:\\]/g, "\\$&");
  const { pathname } = new URL(scope);
  const paths = ["", ...Object.keys(release.files)];
  const of = (path) => ({ urlPattern: { pathname: escaped(pathname + path), search: "" }, requestMethod: "GET" });
  return event.addRoutes?.({ condition: { or: paths.map(of) }, source: { cacheName: CACHE } }).catch(() => {});
}

async function install() {
  const cache = await ours();
  const others = await Promise.all((await older()).map((name) => caches.open(name)));
  const files = Object.entries(release.files);
  // A few at a time: the terminal may be fetching packs meanwhile.
  const worker = async () => {
    for (let f = files.shift(); f; f = files.shift()) await fetchFile(cache, others, ...f);
  };
  await Promise.all([worker(), worker(), worker()]);
}

/** Lets go of what no page of this version asks for. */
async function tidy() {
  // What a still newer version is being put into stays: it tidies up in its turn.
  if (self.registration.installing || self.registration.waiting) return;
  for (const name of await older()) await caches.delete(name);
  // Files were kept there before, with those of other scopes.
  if (!(await caches.has(BEFORE))) return;
  const before = await caches.open(BEFORE);
  for (const key of await before.keys()) if (key.url.startsWith(scope)) await before.delete(key);
}

async function file(request, path) {
  const kept = await ours()
    .then((cache) => cache.match(scope + path))
    .catch(() => undefined);
  return kept ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(Promise.all([route(event), install()])));
self.addEventListener("activate", (event) => event.waitUntil(tidy().catch(() => {}).then(() => self.clients.claim())));
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || !(url.origin + url.pathname).startsWith(scope) || request.headers.has("range")) return;
  const path = (url.origin + url.pathname).slice(scope.length) || "index.html";
  if (Object.hasOwn(release.files, path)) event.respondWith(file(request, path));
});
