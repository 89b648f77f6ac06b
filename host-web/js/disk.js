// The worker that has the disks: starts the Rust code, which the page has compiled already.
import init, { disk_ahead, disk_main } from "./host_web.js";

// The page gives this name to a worker that it starts before its own code is there, and tells it the module when it has it.
const told = Promise.withResolvers();
const ready =
  self.name === "ahead" ? told.promise.then((host) => init(host && { module_or_path: host })).then(disk_ahead) : undefined;
ready?.catch(() => {});

addEventListener("message", async ({ data }) => {
  if (data.ahead) return told.resolve(data.value);
  await (ready ?? init({ module_or_path: data.host }));
  disk_main(data);
});
