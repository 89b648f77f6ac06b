// The built page in a headless Chromium, over the fake machine: `npm run build && npm run test:page`.
// CHROMIUM names the browser; SHOTS a directory for screenshots. None is downloaded.
import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";
import { FAKES, serve } from "../tools/serve.mjs";
import { stamp } from "../tools/stamp.mjs";

const executablePath = process.env.CHROMIUM ?? ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync);
const shots = process.env.SHOTS;
if (shots) mkdirSync(shots, { recursive: true });
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser, server, base;
before(async () => {
  server = await serve({ vk: "fake", base: "/some/project/" });
  base = `http://localhost:${server.address().port}/some/project/`;
  browser = await chromium.launch({ executablePath, args: FLAGS });
});
after(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
});

/** Opens the page in a context of its own; complaints of the browser (the policy's too) fail the test. */
async function visit(t, query = "", options = {}) {
  const { ready = true, ...context } = options;
  const ctx = await browser.newContext({ viewport: { width: 960, height: 600 }, colorScheme: "dark", ...context });
  t.after(() => ctx.close());
  const page = await ctx.newPage();
  page.complaints = [];
  page.on("console", (m) => ["error", "warning"].includes(m.type()) && page.complaints.push(m.text()));
  page.on("pageerror", (e) => page.complaints.push(String(e)));
  t.after(() => assert.deepEqual(page.complaints, []));
  await page.goto(base + query);
  if (ready) await prompt(page);
  return page;
}
/** Empty while the page is on its way to another. */
const rows = (page) => page.evaluate(() => globalThis.playground?.text() ?? "").catch(() => "");
async function until(page, what, f, ms = 20_000) {
  const end = Date.now() + ms;
  for (;;) {
    const v = await f();
    if (v) return v;
    if (Date.now() > end) assert.fail(`waited for: ${what}\n${await rows(page)}`);
    await new Promise((r) => setTimeout(r, 30));
  }
}
const shows = (page, text) => until(page, text, async () => (await rows(page)).includes(text));
const prompt = (page) => shows(page, "user@vk:~$");
async function run(page, line) {
  await page.keyboard.type(line + "\r");
}
const shot = (page, name) => shots && page.screenshot({ path: `${shots}/${name}.png` });
async function accessible(page, name) {
  // Dim text is dim because a program asked for it.
  const found = await page.evaluate(`(() => { ${axe}; return axe.run({ exclude: [".xterm-dim"] }, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }).then((r) => r.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; "))); })()`);
  assert.deepEqual(found, [], name);
}

test("boots to a prompt, in both themes, and remembers the choice", async (t) => {
  const page = await visit(t);
  await run(page, "colours");
  await run(page, "ls");
  await shows(page, "true colour");
  // Inverse text has the colours of all text, the other way round.
  const inverse = () => until(page, "inverse colours", () => page.evaluate(() => {
    const [word] = [...document.querySelectorAll(".xterm-rows span")].filter((s) => s.textContent === "reverse").slice(-1);
    const [inside, around] = [getComputedStyle(word), getComputedStyle(word.closest(".xterm-rows"))];
    const background = getComputedStyle(document.documentElement).getPropertyValue("--bg").trim();
    const hex = (colour) => "#" + colour.match(/\d+/g).slice(0, 3).map((n) => Number(n).toString(16).padStart(2, "0")).join("");
    return inside.backgroundColor === around.color && [background, background.replace(/\w/g, "$&$&")].includes(hex(inside.color));
  }));
  await inverse();
  await shot(page, "dark");
  await accessible(page, "dark");
  await page.click("#theme");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await inverse();
  await page.reload();
  await prompt(page);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "light");
  await run(page, "colours");
  await shows(page, "true colour");
  await shot(page, "light");
  await accessible(page, "light");
  assert.equal(await page.evaluate(() => document.querySelectorAll("style, [onclick]").length), 0);
});

test("tells the program its size, and all its output is acknowledged", async (t) => {
  const page = await visit(t);
  const before = await page.evaluate(() => fakeTasks[0].size.join("x"));
  await page.setViewportSize({ width: 500, height: 400 });
  await until(page, "a resize", async () => (await page.evaluate(() => fakeTasks[0].size.join("x"))) !== before);
  await run(page, "seq 20000");
  const acks = () => page.evaluate(() => fakeAcks);
  await until(page, "all of it", async () => (await acks()) > 20000 * 6);
  await shows(page, "\n20000");
});

