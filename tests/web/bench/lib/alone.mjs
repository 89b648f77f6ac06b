/**
 * Chromium over the DevTools protocol with nothing attached but the page itself. The other drivers' debugger halts each
 * worker at its start until they have answered, which no user's does. The interface is `lib/browser.mjs`'s, as far as
 * the start of a page needs it.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CHROMIUM_FLAGS, VIEWPORT, executable } from "../../lib/browser.mjs";

export async function startAlone() {
  const dir = mkdtempSync(join(tmpdir(), "vkernel-chromium-"));
  const flags = [...CHROMIUM_FLAGS, "--headless", "--remote-debugging-pipe", `--user-data-dir=${dir}`, "about:blank"];
  const child = spawn(executable("chromium"), flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
  const [, , , to, from] = child.stdio;
  const waiting = new Map();
  let rest = "";
  from.setEncoding("utf8").on("data", (data) => {
    const messages = (rest + data).split("\0");
    rest = messages.pop();
    for (const { id, result, error } of messages.map((text) => JSON.parse(text))) {
      waiting.get(id)?.(error ? Promise.reject(new Error(error.message)) : result);
      waiting.delete(id);
    }
  });
  let last = 0;
  const send = (method, params = {}, sessionId) =>
    new Promise((answered) => {
      waiting.set(++last, answered);
      to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });

  async function open(browserContextId) {
    const { targetId } = await send("Target.createTarget", { url: "about:blank", browserContextId, ...VIEWPORT });
    const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
    const page = (method, params) => send(method, params, sessionId);
    await page("Page.enable");
    return {
      complaints: [],
      raw: { addInitScript: (f) => page("Page.addScriptToEvaluateOnNewDocument", { source: `(${f})()` }) },
      goto: (url) => page("Page.navigate", { url }),
      async evaluate(f) {
        const how = { expression: `(${f})()`, awaitPromise: true, returnByValue: true };
        const { result, exceptionDetails } = await page("Runtime.evaluate", how);
        if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
        return result.value;
      },
      close: () => send("Target.closeTarget", { targetId }),
    };
  }
  return {
    async profile() {
      const { browserContextId } = await send("Target.createBrowserContext");
      return { open: () => open(browserContextId), close: () => send("Target.disposeBrowserContext", { browserContextId }) };
    },
    async close() {
      const gone = new Promise((done) => child.once("exit", done));
      void send("Browser.close");
      await gone;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
