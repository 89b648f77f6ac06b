/**
 * WebKitGTK behind the interface of `browser.mjs`, as far as `machine.mjs` needs it.
 *
 * WebKitWebDriver is spoken to directly, over HTTP. `JSC_useSharedArrayBuffer` is for the WebKitGTK of distributions, which has
 * shared memory switched off; Safari has it.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

const LIBRARIES = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/libexec"];

/** MiniBrowser, from `VK_MINIBROWSER` or where distributions put it. */
function miniBrowser() {
  if (process.env.VK_MINIBROWSER) return process.env.VK_MINIBROWSER;
  for (const library of LIBRARIES.filter(existsSync)) {
    for (const dir of readdirSync(library).filter((d) => d.startsWith("webkit2gtk-4") || d.startsWith("webkitgtk-6"))) {
      const path = join(library, dir, "MiniBrowser");
      if (existsSync(path)) return path;
    }
  }
  throw new Error("no MiniBrowser of WebKitGTK: apt-get install webkit2gtk-driver xvfb xauth, or say where it is in VK_MINIBROWSER");
}

export async function start() {
  const binary = miniBrowser();
  const port = 4444 + Math.floor(Math.random() * 1000);
  const env = { ...process.env, JSC_useSharedArrayBuffer: "1" };
  // A group of its own: xvfb-run starts others, which shall end with it.
  const driver = spawn("xvfb-run", ["-a", "WebKitWebDriver", `--port=${port}`], { env, stdio: "ignore", detached: true });
  const failed = new Promise((_, reject) => driver.once("error", reject));
  async function call(method, path, body) {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, body: body && JSON.stringify(body) });
    const { value } = await response.json();
    if (value?.error) throw new Error(`${value.error}: ${value.message}`);
    return value;
  }
  const up = async () => {
    for (let tries = 0; ; tries++) {
      try {
        return await call("GET", "/status");
      } catch (e) {
        if (tries > 100) throw e;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  };
  await Promise.race([up(), failed]);
  const options = { "webkitgtk:browserOptions": { binary, args: ["--automation"] } };
  const { sessionId, capabilities } = await call("POST", "/session", { capabilities: { alwaysMatch: options } });
  const session = `/session/${sessionId}`;
  await call("POST", `${session}/timeouts`, { script: 600_000 });
  return {
    name: "webkit",
    version: () => capabilities.browserVersion,
    /** There is one window: another page takes the place of the last. */
    async open(address) {
      await call("POST", `${session}/url`, { url: address });
      return { complaints: [], evaluate: (f, arg) => evaluate((body) => call("POST", `${session}/execute/async`, body), f, arg), close: async () => {} };
    },
    async close() {
      await call("DELETE", session).catch(() => {});
      process.kill(-driver.pid);
    },
  };
}

async function evaluate(execute, f, arg) {
  const script = `const [arg, done] = arguments; const f = ${f};
    Promise.resolve(arg).then(f).then((value) => done({ value }), (e) => done({ failed: String(e) }));`;
  const { value, failed } = await execute({ script, args: [arg ?? null] });
  if (failed !== undefined) throw new Error(failed);
  return value;
}
