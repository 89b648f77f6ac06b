/**
 * The page as a user meets it, over the machine itself.
 *
 *     node --test-reporter=spec ui.mjs [chromium|firefox] [isolated|plain]
 *
 * Leaves pictures in `target/screenshots`. What needs a picker, the clipboard or a phone is looked at in Chromium only.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { serve, target } from "./lib/server.mjs";
import { spin } from "./lib/modules.mjs";
import { playground } from "./lib/playground.mjs";
import { browser, engine, isolated, server, suite, until } from "./lib/suite.mjs";

suite();
const limit = { timeout: 60_000 };
const inChromium = engine === "chromium" ? test : () => {};
const mode = `${engine}-${isolated ? "isolated" : "plain"}`;

test("boots, runs what is typed, in colours, in both themes", limit, async (t) => {
  const p = await playground(t, { query: "?persist=0&theme=dark" });
  assert.equal(await p.output("echo $((6 * 7))"), "42\n");
  await p.run("clear; printf '\\033[31mred\\033[0m \\033[1;44mbold\\033[0m \\033[38;2;9;200;90mtrue\\033[0m\\n'; ls -l --color /");
  await p.shows("usr");
  const colours = () => p.page.evaluate(() => [...document.querySelectorAll(".xterm-rows span")].filter((s) => /^(red|bold|true)$/.test(s.textContent)).map((s) => `${s.textContent}: ${getComputedStyle(s).color}`));
  await until(async () => `three colours, not ${await colours()}`, async () => new Set((await colours()).map((c) => c.split(": ")[1])).size === 3);
  // Reversed text is the one default on the other.
  await p.run("printf '\\033[7mreversed\\033[0m\\n'");
  const ink = () => p.page.evaluate(() => { const s = [...document.querySelectorAll(".xterm-rows span")].find((s) => s.textContent === "reversed"); return s && [getComputedStyle(s).color, getComputedStyle(document.body).backgroundColor]; });
  await until(async () => `reversed text, not ${await ink()}`, async () => { const c = await ink(); return c && c[0] === c[1]; });
  await p.screenshot(`${mode}-dark`);
  await p.accessible();
  await p.page.click("#theme");
  assert.equal(await p.page.evaluate(() => document.documentElement.dataset.theme), "light");
  await p.screenshot(`${mode}-light`);
  await p.accessible();
});

test("tells programs the size of the terminal", limit, async (t) => {
  const p = await playground(t);
  const size = async () => (await p.output("stty size")).trim();
  const before = await size();
  assert.match(before, /^\d+ \d+$/);
  await p.page.resize(700, 400);
  await until("another size", async () => (await size()) !== before);
  const [rows, cols] = (await size()).split(" ").map(Number);
  const [rowsBefore, colsBefore] = before.split(" ").map(Number);
  assert.ok(rows < rowsBefore && cols < colsBefore, `${before} became ${rows} ${cols}`);
  // A full line of the terminal's width, and not one more.
  await p.run(`clear; printf '%${cols}s' x; stty size`);
  await p.shows(new RegExp(`^ {${cols - 1}}x`, "m"));
});

test("Ctrl-C ends what spins, in the shell and in a program", limit, async (t) => {
  const p = await playground(t);
  // Keys that come before are the line editor's.
  await p.run("echo loops; while :; do :; done");
  await p.shows(/^loops$/m);
  await p.page.press("Control+C");
  await p.shows(/\^C\s+\S* ?# ?$/, 5000);
  assert.equal(await p.output("echo $?"), "130\n");
  const bytes = [...spin].map((b) => `\\${b.toString(8).padStart(3, "0")}`).join("");
  await p.output(`printf '${bytes}' >/tmp/spin; chmod +x /tmp/spin`);
  await p.run("echo spins; /tmp/spin");
  await p.shows(/^spins$/m);
  await new Promise((resolve) => setTimeout(resolve, 500));
  await p.page.press("Control+C");
  assert.equal(await p.output("echo $?", 5000), "130\n");
  // Stopped and continued, and killed from the side.
  await p.run("/tmp/spin");
  // While the program is on its way the shell has the terminal, and that is not stopped.
  await until("it is stopped", async () => {
    await p.page.press("Control+Z");
    await new Promise((resolve) => setTimeout(resolve, 300));
    return /Stopped|\[1\]/.test(await p.text());
  });
  assert.match(await p.output("kill -9 %1; wait %1; echo $?", 5000), /137/);
});

// It takes effect when the fetch is over: the wait for a file is not interrupted.
test("Ctrl-C ends a program that is being fetched", limit, async (t) => {
  const p = await playground(t);
  server.fault(/\/packs\//, { wait: 4000 });
  t.after(() => server.noFaults());
  await p.run("sqlite3 -version");
  await new Promise((resolve) => setTimeout(resolve, 1000));
  await p.page.press("Control+C");
  // Typed ahead, so a prompt may stand before it.
  assert.match(await p.output("echo $?", 20000), /130\n$/);
});

test("terminals are sessions of their own", limit, async (t) => {
  const p = await playground(t);
  const first = (await p.output("tty; echo $$")).trim().split("\n");
  await p.page.click("#new");
  await p.prompt();
  await until("a prompt of its own", async () => !(await p.text()).includes("echo $$"));
  const second = (await p.output("tty; echo $$")).trim().split("\n");
  assert.notEqual(first[0], second[0]);
  assert.notEqual(first[1], second[1]);
  const shells = await p.output("ps");
  assert.equal(shells.split("\n").filter((l) => /-sh$/.test(l)).length, 2, shells);
  // Each has a memory, whichever CPU it is on.
  const sizes = shells.trim().split("\n").slice(1).map((l) => l.trim().split(/\s+/)[5]);
  assert.ok(sizes.length >= 4 && sizes.every((mem) => parseInt(mem, 10) > 0), shells);
  // An interrupt in one is none in the other.
  await p.output("sleep 0");
  await p.run("sleep 3; echo slept $?");
  await p.page.press("Control+Shift+ArrowLeft");
  await p.run("echo sleeps; sleep 60");
  await p.shows(/^sleeps$/m);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await p.page.press("Control+C");
  assert.equal(await p.output("echo $?"), "130\n");
  await p.page.press("Control+Shift+ArrowRight");
  await p.shows("slept 0");
  // Closing the terminal ends what is in it.
  await p.run("sleep 61");
  await p.page.click("#more");
  await p.page.click("#close-tab");
  await p.page.waitFor("dialog[open]");
  await p.page.click("dialog[open] .primary");
  await until("the program is gone", async () => !(await p.output("ps")).includes("sleep 61"));
});

test("the home directory is there after a reload", limit, async (t) => {
  const p = await playground(t, { query: "" });
  await p.output("cd; mkdir -p a/b; echo kept >a/b/c; chmod 640 a/b/c; ln -s b/c a/l; touch -d 2001-02-03 a/b/c; sync");
  const before = await p.output("cat a/l; ls -l a/b");
  assert.match(before, /^kept/);
  await p.page.reload();
  await p.prompt();
  assert.equal(await p.output("cd; cat a/l; ls -l a/b"), before);
});

test("a second tab reads what the first one writes, and says that it can't write", limit, async (t) => {
  const profile = await browser.profile();
  t.after(() => profile.close());
  const one = await playground(t, { query: "", profile });
  await one.output("echo first >~/f; sync");
  const two = await playground(t, { query: "", profile });
  await until(async () => `a notice: ${await two.page.text("#notices")}`, async () => /read-only|another tab/i.test(await two.page.text("#notices")));
  assert.match(await two.output("echo second >~/f"), /Read-only file system/);
  assert.equal(await one.output("cat ~/f"), "first\n");
});

inChromium("a dropped file is in the home directory, and comes back with download", limit, async (t) => {
  const p = await playground(t);
  await p.page.evaluate(() => {
    const data = new DataTransfer();
    data.items.add(new File([new Uint8Array(300_000).map((_, i) => i * 7)], "dropped file.bin"));
    dispatchEvent(new DragEvent("dragenter", { dataTransfer: data }));
    document.body.dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
  });
  await until("the file", async () => /300000/.test(await p.output("wc -c <~/'dropped file.bin'")));
  const download = p.page.raw.waitForEvent("download");
  await p.run("download ~/'dropped file.bin'");
  const file = await download;
  assert.equal(file.suggestedFilename(), "dropped file.bin");
  assert.deepEqual(readFileSync(await file.path()), Buffer.from(new Uint8Array(300_000).map((_, i) => i * 7)));
});

inChromium("copies and pastes", limit, async (t) => {
  const p = await playground(t, { permissions: ["clipboard-read", "clipboard-write"] });
  await p.page.evaluate(() => navigator.clipboard.writeText("echo pas\x1b[201~\x03ted"));
  await p.page.press("Control+Shift+V");
  await p.shows("# echo pas[201~ted");
  await p.page.press("Control+U");
  await p.run("clear; echo; echo marvellous");
  await p.shows(/^marvellous/m);
  const box = await p.page.raw.locator(".panel:not([hidden]) .xterm-rows > div", { hasText: /^marvellous/ }).boundingBox();
  await p.page.raw.mouse.dblclick(box.x + 20, box.y + box.height / 2);
  await p.page.press("Control+Shift+C");
  await until("the copy", async () => (await p.page.evaluate(() => navigator.clipboard.readText())) === "marvellous");
});

test("shows a page of the manual, in bold, and leaves it", limit, async (t) => {
  const p = await playground(t);
  await p.run("man 2 timer_create");
  await p.shows(/^NAME\n +timer_create,/m);
  assert.doesNotMatch(await p.text(), /\^\[/);
  await until("bold", () => p.page.evaluate(() => [...document.querySelectorAll(".panel:not([hidden]) .xterm-bold")].some((s) => s.textContent === "NAME")));
  await p.page.type("q");
  await p.prompt();
  assert.equal(await p.output("echo $?"), "0\n");
});

test("what programs write stays text", limit, async (t) => {
  const p = await playground(t);
  await p.page.evaluate(() => (globalThis.injected = 0));
  const html = "<img src=x onerror=injected=1><script>injected=1</script>";
  await p.output(`cd /tmp; touch '${html.replaceAll("/", "")}'; ls; echo '${html}'`);
  // The title, a notification, a link, files whose names and sizes make no sense, and what is unknown.
  for (const osc of [`0;${html}`, `2;${html}`, `9;${html}`, `777;notify;${html};${html}`, `8;;javascript:injected=1`, `8;;data:text/html,${html}`]) {
    await p.output(`printf '\\033]${osc}\\007'`);
  }
  for (const osc of ["File=", "File=name=!!!;size=-1:%%%", "File=size=99999999999999999999;inline=0:AAAA", "MultipartFile=name=Li4vLi4vZXRj;size=3", "FilePart=????", "FileEnd", "File=name=PGltZyBzcmM9eCBvbmVycm9yPWluamVjdGVkPTE+;size=3:YWJj", "SetBadgeFormat=x", "CurrentDir=/x", "="]) {
    await p.output(`printf '\\033]1337;${osc}\\007'`);
  }
  await p.output("printf '\\033[999999999C\\033[-1A\\033[?1049h\\033[?1049l\\033P+q\\033\\\\\\033_x\\033\\\\'");
  // Bytes of every kind, the same each time.
  await p.output("for i in $(seq 50); do echo $i | sha512sum | cut -c1-128 | base64 -d; done; reset; printf '\\033[!p\\033c\\n'");
  // What the terminal answers is typed, and is neither run nor left in the line. While a command runs it is echoed.
  await p.run("printf '\\033[6n\\033[c\\033]10;?\\007\\033P$qm\\033\\\\'");
  await until("nothing but what was typed", async () => (await p.output("echo alive")) === "alive\n");
  assert.doesNotMatch(await p.text(), /not found/);
  const state = await p.page.evaluate(() => ({ injected: globalThis.injected, images: document.querySelectorAll("img, script:not([src])").length, tab: document.querySelector("[role=tab] .label")?.textContent }));
  assert.deepEqual([state.injected, state.images], [0, 0]);
  // The terminal's library tells developers of sequences that it doesn't know.
  p.page.complaints = p.page.complaints.filter((c) => !c.startsWith("xterm.js: Parsing error"));
});

test("lives in a frame of another site that sends no headers", limit, async (t) => {
  const plain = await serve({ isolated: false });
  t.after(() => plain.close());
  plain.mountText("/outer.html", `<!doctype html><html lang=en><title>outer</title><h1>outer</h1><iframe src="${plain.url("/", "localhost")}" width=700 height=400></iframe>`);
  const page = await browser.open(plain.url("/outer.html"));
  t.after(() => page.close());
  const frame = await until("the frame", () => page.raw.frames().find((f) => f.url().startsWith(plain.url("/", "localhost"))));
  const text = () => frame.evaluate(() => globalThis.playground?.text() ?? "").catch(() => "");
  await until(async () => `a prompt in ${await text()}`, async () => /# ?$/.test(await text()));
  await frame.evaluate(() => playground.send("echo $((40 + 2)) in a frame\r"));
  await until(async () => `an answer in ${await text()}`, async () => (await text()).includes("42 in a frame"));
  await page.screenshot(join(target, "screenshots", `${mode}-frame.png`));
});

inChromium("fits a phone", limit, async (t) => {
  for (const colorScheme of ["dark", "light"]) {
    const p = await playground(t, { viewport: { width: 390, height: 740 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2, colorScheme });
    assert.equal(await p.page.raw.isVisible("#keys"), true);
    assert.equal(await p.page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), true);
    await p.run("ls --color /");
    await p.shows("usr");
    await p.screenshot(`${mode}-phone-${colorScheme}`);
    await p.accessible();
  }
});
