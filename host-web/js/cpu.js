// A CPU's worker: starts the Rust code, without waiting to be told what for.
import init, { cpu_main } from "./host_web.js";

const ready = init();
// Told below, to whoever listens by then.
ready.catch(() => {});

addEventListener("message", async ({ data }) => {
  try {
    await ready;
    cpu_main(data);
  } catch (e) {
    // To whoever made this worker: engines keep it to themselves otherwise.
    reportError(e);
  }
}, { once: true });
