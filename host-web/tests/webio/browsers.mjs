// The two browsers behind one small interface: pages of a context whose storage lasts until it is closed.
const CHROMIUM_FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const browsers = {
  async chromium() {
    const { chromium } = await import("playwright-core");
    const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: CHROMIUM_FLAGS });
    return {
      name: "chromium",
      context: async () => {
        const context = await browser.newContext();
        return { page: () => context.newPage(), close: () => context.close() };
      },
      close: () => browser.close(),
    };
  },
  async firefox() {
    const puppeteer = await import("puppeteer-core");
    const browser = await puppeteer.default.launch({ browser: "firefox", executablePath: process.env.FIREFOX ?? "/usr/bin/firefox-esr", headless: true });
    return {
      name: "firefox",
      // One profile for all: private contexts have no storage that lasts.
      context: async () => ({ page: () => browser.newPage(), close: async () => {} }),
      close: () => browser.close(),
    };
  },
};
