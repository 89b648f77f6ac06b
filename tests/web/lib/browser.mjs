/**
 * Chromium and Firefox behind one small interface: what the tests need and no more.
 *
 *     const browser = await start("firefox");
 *     const page = await browser.open(address, { viewport: { width, height } });
 *     await page.evaluate((a) => a + 1, 41);   await page.type("ls\r");   await page.press("Control+C");
 *     page.complaints                          errors of the page, as texts
 *     await browser.close();
 *
 * Each page has storage of its own unless `browser.profile()` is asked for one to share. Chromium is driven by
 * playwright-core over the DevTools protocol, Firefox by puppeteer-core over WebDriver BiDi; `page.raw` is the
 * library's own page, for what only one of them can do.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

const NAMES = {
  chromium: ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"],
  firefox: ["firefox-esr", "firefox"],
};
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const FIREFOX_PREFERENCES = {
  "app.update.enabled": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "dom.disable_beforeunload": true,
};
export const VIEWPORT = { width: 1024, height: 700 };

/** The program of an engine: `VK_CHROMIUM`, `VK_FIREFOX`, or found in the PATH. */
export function executable(name) {
  const given = process.env[`VK_${name.toUpperCase()}`];
  if (given) return given;
  for (const dir of (process.env.PATH ?? "").split(delimiter)) {
    for (const file of NAMES[name]) {
      try {
        accessSync(join(dir, file), constants.X_OK);
        return join(dir, file);
      } catch {
        // The next place.
      }
    }
  }
  throw new Error(`no ${name} in the PATH; install it (apt-get install ${NAMES[name][0]}) or say where it is in VK_${name.toUpperCase()}`);
}

export async function start(name, options = {}) {
  return name === "firefox" ? startFirefox(options) : startChromium(options);
}

/** A started browser, the same from outside whichever it is. */
function driver(name, browser, profile) {
  return {
    name,
    raw: browser,
    version: () => browser.version(),
    profile,
    async open(address, options) {
      const p = await profile(options);
      const page = await p.open(address);
      page.close = () => p.close();
      return page;
    },
    close: () => browser.close(),
  };
}

/** What a page says: all lines of its console, and what it complains of. */
function listen(page) {
  const complaints = [];
  const lines = [];
  page.on("console", (m) => {
    lines.push(m.text());
    if (m.type() === "error") complaints.push(m.text());
  });
  page.on("pageerror", (e) => complaints.push(String(e)));
  return { complaints, lines };
}

async function startChromium({ args = [] }) {
  const { chromium } = await import("playwright-core");
  const browser = await chromium.launch({ executablePath: executable("chromium"), args: [...CHROMIUM_FLAGS, ...args] });
  async function profile(options = {}) {
    const { viewport = VIEWPORT, permissions, ...rest } = options;
    const context = await browser.newContext({ viewport, permissions, acceptDownloads: true, ...rest });
    return {
      context,
      open: async (address) => {
        const page = await context.newPage();
        const wrapped = chromiumPage(page);
        if (address) await page.goto(address);
        return wrapped;
      },
      close: () => context.close(),
    };
  }
  return driver("chromium", browser, profile);
}

function chromiumPage(page) {
  const { complaints, lines } = listen(page);
  page.on("crash", () => complaints.push("the page crashed"));
  return {
    raw: page,
    complaints,
    lines,
    goto: (address) => page.goto(address),
    reload: () => page.reload(),
    evaluate: (f, arg) => page.evaluate(f, arg),
    type: (text) => page.keyboard.type(text),
    press: (keys) => page.keyboard.press(keys),
    click: (selector) => page.click(selector),
    text: (selector) => page.textContent(selector),
    waitFor: (selector, timeout = 20_000) => page.waitForSelector(selector, { timeout }),
    screenshot: (path) => page.screenshot({ path }),
    resize: (width, height) => page.setViewportSize({ width, height }),
    /** A session of the DevTools protocol. */
    devtools: () => page.context().newCDPSession(page),
    close: () => page.close(),
  };
}

async function startFirefox({ preferences = {} }) {
  const { default: puppeteer } = await import("puppeteer-core");
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: executable("firefox"),
    headless: true,
    defaultViewport: VIEWPORT,
    // A call waits for as long as its test may take.
    protocolTimeout: 0,
    extraPrefsFirefox: { ...FIREFOX_PREFERENCES, ...preferences },
  });
  async function profile({ viewport = VIEWPORT } = {}) {
    const context = await browser.createBrowserContext();
    return {
      context,
      open: async (address) => {
        const page = await context.newPage();
        await page.setViewport(viewport);
        const wrapped = firefoxPage(page);
        if (address) await page.goto(address);
        return wrapped;
      },
      close: () => context.close(),
    };
  }
  return driver("firefox", browser, profile);
}

function firefoxPage(page) {
  const { complaints, lines } = listen(page);
  return {
    raw: page,
    complaints,
    lines,
    goto: (address) => page.goto(address),
    reload: () => page.reload(),
    evaluate: (f, arg) => page.evaluate(f, arg),
    type: async (text) => {
      for (const c of text) await (c === "\r" ? page.keyboard.press("Enter") : page.keyboard.sendCharacter(c));
    },
    press: async (keys) => {
      const parts = keys.split("+");
      const last = parts.pop();
      for (const k of parts) await page.keyboard.down(k);
      await page.keyboard.press(parts.includes("Shift") ? last : last.length === 1 ? last.toLowerCase() : last);
      for (const k of parts.reverse()) await page.keyboard.up(k);
    },
    click: (selector) => page.click(selector),
    text: (selector) => page.$eval(selector, (e) => e.textContent),
    waitFor: (selector, timeout = 20_000) => page.waitForSelector(selector, { timeout, visible: true }),
    screenshot: (path) => page.screenshot({ path }),
    resize: (width, height) => page.setViewport({ width, height }),
    devtools: () => Promise.reject(new Error("Firefox has no DevTools protocol")),
    close: () => page.close(),
  };
}
