// The worker that has the disks: starts the Rust code, which the page has compiled already.
import init, { disk_main } from "./host_web.js";

addEventListener("message", async ({ data }) => {
  await init({ module_or_path: data.host });
  disk_main(data);
}, { once: true });
