// Runs what the test sends, beside the modules under test.
import init, * as host from "./host_web.js";
const ready = init({ module_or_path: "/host_web_bg.wasm" });
const state = {};
onmessage = async ({ data: { id, code, arg }, ports }) => {
  try {
    await ready;
    const value = await (0, eval)(`(${code})`)({ ...host, state, ports, base: new URL("vk/", location.origin).href }, arg);
    postMessage({ id, value });
  } catch (e) {
    postMessage({ id, error: String(e?.stack ? `${e.message}` : e) });
  }
};