test("copies, pastes without control characters, and interrupts", async (t) => {
  const page = await visit(t, "", { permissions: ["clipboard-read", "clipboard-write"] });
  await page.evaluate(() => navigator.clipboard.writeText("echo one\x1b[201~\x03 two"));
  await page.keyboard.press("Control+Shift+V");
  await shows(page, "$ echo one[201~ two");
  await page.keyboard.press("Control+C");
  await shows(page, "^C");
  await run(page, "echo marvellous");
  await shows(page, "\nmarvellous");
  const box = await page.locator(".panel:not([hidden]) .xterm-rows > div", { hasText: /^marvellous/ }).boundingBox();
  await page.mouse.dblclick(box.x + 20, box.y + box.height / 2);
  await page.keyboard.press("Control+Shift+C");
  await until(page, "a copy", async () => (await page.evaluate(() => navigator.clipboard.readText())) === "marvellous");
});

test("searches the scrollback", async (t) => {
  const page = await visit(t);
  await run(page, "seq 300");
  await shows(page, "\n300");
  await page.keyboard.press("Control+Shift+F");
  await page.keyboard.type("17");
  await until(page, "a count", async () => /^\d+ of 13$/.test(await page.textContent("#search-count")));
  await shot(page, "search");
  await accessible(page, "search");
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.classList.contains("xterm-helper-textarea")), true);
});

test("has several terminals, by pointer and by keys", async (t) => {
  const page = await visit(t);
  await page.keyboard.press("Control+Shift+Enter");
  await prompt(page);
  await run(page, "title <img src=x onerror=alert(1)> vi notes.txt");
  const names = () => page.$$eval("[role=tab] .label", (l) => l.map((x) => x.textContent));
  await page.keyboard.press("Control+Shift+Enter");
  await until(page, "three tabs", async () => (await names()).length === 3);
  await prompt(page);
  await shot(page, "tabs");
  await accessible(page, "tabs");
  assert.deepEqual(await names(), ["sh: ~", "<img src=x onerror=alert(1)> vi notes.txt", "sh: ~"]);
  assert.equal(await page.$("header img"), null);
  // Out of the terminal, along the tabs, and in again.
  await page.keyboard.press("Shift+F6");
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("role")), "tab");
  await page.keyboard.press("ArrowLeft");
  assert.equal(await page.evaluate(() => document.activeElement.id), "tab-2");
  await page.keyboard.press("Delete");
  await page.waitForSelector("dialog[open]");
  await shot(page, "confirm");
  await accessible(page, "confirm");
  await page.keyboard.press("Escape");
  assert.equal((await names()).length, 3);
  await page.keyboard.press("Delete");
  await page.click("dialog[open] .primary");
  await until(page, "two tabs", async () => (await names()).length === 2);
  assert.equal(await page.evaluate(() => fakeTasks[1].closed), true);
  await page.keyboard.press("Control+Shift+ArrowLeft");
  await run(page, "exit 3");
  await shows(page, "[ended with status 3]");
});

