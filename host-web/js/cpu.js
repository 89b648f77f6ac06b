// A CPU's worker: starts the Rust code, which the page has compiled already.
import init, { cpu_main } from "./host_web.js";

addEventListener("message", async ({ data }) => {
  try {
    await init({ module_or_path: data.host });
    cpu_main(data);
  } catch (e) {
    // To whoever made this worker: engines keep it to themselves otherwise.
    reportError(e);
  }
}, { once: true });
