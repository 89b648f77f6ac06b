/** From opening the page to the prompt on its screen, and what that takes from the network. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { site } from "../../lib/server.mjs";
import { startAlone } from "../lib/alone.mjs";
import { serveStatic } from "../lib/static.mjs";
import { median } from "../lib/table.mjs";

const LOADER = ["/vk/host_web.js", "/vk/host_web_bg.wasm", "/vk/cpu.js", "/vk/disk.js"];

/** In the page, before anything of it: notes when the prompt is in the terminal's buffer. */
function watch() {
  const look = () => {
    const text = globalThis.playground?.text() ?? "";
    if (/[$#%>] ?$/.test(text.trimEnd())) globalThis.promptSeen = performance.now();
    else setTimeout(look, 1);
  };
  look();
}

export async function prompt(ctx) {
  const server = await serveStatic(ctx.isolated);
  const browser = ctx.browser.name === "chromium" ? await startAlone() : ctx.browser;
  const cold = [];
  const warm = [];
  try {
    const rounds = ctx.quick ? 1 : Math.max(ctx.rounds, 5);
    // The browser's own first page is none of ours.
    for (let round = -1; round < rounds; round++) {
      const profile = await browser.profile();
      const first = await visit(profile, server, keptForLater);
      const second = await visit(profile, server);
      await profile.close();
      if (round >= 0 || ctx.quick) (cold.push(first), warm.push(second));
    }
  } finally {
    if (browser !== ctx.browser) await browser.close();
    await server.close();
  }
  add(ctx, "page to prompt, cold", cold, 500);
  add(ctx, "page to prompt, warm", warm, 150);
  bytes(ctx, cold[0]);
}

/** Until the page has kept itself for the next visit: its service worker runs, and what it fetches at rest is there. */
function keptForLater() {
  const late = new Promise((resolve) => setTimeout(resolve, 10_000));
  return Promise.race([navigator.serviceWorker?.ready.then(() => new Promise((resolve) => setTimeout(resolve, 1000))), late]).then(() => undefined);
}

/** What the page before leaves behind, its processes and writes, is none of this visit's. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 600));

async function visit(profile, server, after) {
  await settled();
  const page = await profile.open();
  await settled();
  const init = page.raw.addInitScript?.bind(page.raw) ?? page.raw.evaluateOnNewDocument.bind(page.raw);
  await init(watch);
  server.take();
  const began = performance.now();
  await page.goto(server.url);
  const seen = await page.evaluate(async () => {
    for (let i = 0; globalThis.promptSeen === undefined && i < 3000; i++) await new Promise((r) => setTimeout(r, 10));
    return { at: globalThis.promptSeen, marks: performance.getEntriesByType("mark").map((m) => [m.name, m.startTime]), text: globalThis.playground?.text() };
  });
  if (seen.at === undefined) throw new Error(`no prompt: ${JSON.stringify(seen.text)} ${page.complaints.join(" ")}`);
  const sent = server.take().map((s) => ({ ...s, at: s.at - began, done: s.done - began }));
  const before = sent.filter((s) => s.at <= seen.at);
  if (after) await page.evaluate(after);
  await page.close();
  return { ms: seen.at, marks: seen.marks, sent: before };
}

function add(ctx, name, visits, limit) {
  const values = visits.map((v) => v.ms);
  const typical = visits.toSorted((a, b) => a.ms - b.ms)[visits.length >> 1];
  const parts = typical.sent.map((s) => `${s.path} ${s.at.toFixed(0)}-${s.done?.toFixed(0)} ms ${s.bytes} B`);
  ctx.add({ name, unit: "ms", value: median(values), min: Math.min(...values), max: Math.max(...values), goal: { limit }, parts: [...parts, ...typical.marks.map(([n, t]) => `${n} ${t.toFixed(0)} ms`)] });
}

/** Bodies as they go over the network. */
function bytes(ctx, { sent }) {
  const kb = (of) => of.reduce((sum, s) => sum + s.bytes, 0) / 1000;
  ctx.add({ name: "bytes to prompt", unit: "KB", value: kb(sent), goal: { limit: 900 } });
  // The kernel is a file of its own or a pack.
  const { kernel } = JSON.parse(readFileSync(join(site, "vk/manifest.json"), "utf8"));
  const loader = sent.filter((s) => LOADER.includes(s.path));
  const kernels = sent.filter((s) => s.path === "/vk/kernel.wasm" || s.path === `/vk/${kernel?.file}`);
  ctx.add({ name: "of it kernel and loader", unit: "KB", value: kb([...loader, ...kernels]), goal: { limit: 250 } });
}