test("takes dropped and picked files, in order, with errors", async (t) => {
  const page = await visit(t);
  const chooser = page.waitForEvent("filechooser");
  await page.click("#add");
  await shot(page, "add");
  await page.click("#pick-files");
  await (await chooser).setFiles([
    { name: "a.txt", mimeType: "text/plain", buffer: Buffer.from("alpha") },
    { name: "big.bin", mimeType: "", buffer: Buffer.alloc(3_000_000, 7) },
    { name: "full", mimeType: "", buffer: Buffer.from("x") },
  ]);
  await until(page, "an error", async () => (await page.textContent("#notices")).includes("No space left on device"));
  await shot(page, "upload");
  assert.deepEqual(await page.evaluate(() => [...fakeHome].map(([n, b]) => [n, b.length])), [["a.txt", 5], ["big.bin", 3_000_000]]);
  await page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File(["dropped"], "d.txt"));
    dispatchEvent(new DragEvent("dragenter", { dataTransfer: data }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await until(page, "the drop", () => page.evaluate(() => fakeHome.has("d.txt")));
});

test("hands files out, and asks when nobody wanted one", async (t) => {
  const page = await visit(t);
  for (const how of ["", " parts"]) {
    const got = page.waitForEvent("download");
    await run(page, "download ../../.x<y>.txt" + how);
    const d = await got;
    assert.equal(d.suggestedFilename(), "x_y_.txt");
    const text = readFileSync(await d.path(), "utf8");
    assert.equal(text.length, how ? 23_000 : 23);
  }
  await page.evaluate(() => setTimeout(() => { performance.now = ((f) => () => f() + 100_000)(performance.now.bind(performance)); fakeTasks[0].download("unasked", false); }));
  await until(page, "a question", async () => (await page.textContent("#notices")).includes("offers the file unasked"));
});

test("asks before links, the clipboard, and a command of a link", async (t) => {
  const page = await visit(t, "?run=" + encodeURIComponent("echo <b>gotcha</b>"), { permissions: ["clipboard-read", "clipboard-write"] });
  await page.waitForSelector('[data-key="run"]');
  assert.equal(await page.$("#notices b"), null);
  assert.ok(!(await rows(page)).includes("gotcha"));
  await shot(page, "run");
  await accessible(page, "run");
  await page.click('[data-key="run"] button:not(.icon)');
  await shows(page, "\n<b>gotcha</b>");
  await run(page, "osc52 stolen");
  await page.waitForSelector('[data-key="osc52"]');
  assert.notEqual(await page.evaluate(() => navigator.clipboard.readText()), "stolen");
  await page.click('[data-key="osc52"] button:not(.icon)');
  await until(page, "a write", async () => (await page.evaluate(() => navigator.clipboard.readText())) === "stolen");
  await run(page, "link https://example.org/x label");
  await shows(page, "\nlabel");
  const box = await page.locator(".xterm-rows > div", { hasText: /^label/ }).boundingBox();
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.click(box.x + 15, box.y + box.height / 2);
  await page.waitForSelector("dialog[open]");
  assert.match(await page.textContent("dialog pre"), /^https:\/\/example\.org\/x$/);
});

test("shows progress, notices and the end", async (t) => {
  const page = await visit(t, "?fake=notice");
  assert.match(await page.textContent("#notices"), /read-only/);
  await run(page, "python3");
  await until(page, "progress", async () => /Fetching Python 3.11, .* of 8.0 MB/.test(await page.textContent("#status")));
  await shot(page, "progress");
  await shows(page, "Python 3.11 (fake)");
  await run(page, "panic");
  await page.waitForSelector("#ended");
  await shot(page, "panic");
  await accessible(page, "panic");
});

test("waits for a lost network, tells what cannot be helped", async (t) => {
  const page = await visit(t, "?fake=offline", { ready: false });
  await until(page, "a message", async () => /Trying again in/.test(await page.textContent("#boot-text")));
  await shot(page, "offline");
  await accessible(page, "offline");
  await page.click("#boot-retry");
  await until(page, "a second", async () => /Trying again in/.test(await page.textContent("#boot-text")));
  await prompt(page); // by itself
  assert.ok(page.complaints.length > 0);
  page.complaints.length = 0;
  await page.goto(base + "?fake=refused");
  await until(page, "an error", async () => /do not match the hash/.test(await page.textContent("#boot-error")));
  assert.doesNotMatch(await page.textContent("#boot-text"), /Trying/);
  page.complaints.length = 0;
});

test("shows a slow boot", async (t) => {
  const page = await visit(t, "?fake=hang", { ready: false });
  await until(page, "progress", async () => /421 kB of 842 kB/.test(await page.textContent("#boot-text")));
  await shot(page, "boot");
  await accessible(page, "boot");
});

test("works on a phone", async (t) => {
  const page = await visit(t, "", { viewport: { width: 390, height: 700 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme: "light" });
  assert.equal(await page.isVisible("#keys"), true);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
  await page.tap("#keys button:has-text('Ctrl')");
  await page.keyboard.type("c");
  await shows(page, "^C");
  await run(page, "ls");
  await shot(page, "phone");
  await accessible(page, "phone");
  await page.tap("#more");
  await shot(page, "phone-menu");
  await accessible(page, "phone-menu");
  await page.keyboard.press("Escape");
  await page.tap(".panel");
  // A finger scrolls.
  await run(page, "seq 200");
  await shows(page, "\n200");
  const cdp = await page.context().newCDPSession(page);
  const touch = (type, y) => cdp.send("Input.dispatchTouchEvent", { type, touchPoints: type === "touchEnd" ? [] : [{ x: 150, y }] });
  await touch("touchStart", 200);
  for (let y = 200; y <= 480; y += 20) await touch("touchMove", y);
  await touch("touchEnd");
  await until(page, "a scroll", async () => !(await page.textContent(".xterm-rows")).includes("200user"));
  // A long press selects and offers.
  await touch("touchStart", 300);
  await new Promise((r) => setTimeout(r, 600));
  await touch("touchEnd");
  await page.waitForSelector(".menu.touch:popover-open");
  await shot(page, "phone-press");
});

test("lets a screen reader read", async (t) => {
  const page = await visit(t, "?sr=1");
  await run(page, "echo spoken");
  await until(page, "the tree", async () => (await page.textContent(".xterm-accessibility-tree")).includes("spoken"));
  await accessible(page, "screen reader");
  await page.click("#more");
  await page.click("#sr");
  assert.equal(await page.$(".xterm-accessibility-tree"), null);
});

test("lives in a frame of another site, small, without taking the focus", async (t) => {
  const page = await visit(t, "", { ready: false });
  const outer = await serve({ dir: new URL(".", import.meta.url).pathname });
  t.after(() => outer.close());
  await page.goto(`http://127.0.0.1:${outer.address().port}/frame.html?${encodeURIComponent(base)}`);
  const frame = page.frameLocator("iframe");
  await frame.locator(".xterm-rows", { hasText: "user@vk" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "INPUT");
  await shot(page, "frame");
});

test("says what an engine lacks", async (t) => {
  const page = await visit(t, "", { ready: false });
  await page.addInitScript(() => delete WebAssembly.Suspending);
  await page.goto(base);
  await page.waitForSelector("#missing");
  assert.equal(await page.getAttribute("#missing", "data-missing"), "jspi");
  await shot(page, "unsupported");
  await accessible(page, "unsupported");
});

test("comes back without a network, and offers new versions", async (t) => {
  // A site as it is deployed: the page and vk/ in one directory, stamped.
  const dir = mkdtempSync(join(tmpdir(), "site-"));
  t.after(() => rmSync(dir, { recursive: true }));
  cpSync(new URL("../dist", import.meta.url).pathname, dir, { recursive: true });
  mkdirSync(join(dir, "vk"));
  const host = readFileSync(new URL("fake-host.js", import.meta.url), "utf8");
  writeFileSync(join(dir, "vk/host_web.js"), host);
  for (const worker of ["cpu.js", "disk.js"]) cpSync(new URL("fake-cpu.js", import.meta.url).pathname, join(dir, "vk", worker));
  for (const [path, contents] of Object.entries(FAKES)) writeFileSync(join(dir, path), contents);
  stamp(dir);
  let site = await serve({ dir, base: "/p/" });
  const { port } = site.address();
  t.after(() => site.close());
  const page = await visit(t, "", { ready: false });
  await page.goto(`http://localhost:${port}/p/`);
  await prompt(page);
  await until(page, "the worker", () => page.evaluate(() => Boolean(navigator.serviceWorker.controller)));

  site.closeAllConnections();
  await new Promise((r) => site.close(r));
  await page.goto(`http://localhost:${port}/p/?theme=light`);
  await prompt(page);
  await page.waitForTimeout(300);
  page.complaints.length = 0; // it looked for a new version

  // The server is back with another one. The page goes on with its own until it is told.
  writeFileSync(join(dir, "vk/host_web.js"), host.replace("vkernel 0.1", "vkernel 0.2"));
  stamp(dir);
  site = await serve({ dir, base: "/p/", port });
  await page.reload();
  await shows(page, "vkernel 0.1");
  await page.waitForSelector('[data-key="update"]');
  await shot(page, "update");
  await page.click('[data-key="update"] button:not(.icon)');
  await shows(page, "vkernel 0.2");

  // One file of a version is not what the version says: it is not taken.
  writeFileSync(join(dir, "vk/host_web.js"), host.replace("vkernel 0.1", "vkernel 0.3"));
  stamp(dir);
  writeFileSync(join(dir, "vk/host_web.js"), host.replace("vkernel 0.1", "vkernel 0.4"));
  await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).update().catch(() => {}));
  await page.waitForTimeout(500);
  assert.equal(await page.$('[data-key="update"]'), null);
  page.complaints.length = 0;
});
