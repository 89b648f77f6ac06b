// The two browsers behind one small interface. Each test has an origin of its own, so that one profile does for all.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const browsers = {
  async chromium() {
    const { chromium } = await import("playwright-core");
    // A profile on disk: quotas and files are simulated in private windows.
    const profile = await mkdtemp(join(tmpdir(), "webio-"));
    const context = await chromium.launchPersistentContext(profile, {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: CHROMIUM_FLAGS,
    });
    return {
      name: "chromium",
      page: () => context.newPage(),
      close: async () => {
        await context.close();
        await rm(profile, { recursive: true, force: true });
      },
    };
  },
  async firefox() {
    const puppeteer = await import("puppeteer-core");
    const browser = await puppeteer.default.launch({ browser: "firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr", headless: true });
    return {
      name: "firefox",
      page: () => browser.newPage(),
      close: () => browser.close(),
    };
  },
};
