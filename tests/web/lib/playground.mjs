/**
 * The real page, driven as a user would: keys, pointer, and what the terminal shows.
 *
 *     const p = await playground(t);                   booted, at a prompt
 *     await p.run("echo hello");  await p.shows("hello");
 *
 * What the page's console complains of fails the test `t`, unless the test takes it out of `p.page.complaints`.
 */
import assert from "node:assert/strict";
import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { target } from "./server.mjs";
import { browser, server, until } from "./suite.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const shots = join(target, "screenshots");
mkdirSync(shots, { recursive: true });

/** A prompt at the end of what is shown. */
const PROMPT = /[#$] ?$/;

/**
 * Opens the page. `query`: of its address; `profile`: storage to share with others; `ready: false`: don't wait for a
 * prompt; `address`: another than the site's. The rest goes to the browser.
 */
export async function playground(t, { query = "?persist=0", profile, ready = true, address, ...options } = {}) {
  const own = profile ?? (await browser.profile(options));
  const page = await own.open();
  const p = new Playground(page);
  t.after(async () => {
    await (profile ? page.close() : own.close());
    assert.deepEqual(page.complaints, [], "the page complained");
  });
  await page.goto(address ?? server.url(`/${query}`));
  if (ready) await p.prompt();
  return p;
}

class Playground {
  constructor(page) {
    this.page = page;
  }

  /** What the terminal in front shows, scrollback and all. Empty while the page is on its way. */
  text() {
    return this.page.evaluate(() => globalThis.playground?.text() ?? "").catch(() => "");
  }

  async shows(what, ms = 20_000) {
    const matches = (text) => (what instanceof RegExp ? what.test(text) : text.includes(what));
    await until(async () => `${what} in:\n${await this.text()}\n${await this.trouble()}`, async () => matches(await this.text()), ms);
  }

  prompt(ms) {
    return this.shows(PROMPT, ms);
  }

  /** Types a line. */
  run(line) {
    return this.page.type(`${line}\r`);
  }

  /** Puts a line in at once, and answers what it wrote when it is done. */
  async output(line, ms) {
    const mark = Math.random().toString(36).slice(2, 10);
    // The line as it is typed doesn't hold the mark.
    await this.page.evaluate((l) => playground.send(l), `${line}; echo "="'${mark}'\r`);
    await this.shows(`=${mark}`, ms);
    const text = await this.text();
    const typed = text.lastIndexOf(`'${mark}'`);
    return text.slice(text.indexOf("\n", typed) + 1, text.lastIndexOf(`=${mark}`));
  }

  /** What the page says is wrong. */
  trouble() {
    return this.page.evaluate(() => ["#ended", "#boot-error", "#notices", "#missing"].map((s) => document.querySelector(s)?.textContent).filter(Boolean).join("\n")).catch(() => "");
  }

  async screenshot(name) {
    await this.page.screenshot(join(shots, `${name}.png`));
  }

  /** No rule of WCAG 2 A and AA is broken seriously. */
  async accessible() {
    // The page's policy forbids eval and inline scripts; the debugger's evaluation is neither.
    const found = await this.page.evaluate(
      new Function(`${axe}; return axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }).then((r) => r.violations.filter((v) => ["serious", "critical"].includes(v.impact)).map((v) => v.id + ": " + v.nodes.map((n) => n.target + " " + n.failureSummary).join("; ")));`),
    );
    assert.deepEqual(found, []);
  }
}
